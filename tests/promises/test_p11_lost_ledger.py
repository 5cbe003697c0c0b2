"""P11: a ledger that is lost, damaged or older is never taken for an empty one."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from command_line import selection
from small_project import Project, enter
from spending import publish_report, reserve
from tampering import edit

from resources.ledger.ledger import Ledger
from resources.ledger.loss import LedgerLost
from resources.ledger.note import NOTE
from resources.ledger.pending import Identity
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from resources.store.artifacts import Artifact
from resources.store.sealed import read_sealed, write_sealed
from selection.budget.amounts import Amount, Cap

COST = Cost(4.0, "detailed", "cpu", 2.0, 3.0)
CAP = Cap("flops", 20.0)
STEP = Spender("small", "small/x", "all", "run", "cpu", caps={"small": CAP})
COMMANDS = [["verify"], ["ledger"], ["gc"], ["gc", "--delete"], ["why", "0" * 16]]
WRITE = ("recover", "--write", "--reason", "the disk was full", "--actor", "me")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Two versions, a third that replaced the first, a loss, and a cap with little left."""
    (tmp_path / "store").mkdir()
    for entered in enter(Project(tmp_path)):
        ledger = entered.ledger
        publish(ledger, "one")
        shutil.copytree(tmp_path / "store", tmp_path / "backup")
        ledger.spending.lose(spend=ledger.spending.reserve(STEP, Amount(3.0, 1.0)))
        publish(ledger, "two", partition="other")
        publish(ledger, "three")
        ledger.spending.foresee("small", {("small/x", "all"): (4.0, None)})
        yield entered


def publish(ledger: Ledger, text: str, partition: str = "all") -> Artifact:
    spend = ledger.spending.reserve(STEP, Amount(4.0, 3.0))
    identity = Identity("small/x", partition, text, "code")
    return publish_report(ledger, identity, text, cost=COST, spend=spend)


def remove(store: Path) -> None:
    (store / "ledger.duckdb").unlink()


def empty(store: Path) -> None:
    (store / "ledger.duckdb").write_bytes(b"")


def no_tables(store: Path) -> None:
    remove(store)
    duckdb.connect(str(store / "ledger.duckdb")).close()


def older(store: Path) -> None:
    shutil.copy(store.parent / "backup/ledger.duckdb", store)


def damaged(store: Path) -> None:
    content = bytearray((store / "ledger.duckdb").read_bytes())
    for place in range(4096, len(content), 4096):
        content[place + 100] ^= 1
    (store / "ledger.duckdb").write_bytes(content)


