"""A study on real text, from raw rows to verdicts, in one process."""

import shutil

import yaml
from small_project import Project, enter

from selection.models.base import load_model
from selection.models.checkpoints import weights_digest
from selection_assets.refresh.refresh import refresh
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_studies


def test_a_study_runs_end_to_end_on_real_text(finished):
    report = finished.ledger.current("small/pareto_frontier", "all").json("frontier.json")
    assert {arm["method"] for arm in report["arms"]} == {"random", "length", "embedding", "ot"}


def test_the_frontier_says_from_how_many_targets_each_method_pays(finished):
    frontier = finished.ledger.current("small/pareto_frontier", "all")
    rows = frontier.path("break_even.md").read_text().splitlines()
    methods = {line.split("|")[1].strip() for line in rows[2:]}
    assert methods == {"length", "embedding", "ot"}
    for budget in ("10pct", "30pct"):
        picture = frontier.path(f"break_even_{budget}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")


def test_a_second_refresh_recomputes_nothing(finished):
    assert finished.refresh() == []


def test_the_subset_of_ot_is_nearer_to_the_target_than_random_rows(finished):
    for budget in ("10pct", "30pct"):
        report = finished.ledger.current("small/eval_report", arm_key("ot", budget))
        distances = report.json("report.json")["ot_distance"]
        assert distances["subset"] < distances["random"]


def test_every_arm_keeps_to_its_budget_and_trained_on_the_rows_it_names(finished):
    for key, checkpoint in finished.ledger.current_versions("small/finetuned_checkpoint").items():
        subset = finished.ledger.current("small/selected_subset", key)
        plan = subset.json("arm.json")
        for seed in checkpoint.json("training.json")["seeds"]:
            assert seed["warm_up_flops"] + plan["selection_flops"] <= plan["total_flops"]
        rows = checkpoint.table("rows.parquet").to_pylist()
        chosen = subset.table("subset.parquet").to_pylist()
        for number, seed in enumerate(finished.study.seeds):
            draws = {row["draw"] for row in chosen}
            draw = number % len(draws)
            assert [row["row_id"] for row in rows if row["seed"] == seed] == [
                row["row_id"] for row in chosen if row["draw"] == draw
            ]


def test_a_local_model_folder_is_a_base_and_lora_warms_it_up(finished_root, tmp_path):
    shutil.copytree(finished_root, tmp_path / "project")
    for project in enter(Project(tmp_path / "project")):
        base = project.ledger.current("library/tiny/base_checkpoint", "all")
        shutil.copytree(base.path("checkpoint"), project.root / "models" / "mine")
        study = yaml.safe_load((project.root / "studies" / "small.yaml").read_text())
        study |= {
            "name": "local",
            "base_model": {"kind": "pretrained", "model": "models/mine", "sequence_length": 64},
            "methods": {"random": None, "ot": None},
            "budgets": [0.2],
            "warm_up": {"lora_rank": 4, "learning_rate": 0.005},
        }
        (project.root / "studies" / "local.yaml").write_text(yaml.safe_dump(study))
        with project.instance() as instance:
            done = refresh(load_studies()["local"], project.definitions, project.ledger, instance)
        made = {asset for work in done for asset in work.assets}
        assert {a for a in made if a.startswith("library/")} == {
            "library/pretrained/base_tokenizer",
            "library/pretrained/base_checkpoint",
            "library/pretrained/pool_tokens",
        }
        frontier = project.ledger.current("local/pareto_frontier", "all").json("frontier.json")
        assert len(frontier["arms"]) == 2
        before = frontier["reference"]["zero_shot"]["loss"]
        assert all(arm["loss"] < before for arm in frontier["arms"])
        fetched = project.ledger.current("library/pretrained/base_checkpoint", "all")
        assert weights_digest(load_model(fetched.path("checkpoint"))) == weights_digest(
            load_model(base.path("checkpoint"))
        )
