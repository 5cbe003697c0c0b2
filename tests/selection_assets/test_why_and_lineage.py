"""`selection why` and `selection lineage`: what an auditor asks of a row and of a checkpoint."""

import json

import dagster as dg
import pytest
from command_line import ARM, CHECKPOINT, current, printed_json, selection
from small_project import SOURCES, Project

from selection.reports.escaping import one_line
from selection.reports.numbers import number

HOSTILE = "<script>alert(1)</script> \x1b[2J\x1b]0;owned\x07 wipes \u202e the terminal"


def test_why_agrees_with_the_subset_for_every_selected_row_asked_about(finished: Project) -> None:
    subset = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()
    for row in (subset[0], subset[-1]):
        found = printed_json("why", row["row_id"])
        [fate] = [f for f in found["fates"] if f["partition"] == ARM]
        assert (fate["fate"], fate["duplicate_of"]) == ("selected", "")
        assert (fate["score"], fate["rank"]) == (row["score"], row["rank"])
        assert fate["margin"] == pytest.approx(row["margin"], rel=1e-6)
        assert (fate["study"], fate["method"], fate["budget"]) == ("small", "ot", "30pct")
        nearest = {"nearest_target", "nearest_cosine", "nearest_targets"}
        assert set(fate["receipts"]) == {"potential", *nearest}
        assert found["text"] == one_line(row["text"])[:200]


def test_why_gives_one_fate_for_each_arm_and_draw(finished: Project) -> None:
    row = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()[0]
    found = printed_json("why", row["row_id"], "--study", "small")["fates"]
    told = [(f["method"], f["budget"], f["draw"], f["source"]) for f in found]
    assert len(told) == len(set(told))
    arms = {artifact for artifact in finished.ledger.current_versions("small/selected_subset")}
    assert {f"{f['budget']}|{f['method']}" for f in found} == arms
    assert {f["draw"] for f in found if f["method"] == "random"} == {0, 1}
    text = selection("why", row["row_id"]).stdout
    assert "not distinguishable" not in text and "selected" in text


@pytest.mark.parametrize(
    ("row_id", "message"),
    [("f" * 32, "no row of any pool"), ("not-hex", "not a row id"), ("", "not a row id")],
)
def test_why_of_no_row_says_so(finished: Project, row_id: str, message: str) -> None:
    result = selection("why", row_id)
    assert result.exit_code == 1
    assert message in result.stderr


def test_why_of_an_ambiguous_beginning_asks_for_more(finished: Project) -> None:
    result = selection("why", "0")
    assert result.exit_code == 1
    assert "rows start with 0" in result.stderr


def test_hostile_text_is_harmless_and_a_bad_row_is_found_in_quarantine(project: Project) -> None:
    good = [json.dumps({"text": f"Return the value number {n} of the list."}) for n in range(40)]
    lines = [*good, json.dumps({"text": HOSTILE})]
    (project.root / "drop/hostile.jsonl").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    with project.instance() as instance:
        instance.add_dynamic_partitions("library_source", ["hostile"])
        result = project.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(["library", "raw_corpus"])],
            partition_key="hostile",
            instance=instance,
        )
        assert result.success
    corpus = current(project, "library/raw_corpus", "hostile")
    rows = corpus.table("rows.parquet").to_pylist()
    [row] = [row for row in rows if "script" in row["text"]]
    for output in (selection("why", row["row_id"]), selection("why", row["row_id"], "--json")):
        assert output.exit_code == 0, output.output
        assert "<script>alert(1)</script>" in output.stdout
        assert all(c == "\n" or c.isprintable() for c in output.stdout)
    [bad] = corpus.table("quarantine.parquet").to_pylist()
    refused = selection("why", bad["raw_sha256"][:24])
    assert refused.exit_code == 1
    assert "is in quarantine" in refused.stderr and "hostile" in refused.stderr


@pytest.mark.parametrize("name", [CHECKPOINT, f"small/finetuned_checkpoint[{ARM}]"])
def test_lineage_reaches_every_source_and_counts_the_rows_that_trained(
    finished: Project, name: str
) -> None:
    checkpoint = current(finished, "small/finetuned_checkpoint", ARM)
    found = printed_json("lineage", name)
    assert found["id"] == checkpoint.materialization
    assert {f"library/raw_corpus[{source}]" for source in SOURCES} <= set(found["sources"])
    rows = checkpoint.table("rows.parquet")["row_id"].to_pylist()
    assert found["rows_trained"] == len(set(rows))
    text = selection("lineage", name).stdout
    assert text.startswith(f"{CHECKPOINT} version {checkpoint.version[:8]}")
    assert f"{number(len(set(rows)))} rows trained it" in text


def test_lineage_takes_a_checkpoints_folder(finished: Project) -> None:
    checkpoint = current(finished, "small/finetuned_checkpoint", ARM)
    found = printed_json("lineage", str(checkpoint.folder / "seed_0"))
    assert found["name"] == CHECKPOINT


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small/finetuned_checkpoint[ot x 99pct]", "there are: "),
        ("small/nothing[x]", "neither an asset"),
        ("/etc", "neither an asset"),
    ],
)
def test_lineage_of_nothing_says_what_there_is(finished: Project, name: str, message: str) -> None:
    result = selection("lineage", name)
    assert result.exit_code == 1
    assert message in result.stderr
