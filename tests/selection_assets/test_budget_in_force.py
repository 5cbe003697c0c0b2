"""A study's cap is kept: nothing starts without its share of it, and what fits under it runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner, Result
from small_project import STUDY, Project, enter

from resources.ledger.caps import Standing
from selection.budget.amounts import Cap
from selection_assets.command.cli import main
from selection_assets.refresh.refresh import StoppedByCap, refresh
from selection_assets.refresh.run_work import RefreshFailed
from selection_assets.stage.asked import FORCE_TAG
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_studies

ARM = arm_key("random", "10pct")
CHECKPOINT = "small/finetuned_checkpoint"


@pytest.fixture
def copied(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished project, to be changed."""
    shutil.copytree(finished_root, tmp_path / "project")
    yield from enter(Project(tmp_path / "project"))


def selection(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def write_study(project: Project, name: str, **changes: object) -> None:
    study = yaml.safe_load(STUDY) | {"name": name} | changes
    (project.root / f"studies/{name}.yaml").write_text(yaml.safe_dump(study))


def run(project: Project, name: str, **options: bool) -> None:
    with project.instance() as instance:
        refresh(load_studies()[name], project.definitions, project.ledger, instance, **options)


def standing(project: Project, name: str) -> Standing:
    stands = project.ledger.spending.standing(name)
    assert stands is not None
    return stands


def train_again(project: Project) -> dg.ExecuteInProcessResult:
    job = project.definitions.resolve_implicit_global_asset_job_def()
    with project.instance() as instance:
        return job.execute_in_process(
            asset_selection=[dg.AssetKey.from_user_string(CHECKPOINT)],
            partition_key=ARM,
            instance=instance,
            tags={FORCE_TAG: "yes"},
            raise_on_error=False,
        )


def entries(project: Project, asset: str, partition: str) -> list[dict]:
    return project.ledger.query(
        "SELECT state, materialization, flops, resumed_flops, reserved_flops FROM spend"
        " WHERE asset = ? AND partition = ? ORDER BY started_at",
        [asset, partition],
    )


def test_a_cap_that_admits_nothing_stops_the_study_before_it_spends(copied):
    write_study(copied, "tight", cap={"flops": 1e6})
    result = selection("run", "tight")
    assert result.exit_code == 1
    assert "its cap of 1e+06 FLOPs" in result.stderr
    assert "selection cap" in result.stderr
    assert "Traceback" not in result.output
    spent = copied.ledger.query(
        "SELECT sum(flops) AS flops FROM spend WHERE campaign = 'tight' AND state = 'settled'"
    )
    assert spent == [{"flops": 0.0}]
    assert standing(copied, "tight").settled.flops == 0


def test_arms_that_fit_under_the_cap_run_and_the_others_say_why_not(copied):
    methods = {"random": {}, "length": {}}
    write_study(copied, "tight", methods=methods)
    run(copied, "tight", up_to="budget_plan")
    expected = copied.ledger.spending.forecasts("tight")
    # What `selection plan` says it will take without the dearer budget and the full-data line.
    wanted = sum(
        flops
        for (asset, partition), (flops, _) in expected.items()
        if not partition.startswith("30pct") and partition != "full_data"
    )
    distilled = copied.ledger.query(
        "SELECT flops FROM spend WHERE asset = 'library/static/embedder'"
    )[0]["flops"]
    planned = copied.ledger.spending.sunk("tight", asset="tight/budget_plan").flops
    cap = 1.06 * (wanted + planned) + distilled
    write_study(copied, "tight", methods=methods, cap={"flops": cap})

    result = selection("run", "tight")
    assert result.exit_code == 0, result.output
    assert "not run: random at 30pct: all its seeds need" in result.stdout
    reports = copied.ledger.current_versions("tight/eval_report")
    assert set(reports) == {arm_key(method, "10pct") for method in methods}
    lines = copied.ledger.current_versions("tight/reference_report")
    assert set(lines) == {"zero_shot", "fine_tuning_only"}
    stands = standing(copied, "tight")
    assert stands.settled.flops <= cap
    assert not stands.reserved

    assert selection("cap", "tight", "--flops", str(100 * cap)).exit_code == 2, "no reason given"
    raised = selection(
        "cap", "tight", "--flops", str(100 * cap), "--reason", "worth it", "--actor", "me"
    )
    assert raised.exit_code == 0
    assert "worth it" in raised.stdout
    before = copied.ledger.current_data_versions()
    run(copied, "tight")
    reports = copied.ledger.current_versions("tight/eval_report")
    assert set(reports) == {arm_key(m, b) for m in methods for b in ("10pct", "30pct")}
    after = copied.ledger.current_data_versions()
    done_before = {key for key in before if key[0].endswith("finetuned_checkpoint")}
    assert all(before[key] == after[key] for key in done_before)
    assert copied.ledger.verify() == []


def test_a_file_cannot_raise_a_cap_by_itself(copied):
    copied.ledger.spending.raise_cap("small", Cap("flops", 1e6), actor="me", reason="a test")
    assert "flops more than the cap: nothing more starts" in selection("cap", "small").stdout
    write_study(copied, "small", cap={"flops": 1e15})
    result = train_again(copied)
    [failure] = result.get_step_failure_events()
    said = failure.step_failure_data.user_failure_data.description
    assert "its file says a cap of 1e+15 FLOPs and the ledger enforces 1e+06 FLOPs" in said
    assert "`selection cap small --flops 1e+15 --reason" in said


def test_a_step_that_no_plan_foresees_does_not_start(copied):
    copied.ledger.spending.foresee("small", {})
    result = train_again(copied)
    [failure] = result.get_step_failure_events()
    said = failure.step_failure_data.user_failure_data.description
    assert f"no plan foresees {CHECKPOINT} [{ARM}]" in said
    assert len(entries(copied, CHECKPOINT, ARM)) == 1


def test_training_stops_at_its_reservation_and_goes_on_from_there_when_the_cap_is_raised(copied):
    """The plan foresaw a third of the work, and the cap leaves no more than that."""
    budget = copied.ledger.spending
    uninterrupted = copied.ledger.current(CHECKPOINT, ARM)
    [first] = entries(copied, CHECKPOINT, ARM)
    foreseen = first["flops"] / 3
    budget.foresee("small", {(CHECKPOINT, ARM): (foreseen, None)})
    spent = copied.ledger.query(
        "SELECT sum(share * flops) AS flops FROM share JOIN spend ON id = spend"
        " WHERE share.campaign = 'small'"
    )[0]["flops"]
    budget.raise_cap(
        "small", Cap("flops", spent + 1.1 * foreseen), actor="me", reason="for the test"
    )

    stopped = train_again(copied)
    [failure] = stopped.get_step_failure_events()
    said = failure.step_failure_data.user_failure_data.description
    assert "stopped at its reservation" in said
    assert "the cap has no room for more" in said
    [_, entry] = entries(copied, CHECKPOINT, ARM)
    assert entry["state"] == "settled"
    assert entry["materialization"] is None
    assert 0 < entry["flops"] <= entry["reserved_flops"]
    stands = standing(copied, "small")
    assert stands.settled.flops <= stands.cap.limit
    assert copied.ledger.current(CHECKPOINT, ARM) == uninterrupted

    budget.raise_cap("small", Cap("flops", 10 * spent), actor="me", reason="worth it")
    assert train_again(copied).success
    [_, stopped_entry, resumed] = entries(copied, CHECKPOINT, ARM)
    assert 0 < resumed["resumed_flops"] <= stopped_entry["flops"]
    # Nothing is counted twice: both attempts together have cost what one would have.
    assert resumed["flops"] + resumed["resumed_flops"] == pytest.approx(first["flops"])
    assert copied.ledger.current(CHECKPOINT, ARM).version == uninterrupted.version
    assert copied.ledger.verify() == []


def test_what_the_cap_refuses_in_spite_of_the_plan_leaves_the_rest_to_run(copied):
    """Losses have eaten what the plan had counted on."""
    write_study(copied, "small", seeds=[0, 2], methods={"random": {}, "length": {}})
    spent = copied.ledger.query(
        "SELECT sum(share * flops) AS flops FROM share JOIN spend ON id = spend"
        " WHERE share.campaign = 'small'"
    )[0]["flops"]
    [arm] = entries(copied, CHECKPOINT, ARM)
    room = spent + 8 * arm["flops"]  # the full-data line takes as much as three arms
    copied.ledger.spending.raise_cap("small", Cap("flops", room), actor="me", reason="for the test")
    with pytest.raises(StoppedByCap, match=r"was not started: it may cost small") as caught:
        run(copied, "small")
    assert isinstance(caught.value, RefreshFailed)
    assert any("small/finetuned_checkpoint" in work.assets for work in caught.value.done)
    assert standing(copied, "small").settled.flops <= room
    frontier = copied.ledger.current("small/pareto_frontier", "all").json("frontier.json")
    assert frontier["arms"]
