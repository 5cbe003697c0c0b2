"""P4: work may be repeated; the same work is published once, by whomever and however often."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_processes import Child
from spending import publish_report

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.pending import Identity
from resources.ledger.spends import Cost
from resources.store.artifacts import Artifact

PUBLISH_THE_SAME = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from resources.store.artifacts import ArtifactStore
from resources.ledger.ledger import open_ledger
from resources.ledger.pending import Identity, Pending
from resources.ledger.spends import Cost

ledger, go, rounds = open_ledger(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[4])
store = ArtifactStore(ledger.artifacts)
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
for i in range(rounds):
    staged = store.stage({"report.md": f"content {i}"})
    ledger.publish(Pending(
        staged, Identity("study/thing", f"part-{i}", "inputs", "code"), campaign="small",
        inputs=[], run_id=sys.argv[3], rows=1, started_at=datetime.now(UTC),
        cost=Cost(0.0, "none", "none", 0.0, 1.0), spend=None,
    ))
"""

COST = Cost(10.0, "detailed", "cpu", 2.0, 3.0)


def publish(ledger: Ledger, identity: Identity, text: str) -> Artifact:
    return publish_report(ledger, identity, text, cost=COST)


def rows(ledger: Ledger, table: str) -> list[dict]:
    # `table` is one of the names written in this file.
    return ledger.query(f"SELECT * FROM {table}")


def versions(ledger: Ledger) -> set[str]:
    found = ledger.artifacts.glob("study/**/manifest.json")
    return {path.parent.relative_to(ledger.artifacts).as_posix() for path in found}


identities = st.builds(
    Identity,
    st.sampled_from(["study/a", "study/deep/b"]),
    st.sampled_from(["all", "p"]),
    st.sampled_from(["i", "j"]),
    st.sampled_from(["c", "d"]),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(identities, st.sampled_from(["x", "y"])), min_size=1, max_size=8))
def test_a_row_and_a_folder_for_each_different_publication(tmp_path_factory, published):
    ledger = open_ledger(tmp_path_factory.mktemp("store"))
    made = {(identity, text): publish(ledger, identity, text) for identity, text in published}
    for identity, text in published:
        assert publish(ledger, identity, text) == made[identity, text]
    assert len(rows(ledger, "materialization")) == len(made)
    assert versions(ledger) == {
        a.folder.relative_to(ledger.artifacts).as_posix() for a in made.values()
    }
    last = {(identity.asset, identity.partition): (identity, text) for identity, text in published}
    for (asset, partition), key in last.items():
        assert ledger.current(asset, partition) == made[key]
    assert len(rows(ledger, "current_version")) == len(last)


@pytest.mark.parametrize(
    ("processes", "rounds"), [(2, 15), pytest.param(4, 60, marks=pytest.mark.slow)]
)
def test_processes_that_publish_the_same_make_one_folder_and_one_row(
    tmp_path, processes, rounds, figures
):
    ledger = open_ledger(tmp_path)
    go = tmp_path / "go"
    everybody = [Child(PUBLISH_THE_SAME, tmp_path, go, i, rounds) for i in range(processes)]
    for process in everybody:
        assert process.next_line() == "ready\n"
    go.touch()
    for process in everybody:
        process.end()
    assert len(versions(ledger)) == rounds
    assert len(rows(ledger, "materialization")) == rounds
    assert len(rows(ledger, "current_version")) == rounds
    assert not list((ledger.artifacts / ".stage").iterdir())
    for artifact in ledger.current_versions("study/thing").values():
        artifact.verify()
    figures.record("P4", publications_that_raced=processes * rounds, one_row_and_folder_each=rounds)


def test_what_is_damaged_is_repaired_by_making_it_again(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    identity = Identity("study/thing", "all", "i", "c")
    made = publish(ledger, identity, "x")
    (made.folder / "report.md").write_text("y")
    assert publish(ledger, identity, "x") == made
    made.verify()
    assert len(rows(ledger, "materialization")) == 1
    assert not list((ledger.artifacts / ".stage").iterdir())
