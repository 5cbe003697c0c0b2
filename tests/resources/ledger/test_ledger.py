import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import everything
import pyarrow as pa
import pytest
from real_processes import Child
from spending import GONE, reserve

from resources.ledger.database import Database
from resources.ledger.ledger import Ledger, hash_inputs, open_ledger
from resources.ledger.pending import Identity, Pending
from resources.ledger.spends import Cost
from resources.store.artifacts import Artifact

IDENTITY = Identity("study/thing", "all", "inputs", "code")
COST = Cost(10.0, "detailed", "cpu", 2.0, 3.0)

PUBLISH = Path(everything.__file__).read_text()


PUBLISH_FOR_EVER = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from resources.ledger.spends import Cost, Spender
from resources.ledger.ledger import open_ledger
from resources.ledger.pending import Identity, Pending
from selection.budget.amounts import Amount

ledger = open_ledger(Path(sys.argv[1]))
for i in itertools.count():
    spend = ledger.spending.reserve(
        Spender("small", "study/thing", "all", sys.argv[2], "cpu"), Amount(10.0, 10.0)
    )
    staged = ledger.store.stage({"report.md": f"{sys.argv[2]}-{i}"})
    made = ledger.publish(Pending(
        staged, Identity("study/thing", "all", f"{sys.argv[2]}-{i}", "code"), campaign="small",
        inputs=[], run_id=sys.argv[2], rows=1, started_at=datetime.now(UTC),
        cost=Cost(1.0, "detailed", "cpu", 0.0, 1.0), spend=spend,
    ))
    print(spend, made.materialization, flush=True)
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def publish(
    ledger: Ledger,
    text: str = "content",
    identity: Identity = IDENTITY,
    *,
    inputs: tuple[str, ...] = (),
    spend: str | None = None,
    make_current: bool = True,
) -> Artifact:
    return ledger.publish(
        Pending(
            ledger.store.stage({"report.md": text}),
            identity,
            campaign="small",
            inputs=inputs,
            run_id="run",
            rows=1,
            started_at=datetime.now(UTC),
            cost=COST,
            spend=spend,
            make_current=make_current,
        )
    )


def query(root: Path, sql: str) -> list[tuple]:
    with Database(root / "ledger.duckdb", root / "artifacts").transaction() as connection:
        return connection.execute(sql).fetchall()


def text_of(artifact: Artifact | None) -> str:
    assert artifact is not None
    return artifact.path("report.md").read_text()


def test_what_is_published_is_current_and_recorded_in_full(ledger, tmp_path):
    published = publish(ledger)
    assert ledger.current("study/thing", "all") == published
    assert ledger.published(IDENTITY.asset).get(IDENTITY) == published
    [row] = query(
        tmp_path,
        "SELECT asset, partition, input_hash, code_version, data_version, run_id, path, rows, bytes"
        " FROM materialization",
    )
    path = published.folder.relative_to(tmp_path / "artifacts").as_posix()
    version = published.version
    assert row == ("study/thing", "all", "inputs", "code", version, "run", path, 1, len("content"))
    [spend] = query(
        tmp_path,
        "SELECT campaign, asset, partition, run_id, materialization, state, device, accountant,"
        " flops, device_seconds, wall_seconds, ended_at >= started_at FROM spend",
    )
    made = published.materialization
    assert spend == (
        *("small", "study/thing", "all", "run", made, "settled"),
        *("cpu", "detailed", 10.0, 2.0, 3.0, True),
    )


def test_publishing_twice_is_publishing_once(ledger, tmp_path):
    spend = reserve(ledger, "study/thing", "all", "run")
    assert publish(ledger, spend=spend) == publish(ledger, spend=spend)
    assert len(query(tmp_path, "SELECT * FROM materialization")) == 1
    assert query(tmp_path, "SELECT state, flops FROM spend") == [("settled", 10.0)]
    assert len(list((tmp_path / "artifacts/study/thing/all").iterdir())) == 1


def test_a_later_version_replaces_the_current_one_and_keeps_its_files(ledger):
    old = publish(ledger, "old")
    new = publish(ledger, "new", Identity("study/thing", "all", "other inputs", "code"))
    assert text_of(ledger.current("study/thing", "all")) == "new"
    assert text_of(old) == "old"
    assert ledger.published(IDENTITY.asset).get(IDENTITY) is None
    assert old.folder.parent == new.folder.parent


def test_going_back_to_an_earlier_version_makes_it_current_again(ledger, tmp_path):
    publish(ledger, "old")
    publish(ledger, "new", Identity("study/thing", "all", "other inputs", "code"))
    publish(ledger, "old")
    assert text_of(ledger.current("study/thing", "all")) == "old"
    assert len(query(tmp_path, "SELECT * FROM materialization")) == 2


def test_a_version_that_failed_its_checks_is_kept_and_read_by_nobody(ledger, tmp_path):
    publish(ledger, "good")
    failed = Identity("study/thing", "all", "other inputs", "code")
    bad = publish(ledger, "bad", failed, make_current=False)
    assert text_of(ledger.current("study/thing", "all")) == "good"
    assert ledger.published(failed.asset).get(failed) is None
    assert text_of(bad) == "bad"
    assert ledger.current_data_versions().keys() == {("study/thing", "all")}
    assert query(tmp_path, "SELECT sum(flops) FROM spend") == [(20.0,)]  # both were paid for


@pytest.mark.parametrize("changed", ["asset", "partition", "input_hash", "code_version"])
def test_nothing_is_found_for_another_identity(ledger, changed):
    publish(ledger)
    another = Identity(**{**vars(IDENTITY), changed: "another"})
    assert ledger.published(another.asset).get(another) is None


