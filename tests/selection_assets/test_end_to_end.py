"""A study on real text, from raw rows to verdicts, in one process."""

from selection_assets.stage.keys import arm_key


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
