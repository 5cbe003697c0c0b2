"""A finished study says what each arm took, and of all that was spent who bears it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from small_project import Project, enter
from smallest_study import NAME
from study_outcome import Outcome, published_files

from resources.ledger.lineage import cost_to_make, totals
from resources.store.artifacts import UNPARTITIONED
from selection.reports.numbers import number
from selection_assets.charging.charges import charges_of
from selection_assets.charging.parts import selection_parts
from selection_assets.charging.reasons import WHY
from selection_assets.charging.seconds import TimedStudy
from selection_assets.command.closing import closing_text
from selection_assets.graph import all_stages
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_study

ARM = arm_key("ot", "40pct")


@pytest.fixture
def finished_project(finished_smallest: Path, tmp_path: Path) -> Iterator[Project]:
    yield from enter(Project(Path(shutil.copytree(finished_smallest, tmp_path / "project"))))


def arms(project: Project) -> list[dict]:
    frontier = project.ledger.current(f"{NAME}/pareto_frontier", UNPARTITIONED)
    assert frontier is not None
    return frontier.json("frontier.json")["arms"]


def made(project: Project, asset: str) -> dict[str, tuple[float, float]]:
    found = project.ledger.query(
        "SELECT partition, flops, device_seconds AS seconds FROM spend"
        " WHERE asset = ? AND state = 'settled'",
        [asset],
    )
    return {row["partition"]: (row["flops"], row["seconds"]) for row in found}


def test_what_arms_bear_and_what_none_does_is_all_that_the_ledger_has(finished_project):
    study, ledger = load_study(NAME), finished_project.ledger
    charges = charges_of(study, ledger, arms(finished_project), TimedStudy.look_up(study, ledger))
    spent = [total for total in totals(ledger) if total["campaign"] in (study.name, study.pool)]
    assert len(spent) >= 2
    for name, column in (("flops", "flops"), ("seconds", "device_seconds")):
        whole = sum(total[column] for total in spent)
        assert whole > 0
        assert sum(getattr(one, name) for one in charges) == pytest.approx(whole, rel=1e-9)
    listed = {one.asset.rpartition("/")[2] for one in charges if one.why}
    assert {"raw_corpus", "base_checkpoint", "eval_report", "finetuned_checkpoint"} <= listed
    borne = {one.asset: one.by for one in charges if one.by}
    assert borne["shelf/mean/corpus_embeddings"] == ("ot",)
    assert borne["least/finetuned_checkpoint"] == ("ot", "random")
    assert all(one.seconds > 0 for one in charges)


def test_an_arm_takes_the_seconds_of_the_steps_that_its_flops_are_of(finished_project):
    study, ledger = load_study(NAME), finished_project.ledger
    timed = TimedStudy.look_up(study, ledger)
    [ot] = [arm for arm in arms(finished_project) if arm["method"] == "ot"]
    took = timed.seconds_of("ot", "40pct", ot["training_flops"])
    wanted = made(finished_project, f"{NAME}/selected_subset")[ARM][1]
    steps = ("ot_potentials", "ot_scores", "target_embeddings")
    for asset in ("shelf/mean/corpus_embeddings", *(f"{NAME}/{step}" for step in steps)):
        wanted += sum(seconds for _, seconds in made(finished_project, asset).values())
    flops, seconds = made(finished_project, f"{NAME}/finetuned_checkpoint")[ARM]
    assert took is not None
    assert took.selection == pytest.approx(wanted)
    assert took.training == pytest.approx(seconds * ot["training_flops"] / flops)
    # The same steps, by the same shares, have the FLOPs that the plan charges the arm with.
    parts = selection_parts(study, study.named_methods["ot"])
    counted = sum(parts[row["asset"]] * row["flops"] for row in cost_to_make(ledger, list(parts)))
    assert counted == pytest.approx(ot["selection_flops"], rel=0.05)


def test_what_targets_share_is_divided_among_them(finished_project):
    path = finished_project.root / f"studies/{NAME}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"shared_by": 4}))
    study, ledger = load_study(NAME), finished_project.ledger
    parts = selection_parts(study, study.named_methods["ot"])
    pool = "shelf/mean/corpus_embeddings"
    assert {asset: share for asset, share in parts.items() if share < 1} == {pool: 0.25}
    charges = charges_of(study, ledger, arms(finished_project), TimedStudy.look_up(study, ledger))
    mine, others = [one.seconds for one in charges if one.asset == pool]
    assert others == pytest.approx(3 * mine)


def test_the_closing_text_has_both_costs_both_verdicts_and_the_whole_list(finished_project):
    study, ledger = load_study(NAME), finished_project.ledger
    text = closing_text(study, ledger, "")
    timed = TimedStudy.look_up(study, ledger)
    assert "total FLOPs" in text and "at equal FLOPs" in text and "at equal seconds" in text
    assert "measured on: CPU, 1 threads" in text
    for arm in arms(finished_project):
        took = timed.seconds_of(arm["method"], arm["budget"], arm["training_flops"])
        assert took is not None
        flops = arm["selection_flops"] + arm["training_flops"]
        wanted = [arm["method"], arm["budget"], number(flops), number(took.total), arm["verdict"]]
        assert any(all(word in line for word in wanted) for line in text.splitlines()), wanted
    assert "no arm: pre-training, as if it came from a hub" in text
    assert "all that no arm bears" in text


def test_seconds_are_shown_and_are_no_part_of_what_must_repeat(
    finished_project, undisturbed: Outcome
):
    with finished_project.instance() as instance:
        for name, facts in (
            ("eval_report", {"arm_seconds", "arm_selection_seconds", "arm_training_seconds"}),
            ("pareto_frontier", {"seconds", "charged", "measured_on"}),
        ):
            [record, *_] = instance.fetch_materializations(
                dg.AssetKey([NAME, name]), limit=1
            ).records
            assert facts <= set(record.asset_materialization.metadata)
    assert published_files(finished_project.ledger.artifacts) == undisturbed.files
    for arm in arms(finished_project):
        assert not [name for name in arm if "seconds" in name]


def test_every_asset_of_which_arms_may_bear_nothing_has_a_reason(finished_project):
    study = load_study(NAME)
    parts = {a for named in study.named_methods.values() for a in selection_parts(study, named)}
    names = {stage.name for stage in all_stages()} - parts
    assert {name.rpartition("/")[2] for name in names} <= set(WHY)
