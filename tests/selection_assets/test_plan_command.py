"""`selection plan` and `selection cap`: what it would take, and who let it take more."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from click.testing import CliRunner, Result
from small_project import STUDY, Project, enter

from resources.store.artifacts import UNPARTITIONED
from selection.curves import fit_curves
from selection.models.base import load_model, load_tokenizer
from selection.planning.rates import rate_seen
from selection_assets.command.cli import main
from selection_assets.graph import all_stages
from selection_assets.planning.current import foreseen
from selection_assets.planning.rates import RateProbe
from selection_assets.planning.steps import embedding_step, models_step, preparation_step
from selection_assets.stage.keys import arm_key

FIELDS = {
    *("method", "budget", "selection_flops", "training_flops", "rows", "seconds", "feasible"),
    *("reason", "usd"),
}


def selection(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def printed_json(*arguments: str) -> Any:
    result = selection(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def copied(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(finished_root, tmp_path / "project")
    yield from enter(Project(tmp_path / "project"))


def set_study(project: Project, **changes: object) -> None:
    study = yaml.safe_load(STUDY) | changes
    (project.root / "studies/small.yaml").write_text(yaml.safe_dump(study))


def test_the_plan_of_a_finished_study_has_every_arm_with_its_cost_and_expected_loss(finished):
    arms = printed_json("plan", "small")
    assert all(set(arm) >= FIELDS for arm in arms)
    plan = finished.ledger.current("small/budget_plan", UNPARTITIONED).json("plan.json")
    assert [(a["method"], a["budget"], a["rows"]) for a in arms] == [
        (a["method"], a["budget"], a["rows"]) for a in plan["arms"]
    ]
    for arm in arms:
        assert arm["seconds"] > 0
        assert arm["usd"] is None
        assert arm["predicted_low"] < arm["predicted_loss"] < arm["predicted_high"]


def test_a_plan_foresees_nothing_but_assets_and_what_the_pool_shares(finished):
    """A forecast under a name that no step has would never be found, and never be missed."""
    study = finished.study
    assets = {stage.name for stage in all_stages()}
    shared = {embedding_step(study)[0], models_step(study)[0]}
    shared |= {preparation_step(study, name)[0] for name in study.named_methods}
    expected = finished.ledger.spending.forecasts("small")
    assert {asset for asset, _ in expected} <= assets | shared
    assert {embedding_step(study), models_step(study)} <= expected.keys()


def test_expected_losses_are_those_of_the_curve_through_the_reports(finished):
    """The fit done over, from the reports alone."""
    ledger = finished.ledger
    lines = {
        name: artifact.json("report.json")
        for name, artifact in ledger.current_versions("small/reference_report").items()
    }
    points: dict[str, list] = {}
    for artifact in ledger.current_versions("small/eval_report").values():
        report = artifact.json("report.json")
        points.setdefault(report["method"], []).extend(
            (report["training_flops"], -loss) for loss in report["after"]["loss_by_seed"]
        )
    weights = {name: [1.0] * len(found) for name, found in points.items()}
    for name, found in points.items():
        found += [
            (lines["full_data"]["warm_up_flops"], -x) for x in lines["full_data"]["loss_by_seed"]
        ]
        weights[name] += [1 / len(points)] * len(lines["full_data"]["loss_by_seed"])
    fitted = fit_curves(
        points,
        p0=-lines["fine_tuning_only"]["loss"],
        weights=weights,
        cost_full=lines["full_data"]["warm_up_flops"],
    )
    for arm in printed_json("plan", "small"):
        score, _, _ = fitted[arm["method"]].predict([arm["training_flops"]])
        assert arm["predicted_loss"] == pytest.approx(-score[0])


def test_the_plan_in_words_says_the_total_the_advice_and_how_right_it_was(finished):
    shown = selection("plan", "small").stdout
    assert "the whole study:" in shown
    assert "no cap: give the study one" in shown
    assert "arXiv 2410.16208" in shown
    assert "the plan's error, median over assets" in shown
    assert "nothing" not in shown.splitlines()[0]


def test_the_seconds_of_what_has_run_are_foreseen_from_the_ledger_s_own_record(finished):
    steps: dict[str, list[tuple[float, float]]] = {}
    found = finished.ledger.query(
        "SELECT asset, flops, device_seconds AS seconds FROM spend WHERE state = 'settled'"
        " AND materialization IS NOT NULL AND device_seconds > 0"
    )
    for row in found:
        steps.setdefault(row["asset"], []).append((row["flops"], row["seconds"]))
    planned = finished.ledger.spending.forecasts("small")
    expected = foreseen(finished.study, finished.ledger)
    assert expected.keys() == planned.keys()
    trained = [key for key in expected if key[0] == "small/finetuned_checkpoint"]
    assert len(trained) == 8
    for asset, partition in trained:
        flops, seconds = expected[asset, partition]
        assert flops == planned[asset, partition][0]
        assert seconds == pytest.approx(rate_seen(steps[asset]).seconds(flops))
        assert seconds != planned[asset, partition][1]
    # What no step is recorded of under its own name keeps the plan's opinion.
    aside = {key for key in expected if " of " in key[0]}
    assert aside and all(expected[key] == planned[key] for key in aside)


def test_plans_were_right_about_flops_and_every_costly_step_has_a_forecast(finished):
    found = finished.ledger.query(
        "SELECT asset, sum(flops) / sum(planned_flops) - 1 AS error FROM spend"
        " WHERE planned_flops > 0 GROUP BY asset"
    )
    errors = {row["asset"]: abs(row["error"]) for row in found}
    assert sorted(errors.values())[len(errors) // 2] <= 0.05
    assert errors["small/finetuned_checkpoint"] <= 0.05
    unforeseen = finished.ledger.query(
        "SELECT DISTINCT asset FROM spend WHERE planned_flops IS NULL"
    )
    costly = {stage.name for stage in all_stages() if stage.costly}
    assert costly and not costly & {row["asset"] for row in unforeseen}


def test_the_error_of_its_plan_is_shown_on_every_materialization(finished):
    import dagster as dg

    with finished.instance() as instance:
        key = dg.AssetKey.from_user_string("small/finetuned_checkpoint")
        records = instance.fetch_materializations(key, limit=1).records
    shown = records[0].asset_materialization.metadata
    assert abs(shown["plan_error_flops"].value) <= 0.05
    assert "plan_error_seconds" in shown
    planned = shown["planned_flops"].value
    assert shown["flops"].value == pytest.approx(planned, rel=0.05)


def test_planning_makes_the_plan_and_nothing_that_comes_after_it(copied):
    set_study(copied, name="small", budgets=[0.05])
    arms = printed_json("plan", "small")
    assert [arm["budget"] for arm in arms] == ["5pct"] * 4
    reports = copied.ledger.current_versions("small/eval_report")
    assert arm_key("ot", "5pct") not in reports


def test_a_plan_killed_while_it_wrote_its_model_to_measure_is_made_again(finished, tmp_path):
    """Half a folder was taken for the whole by the plan after it."""
    tokenizer = load_tokenizer(
        finished.ledger.current("library/tiny/base_tokenizer", "all").path("tokenizer")
    )
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text("{}")
    known = Mock(study=finished.study, tokenizers={"base": tokenizer}, step=Mock(work=tmp_path))
    written = RateProbe(finished.workspace.throughput("any"), known).base
    assert len(load_tokenizer(written)) == len(tokenizer)
    assert load_model(written).config.hidden_size == 32


def test_reports_of_another_model_size_foretell_nothing(copied):
    base = yaml.safe_load(STUDY)["base_model"] | {"width": 48}
    set_study(copied, base_model=base)
    arms = printed_json("plan", "small")
    assert [arm["predicted_loss"] for arm in arms] == [None] * len(arms)
    shown = selection("plan", "small").stdout
    assert "no expected losses:" in shown
    assert "52,480" in shown or "52480" in shown


def test_with_a_price_money_is_kept_and_planned(copied):
    set_study(copied, usd_per_device_hour=3600.0)
    arms = printed_json("plan", "small")
    assert all(arm["usd"] == pytest.approx(arm["seconds"]) for arm in arms)


def test_the_history_of_a_cap_says_who_raised_it_and_why(copied):
    set_study(copied, cap={"flops": 1e15})
    shown = printed_json("cap", "small")
    assert (shown["cap"], shown["unit"]) == (1e15, "flops")
    command = ["cap", "small", "--flops", "2e15", "--actor", "ada"]
    assert "give both" in selection(*command).stderr
    raised = printed_json(*command, "--reason", "a second seed")
    assert raised["cap"] == 2e15
    assert raised["settled"] == shown["settled"] > 0, "what was spent before counts from the start"
    assert [(h["actor"], h["reason"], h["amount"]) for h in raised["history"]] == [
        ("ada", "a second seed", 2e15)
    ]
    assert selection("cap", "small", "--flops", "1", "--usd", "1").exit_code == 2
    assert selection("cap", "nobody").exit_code == 2
    assert "--flops" in selection("cap", "small", "--help").stdout


def test_a_study_without_a_cap_is_told_how_to_get_one(finished):
    result = selection("cap", "small")
    assert result.exit_code == 2
    assert "cap: {flops: 2e15}" in result.stderr


def test_verify_checks_the_entries_and_remembers_a_head(copied):
    head = printed_json("verify")[-1]
    assert head["asset"] == "ledger"
    assert head["problem"] is None
    assert selection("verify", "--head", head["version"]).exit_code == 0
    lost = selection("verify", "--head", "0" * 64)
    assert lost.exit_code == 1
    assert "cut off or replaced" in lost.stderr
    with copied.ledger._database.transaction() as connection:
        connection.execute("UPDATE spend SET flops = flops / 2 WHERE flops > 0")
    wrong = selection("verify")
    assert wrong.exit_code == 1
    assert "its entries say" in wrong.stderr
