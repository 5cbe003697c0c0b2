"""Row-level and version-level questions to a finished study's ledger."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from figures import Figures
from small_project import SOURCES, Project, enter
from tiny_project import materialize
from told_fates import told_fates

from resources.ledger.database import Database
from resources.ledger.lineage import (
    ancestors,
    count_training_rows,
    current_artifacts,
    find_materialization,
    spending,
    totals,
)
from resources.store.artifacts import CorruptArtifact
from selection_assets.command.row_lineage import find_fates, find_rows, find_scores

ARM = "30pct|ot"


@pytest.fixture
def copied(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    """The finished project, to be damaged."""
    root = shutil.copytree(finished_root, tmp_path / "project", symlinks=True)
    yield from enter(Project(root))


def test_every_checkpoint_reaches_every_source_of_the_pool(
    finished: Project, figures: Figures
) -> None:
    wanted = {("library/raw_corpus", source) for source in SOURCES}
    checkpoints = current_artifacts(finished.ledger, "finetuned_checkpoint")
    assert len(checkpoints) == len(finished.ledger.current_versions("small/eval_report")) > 0
    for checkpoint in checkpoints:
        nodes = ancestors(finished.ledger, checkpoint.materialization)
        reached = {(node["asset"], node["partition"]) for node in nodes}
        assert wanted <= reached, checkpoint.partition
        assert ("small/target_examples", "all") in reached
    figures.record("P8", checkpoints_traced_to_every_source=len(checkpoints))


def test_an_arm_descends_from_its_own_scores_and_no_other_methods(finished: Project) -> None:
    checkpoint = finished.ledger.current("small/finetuned_checkpoint", ARM)
    assert checkpoint is not None
    assets = {node["asset"] for node in ancestors(finished.ledger, checkpoint.materialization)}
    assert "small/ot_scores" in assets
    assert not assets & {"small/random_scores", "small/embedding_scores", "small/length_scores"}


def test_every_edge_of_an_ancestry_leads_to_a_materialization_in_it(finished: Project) -> None:
    frontier = finished.ledger.current("small/pareto_frontier", "all")
    assert frontier is not None
    nodes = {n["id"]: n for n in ancestors(finished.ledger, frontier.materialization)}
    assert {up for node in nodes.values() for up in node["upstream"]} <= set(nodes)
    assert len(nodes) == len({(n["asset"], n["partition"], n["version"]) for n in nodes.values()})


def test_a_selected_row_leads_in_one_statement_to_its_checkpoint_and_report(
    finished: Project,
) -> None:
    ledger = finished.ledger
    subset = ledger.current("small/selected_subset", ARM)
    checkpoint = ledger.current("small/finetuned_checkpoint", ARM)
    report = ledger.current("small/eval_report", ARM)
    assert subset is not None and checkpoint is not None and report is not None
    row = subset.table("subset.parquet").to_pylist()[0]
    [fate] = [f for f in find_fates(ledger, row["row_id"]) if f["partition"] == ARM]
    assert fate["subset"] == subset.materialization
    assert (fate["checkpoint"], fate["report"]) == (checkpoint.version, report.version)
    assert fate["fate"] == "selected"
    assert fate["margin"] == pytest.approx(row["margin"], rel=1e-6)
    for column in ("rank", "n_tokens", "source", "draw"):
        assert fate[column] == row[column], column


def test_a_row_that_was_not_selected_trained_no_checkpoint(finished: Project) -> None:
    subset = finished.ledger.current("small/selected_subset", ARM)
    assert subset is not None
    told = told_fates(finished.ledger, subset)
    rejected = next(row["row_id"] for row in told if row["fate"] == "below_cutoff")
    found = [f for f in find_fates(finished.ledger, rejected) if f["partition"] == ARM]
    assert [(f["fate"], f["checkpoint"], f["report"]) for f in found] == [
        ("below_cutoff", None, None)
    ]


def test_a_row_is_followed_though_its_source_has_changed_since(copied: Project) -> None:
    """Fates tell the place of a row among those that the subset was selected from."""
    subset = copied.ledger.current("small/selected_subset", ARM)
    assert subset is not None
    chosen = subset.table("subset.parquet").to_pylist()
    source = chosen[0]["source"]
    dropped = copied.root / f"drop/{source}.jsonl"
    lines = dropped.read_text().splitlines(keepends=True)
    dropped.write_text("".join(lines[len(lines) // 3 :]) + '{"text": "A row that is new."}\n')
    with copied.instance() as instance:
        key = dg.AssetKey(["library", "raw_corpus"])
        assert materialize(copied.definitions, instance, key, source).success
    there = copied.ledger.current("library/raw_corpus", source)
    assert there is not None
    left = set(there.table("rows.parquet")["row_id"].to_pylist())
    of_source = [row for row in chosen if row["source"] == source]
    assert {row["row_id"] in left for row in of_source} == {True, False}
    for row in of_source:
        [fate] = [f for f in find_fates(copied.ledger, row["row_id"]) if f["partition"] == ARM]
        assert (fate["fate"], fate["rank"]) == ("selected", row["rank"])


def test_the_rows_that_fates_say_trained_a_checkpoint_are_those_it_recorded(
    finished: Project, figures: Figures
) -> None:
    checkpoint = finished.ledger.current("small/finetuned_checkpoint", ARM)
    assert checkpoint is not None
    recorded = set(checkpoint.table("rows.parquet")["row_id"].to_pylist())
    [node] = [
        node
        for node in ancestors(finished.ledger, checkpoint.materialization)
        if node["id"] == checkpoint.materialization
    ]
    assert count_training_rows(finished.ledger, node) == len(recorded) > 0
    for row_id in sorted(recorded)[:5]:
        trained = {f["checkpoint"] for f in find_fates(finished.ledger, row_id)}
        assert checkpoint.version in trained
    figures.record("P8", rows_of_a_checkpoint_found_again=len(recorded))


def test_scores_are_those_of_the_versions_the_subset_read(finished: Project) -> None:
    subset = finished.ledger.current("small/selected_subset", ARM)
    assert subset is not None
    row = subset.table("subset.parquet").to_pylist()[0]
    made = subset.materialization
    [found] = find_scores(finished.ledger, {made: "ot"}, row["row_id"])[made]
    assert found["score"] == row["score"]
    assert {"potential", "nearest_target", "nearest_cosine"} <= set(found)


def test_a_row_is_found_by_the_beginning_of_its_id(finished: Project) -> None:
    corpus = finished.ledger.current("library/raw_corpus", "email")
    assert corpus is not None
    row = corpus.table("rows.parquet").to_pylist()[0]
    found = find_rows(finished.ledger, row["row_id"][:20])
    assert {f["row_id"] for f in found} == {row["row_id"]}
    assert "email" in {f["source"] for f in found}
    assert found[0]["text"] == row["text"]


@pytest.mark.parametrize("value", ["' OR true --", "%", "'; DROP TABLE spend; --"])
def test_sql_in_a_value_stays_a_value(finished: Project, value: str) -> None:
    assert find_rows(finished.ledger, value) == []
    assert find_fates(finished.ledger, value) == []
    assert spending(finished.ledger, value) == []
    assert current_artifacts(finished.ledger, value) == []
    assert totals(finished.ledger)


def test_spending_adds_up_to_the_totals(finished: Project) -> None:
    for total in totals(finished.ledger):
        rows = [
            row
            for row in spending(finished.ledger, total["campaign"])
            if row["state"] == total["state"]
        ]
        for field in ("steps", "flops", "device_seconds", "wall_seconds"):
            assert sum(row[field] for row in rows) == pytest.approx(total[field]), field


def test_a_folder_inside_a_checkpoint_belongs_to_it_and_one_elsewhere_to_nothing(
    finished: Project, tmp_path: Path
) -> None:
    checkpoint = finished.ledger.current("small/finetuned_checkpoint", ARM)
    assert checkpoint is not None
    for folder in (checkpoint.folder, checkpoint.folder / "seed_0"):
        assert find_materialization(finished.ledger, folder) == checkpoint.materialization
    assert find_materialization(finished.ledger, checkpoint.folder.parent) is None
    assert find_materialization(finished.ledger, tmp_path) is None


def test_an_input_that_the_ledger_does_not_hold_is_an_error_and_not_a_shorter_tree(
    copied: Project,
) -> None:
    frontier = copied.ledger.current("small/pareto_frontier", "all")
    plan = copied.ledger.current("small/budget_plan", "all")
    assert frontier is not None and plan is not None
    store = copied.root / "store"
    with Database(store / "ledger.duckdb", store / "artifacts").transaction() as connection:
        connection.execute("DELETE FROM materialization WHERE id = ?", [plan.materialization])
    with pytest.raises(LookupError, match=plan.materialization):
        ancestors(copied.ledger, frontier.materialization)


def test_a_corrupt_fate_file_is_refused_by_name(copied: Project) -> None:
    subset = copied.ledger.current("small/selected_subset", ARM)
    assert subset is not None
    row_id = subset.table("subset.parquet")["row_id"][0].as_py()
    shutil.copy(subset.folder / "subset.parquet", subset.folder / "fates.parquet")
    with pytest.raises(CorruptArtifact, match=r"fates\.parquet"):
        find_fates(copied.ledger, row_id)


@pytest.mark.parametrize("statement", ["DELETE FROM spend", "SELECT 1; DROP TABLE spend", ""])
def test_a_question_cannot_write(finished: Project, statement: str) -> None:
    with pytest.raises(ValueError, match="not one SELECT"):
        finished.ledger.query(statement)
