"""A benchmark's tasks in a study: figures of each seed, their cost, and what a changed row does."""

import shutil
from collections.abc import Iterator
from math import isclose

import pytest
from hub_model import LENGTH, arms
from small_project import Project, enter

from selection.models.base import (
    load_model,
    load_tokenizer,
)
from selection.models.harness import run_harness
from selection.models.harness_tasks import HarnessTasks
from selection_assets.refresh.refresh import refresh
from selection_assets.studies import load_studies


@pytest.fixture
def project(hub_studies) -> Iterator[Project]:
    yield from enter(Project(hub_studies.root))


def test_reports_carry_each_seeds_figures_on_the_tasks(project):
    tasks = HarnessTasks(("fill_in",), project.root / "tasks")
    zero_shot = project.ledger.current("hub/reference_report", "zero_shot").json("report.json")
    assert len(zero_shot["harness"]["scores"]) == 2
    for key, report in arms(project, "hub/eval_report"):
        checkpoint = project.ledger.current("hub/finetuned_checkpoint", key)
        again = [
            run_harness(load_model(folder), load_tokenizer(folder), tasks, **options)
            for folder in (checkpoint.path(f"seed_{seed}") for seed in (0, 1))
            for options in [{"max_length": LENGTH, "device": "cpu"}]
        ]
        found = report.json("report.json")["after"]["harness"]
        assert found["harness_version"] == again[0].harness_version
        for number, score in enumerate(found["scores"]):
            values = [result.scores[number].value for result in again]
            assert (score["task"], score["n_samples"]) == ("fill_in", 20)
            assert score["by_seed"] == values
            assert score["mean"] == pytest.approx(sum(values) / 2)
        assert "fill_in" in report.path("report.md").read_text()


def test_the_plan_foresees_what_the_tasks_cost_and_the_report_is_charged_for_it(project):
    plain = {
        row["partition"]: row["flops"]
        for row in project.ledger.query(
            "SELECT partition, flops FROM spend WHERE asset = 'folder/eval_report'"
        )
    }
    spends = project.ledger.query(
        "SELECT asset, partition, flops, planned_flops FROM spend WHERE asset IN"
        " ('hub/eval_report', 'hub/reference_report')"
    )
    assert len(spends) == 2 + 3
    for row in spends:
        assert isclose(row["flops"], row["planned_flops"], rel_tol=1e-9), row
        if row["asset"] == "hub/eval_report":
            assert row["flops"] > plain[row["partition"]]


def test_changed_rows_of_a_task_are_evaluated_again_and_nothing_is_trained(hub_studies, tmp_path):
    shutil.copytree(hub_studies.root, tmp_path / "project")
    for project in enter(Project(tmp_path / "project")):
        rows = project.root / "tasks/rows.jsonl"
        rows.write_text("".join(f"{line}\n" for line in rows.read_text().splitlines()[:9]))
        with project.instance() as instance:
            done = refresh(load_studies()["hub"], project.definitions, project.ledger, instance)
        made = {asset for work in done for asset in work.assets}
        assert {"hub/eval_report", "hub/reference_report", "hub/pareto_frontier"} <= made
        assert not {"hub/finetuned_checkpoint", "library/pretrained/base_checkpoint"} & made
        for _, report in arms(project, "hub/eval_report"):
            scores = report.json("report.json")["after"]["harness"]["scores"]
            assert {score["n_samples"] for score in scores} == {9}