def test_nothing_is_found_in_an_empty_ledger(ledger):
    assert ledger.published(IDENTITY.asset).get(IDENTITY) is None
    assert ledger.current("study/thing", "all") is None
    assert ledger.current_versions("study/thing") == {}
    assert ledger.spending.lose(run_id="run") == 0


def test_inputs_are_recorded_once_each(ledger, tmp_path):
    upstream = publish(ledger, "upstream", Identity("study/source", "all", "i", "c"))
    made = upstream.materialization
    below = publish(ledger, "below", inputs=(made, made))
    assert query(tmp_path, "SELECT * FROM input") == [(below.materialization, made)]


def test_a_dead_run_s_open_entries_become_losses_and_no_others(ledger, tmp_path):
    settled = reserve(ledger, "study/thing", "all", "dead")
    publish(ledger, spend=settled)
    reserve(ledger, "study/other", "a", "dead", holder=GONE)
    reserve(ledger, "study/other", "b", "alive", holder=GONE)
    assert ledger.spending.lose(run_id="dead") == 1
    assert ledger.spending.lose(run_id="dead") == 0
    found = query(
        tmp_path,
        "SELECT partition, state, flops, wall_seconds >= 0, wall_seconds = device_seconds,"
        " ended_at IS NOT NULL FROM spend ORDER BY partition",
    )
    assert found == [
        # It gave no sign of life: all that it had reserved may be spent.
        ("a", "lost", 10.0, True, True, True),
        ("all", "settled", 10.0, True, False, True),
        ("b", "running", None, None, None, False),
    ]


def test_the_hash_of_inputs_depends_on_every_name_and_version_and_not_on_their_order():
    one = hash_inputs({"a": "1", "b": "2"})
    assert one == hash_inputs({"b": "2", "a": "1"})
    others = [{"a": "1"}, {"a": "2", "b": "1"}, {"a": "1", "b": "2", "c": ""}, {}]
    assert len({one, *map(hash_inputs, others)}) == 5


def test_kills_at_random_times_lose_nothing_that_was_acknowledged(tmp_path):
    """Each round's last line may be cut off or unprinted: only whole lines were acknowledged."""
    chance = random.Random(0)
    acknowledged: list[tuple[str, str]] = []
    for round_ in range(8):
        process = Child(PUBLISH_FOR_EVER, tmp_path, f"run-{round_}")
        first = process.next_line()  # it has started
        time.sleep(chance.uniform(0, 0.4))
        lines = (first + process.shoot()).splitlines(keepends=True)
        acknowledged += [tuple(line.split()) for line in lines if line.endswith("\n")]
        ledger = open_ledger(tmp_path)
        current = ledger.current("study/thing", "all")
        assert current is not None
        current.verify()
        assert ledger.spending.lose(run_id=f"run-{round_}") <= 1
    settled = query(tmp_path, "SELECT id, materialization FROM spend WHERE state = 'settled'")
    assert set(acknowledged) <= set(settled)
    assert len(settled) - len(acknowledged) <= 8  # committed, and killed before it could say so
    assert query(tmp_path, "SELECT count(*) FROM spend WHERE state = 'running'") == [(0,)]
    for (path,) in query(tmp_path, "SELECT path FROM materialization"):
        assert (tmp_path / "artifacts" / path / "manifest.json").is_file()
    print(f"{len(acknowledged)} acknowledged over 8 kills", file=sys.stderr)


def test_no_edge_of_a_finished_project_hangs_in_the_air(finished):
    root = finished.workspace.folder
    known = "(SELECT id FROM materialization)"
    assert query(root, f"SELECT * FROM input WHERE upstream NOT IN {known}") == []
    assert query(root, f"SELECT * FROM input WHERE materialization NOT IN {known}") == []
    assert query(root, f"SELECT * FROM current_version WHERE materialization NOT IN {known}") == []
    assert query(root, f"SELECT * FROM spend WHERE materialization NOT IN {known}") == []


def test_every_spend_of_a_finished_project_is_settled_and_on_a_materialization(finished):
    root = finished.workspace.folder
    assert query(root, "SELECT DISTINCT state FROM spend") == [("settled",)]
    assert query(root, "SELECT count(*) FROM spend WHERE materialization IS NULL") == [(0,)]
    assert query(root, "SELECT count(*) FROM spend WHERE flops IS NULL OR flops < 0") == [(0,)]


def test_the_folders_of_a_finished_project_are_those_in_its_ledger(finished):
    root = finished.workspace.folder
    recorded = {path for (path,) in query(root, "SELECT path FROM materialization")}
    artifacts = root / "artifacts"
    manifests = [m for m in artifacts.rglob("manifest.json") if ".stage" not in m.parts]
    folders = {manifest.parent.relative_to(artifacts).as_posix() for manifest in manifests}
    assert folders == recorded
    assert not list((artifacts / ".stage").iterdir())


def test_every_file_of_a_finished_project_hashes_to_its_manifest(finished):
    ledger, root = finished.ledger, finished.workspace.folder
    for (asset,) in query(root, "SELECT DISTINCT asset FROM current_version"):
        for artifact in ledger.current_versions(asset).values():
            artifact.verify()


def test_a_table_s_hash_does_not_depend_on_when_it_was_written(ledger):
    table = pa.table({"row_id": ["a"] * 1000, "score": [0.5] * 1000})
    first = ledger.store.stage({"rows.parquet": table})
    assert first.version == ledger.store.stage({"rows.parquet": table}).version