def cut(store: Path) -> None:
    content = (store / "ledger.duckdb").read_bytes()
    (store / "ledger.duckdb").write_bytes(content[: len(content) // 2])


def cut_tail(store: Path) -> None:
    """Take back the newest entry together with what it did."""
    edit(store.parent / "store", "DELETE FROM entry WHERE kind = 'foresee'")
    edit(store.parent / "store", "DELETE FROM forecast")


LOSSES = [
    *(remove, older, cut, cut_tail),
    *(pytest.param(lose, marks=pytest.mark.slow) for lose in (empty, no_tables, damaged)),
]
Loss = Callable[[Path], None]


def state(ledger: Ledger) -> tuple:
    stands = ledger.spending.standing("small")
    assert stands is not None
    return (
        ledger.current_identities(),
        stands.cap,
        round(stands.settled.flops + stands.reserved.flops, 6),
        ledger.spending.forecasts("small"),
        [row["id"] for row in ledger.query("SELECT id FROM materialization ORDER BY id")],
    )


@pytest.mark.parametrize("lose", LOSSES)
def test_every_command_stops_and_says_what_is_lost_and_what_to_do(project, lose, figures):
    lose(project.root / "store")
    before = sorted((project.root / "store").rglob("*"))
    # Who asks for nothing of the half that is gone is answered from the other.
    for command in COMMANDS[:2] if lose is cut else COMMANDS:
        result = selection(*command)
        assert result.exit_code == 1, (command, result.output)
        assert "backup" in result.stderr and "`selection recover`" in result.stderr, command
        assert "Traceback" not in result.output
        figures.record("P11", commands_stopped=1)
    with pytest.raises(LedgerLost):
        reserve(project.ledger)
    assert sorted((project.root / "store").rglob("*")) == before, "it made or removed something"


@pytest.mark.parametrize("lose", LOSSES)
def test_recovery_brings_everything_back_and_the_cap_still_holds(project, lose, figures):
    store = project.root / "store"
    was = state(project.ledger)
    lose(store)
    shown = selection("recover")
    assert shown.exit_code == 0, shown.output
    assert "nothing is written yet" in shown.output
    assert selection("verify").exit_code == 1
    assert selection("recover", "--write").exit_code == 2, "without a reason"
    written = selection(*WRITE)
    assert written.exit_code == 0, written.output
    verified = selection("verify")
    assert verified.exit_code == 0, verified.output
    assert state(project.ledger) == was
    with pytest.raises(OverCap):
        project.ledger.spending.reserve(STEP, Amount(6.0, 1.0))
    assert publish(project.ledger, "one").folder.is_dir()
    [entry] = project.ledger.query("SELECT body FROM entry WHERE kind = 'recover'")
    assert json.loads(entry["body"])["actor"] == "me"
    assert bool(list(store.glob("ledger.duckdb.damaged-*"))) == (lose in (empty, damaged, cut))
    assert selection("recover").output.startswith("nothing is lost")
    figures.record("P11", ledgers_recovered=1)


def test_without_ledger_and_note_the_published_versions_are_not_forgotten(project, figures):
    store = project.root / "store"
    was = project.ledger.current_identities()
    for lose in (remove, older):
        lose(store)
        (store / "artifacts" / NOTE).unlink(missing_ok=True)
        for command in COMMANDS:
            assert selection(*command).exit_code == 1, command
        assert len(list(store.glob("artifacts/small/**/manifest.json"))) == 3
        assert selection(*WRITE).exit_code == 0
        assert project.ledger.verify() == []
        assert project.ledger.current_identities() == was
        figures.record("P11", ledgers_recovered=1)


def test_a_kill_between_commit_and_note_is_no_loss(project):
    note = project.root / "store/artifacts" / NOTE
    before = note.read_bytes()
    reserve(project.ledger, flops=1.0)
    newest = note.read_bytes()
    note.write_bytes(before)
    assert project.ledger.verify() == []
    project.ledger.current("small/x", "all")
    assert note.read_bytes() == newest, "the next transaction has noted it"


def test_a_changed_note_is_refused_by_name_and_written_anew(project):
    note = project.root / "store/artifacts" / NOTE
    note.write_text(note.read_text().replace('"entries": ', '"entries": 1'))
    result = selection("ledger")
    assert result.exit_code == 1 and str(note) in result.stderr
    assert selection(*WRITE).exit_code == 0
    assert selection("verify").exit_code == 0


@pytest.mark.parametrize("part", ["record", "artifact", "forged record"])
def test_what_is_damaged_is_refused_by_name_and_what_it_cost_counts(project, part, figures):
    store = project.root / "store"
    held = state(project.ledger)[2]
    made = project.ledger.current("small/x", "other")
    assert made is not None
    [record] = (store / "artifacts/.records/small/x/other").rglob("*.json")
    named = record
    if part == "artifact":
        named = made.folder / "report.md"
        named.write_text("another")
    elif part == "record":
        record.write_text(record.read_text().replace('"flops": 4.0', '"flops": 0.0'))
    else:
        other = next((store / "artifacts/.records/small/x/all").rglob("*.json"))
        record.write_bytes(other.read_bytes())
    remove(store)
    written = selection(*WRITE)
    assert f"refused: {named}" in written.output
    assert project.ledger.current("small/x", "other") is None
    assert state(project.ledger)[2] == held
    assert project.ledger.verify() == []
    gone = selection("gc", "--delete")
    assert "paid versions that stay: 1;" in gone.output and made.folder.is_dir()
    figures.record("P11", damaged_or_forged_refused=1)


def test_verify_names_a_record_that_could_not_rebuild_the_ledger(project):
    records = project.root / "store/artifacts/.records/small/x"
    [changed] = (records / "other").rglob("*.json")
    for content in (changed.read_text().replace('"rows": 1', '"rows": 2'), "{}", None):
        changed.unlink()
        if content is not None:
            changed.write_text(content)
        [problem] = project.ledger.verify()
        assert changed.name.removesuffix(".json") in problem


@pytest.mark.parametrize(("flops", "problem"), [(-1e15, "is not the record"), (1.0, "")])
def test_a_forged_publication_is_seen_and_takes_nothing_off_a_cap(project, flops, problem):
    [record] = (project.root / "store/artifacts/.records/small/x/other").rglob("*.json")
    forged = record.with_name("f" * 32 + ".json")
    values = read_sealed(record)
    write_sealed(forged, values | {"spend": values["spend"] | {"id": "f" * 32, "flops": flops}})
    assert [str(forged) in problem for problem in project.ledger.verify()] == [True]
    held = state(project.ledger)[2]
    assert problem in selection(*WRITE).output
    assert (state(project.ledger)[2] == held) is bool(problem)


def test_that_caps_and_losses_are_gone_with_the_note_is_said(project):
    (project.root / "store/artifacts" / NOTE).unlink()
    (project.root / "store/ledger.duckdb").unlink()
    found = selection("recover")
    assert f"{NOTE} is not there; caps changed by `selection cap` and losses do not" in found.output


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_lies_in_the_ledger_s_place_is_set_aside(project, kind):
    ledger = project.root / "store/ledger.duckdb"
    ledger.unlink()
    ledger.mkdir() if kind == "folder" else ledger.symlink_to("/nowhere/ledger.duckdb")
    said = {"folder": "is a folder; nothing is read", "link": "is not there, but"}[kind]
    assert said in selection("ledger").stderr
    assert selection(*WRITE).exit_code == 0
    assert project.ledger.verify() == []


def test_an_edited_ledger_is_no_ground_to_recover_on(project):
    edit(project.root / "store", "UPDATE spend SET flops = 0")
    edit(project.root / "store", "DELETE FROM materialization")
    assert "paid versions that stay: 3;" in selection("gc", "--delete").output
    assert len(list(project.root.glob("store/artifacts/small/**/manifest.json"))) == 3
    result = selection("recover")
    assert result.exit_code == 1
    assert "is not what its own entries say" in result.stderr
    (project.root / "store/ledger.duckdb").rename(project.root / "edited.duckdb")
    assert selection(*WRITE).exit_code == 0
    assert project.ledger.verify() == []


def test_paid_versions_go_only_when_their_number_is_confirmed(project, figures):
    """An older ledger with its own older note looks whole: only the records tell."""
    store = project.root / "store"
    older(store)
    shutil.copy(project.root / "backup/artifacts" / NOTE, store / "artifacts")
    shown = selection("gc", "--delete")
    assert shown.exit_code == 0 and "0 removed" in shown.output
    assert "paid versions that stay: 2;" in shown.output
    for number in ("1", "3"):
        refused = selection("gc", "--delete", "--paid-versions", number)
        assert refused.exit_code == 2 and "paid versions: 2 are there" in refused.stderr
    assert selection("gc", "--paid-versions", "2").exit_code == 2
    assert len(list(store.glob("artifacts/small/**/manifest.json"))) == 3
    assert "2 removed" in selection("gc", "--delete", "--paid-versions", "2").output
    assert len(list(store.glob("artifacts/small/**/manifest.json"))) == 1
    assert selection("gc").output.startswith("nothing to remove")
    figures.record("P11", paid_versions_kept_until_confirmed=2)


def test_what_a_killed_removal_moved_aside_is_kept_and_can_be_put_back(project, monkeypatch):
    store = project.root / "store"
    was = state(project.ledger)
    older(store)
    shutil.copy(project.root / "backup/artifacts" / NOTE, store / "artifacts")

    def die(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("resources.debris.delete", die)
        selection("gc", "--delete", "--paid-versions", "2")
    assert len(list(store.glob("artifacts/small/**/manifest.json"))) == 1
    assert "paid versions that stay: 2;" in selection("gc", "--delete").output
    [trash] = (store / "artifacts/.trash").iterdir()
    shutil.copytree(trash, store / "artifacts", dirs_exist_ok=True)
    assert selection(*WRITE).exit_code == 0
    assert state(project.ledger)[0] == was[0]
