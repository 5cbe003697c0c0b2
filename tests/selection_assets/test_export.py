"""`selection export`: what an arm selected, and what it trained, as a folder that others read."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from command_line import current, selection
from small_project import Project, enter
from smallest_study import NAME, ROWS, SOURCES
from told_fates import told_fates

ARM, KEY = "ot x 40pct", "40pct|ot"


@pytest.fixture
def project(finished_smallest: Path) -> Iterator[Project]:
    """The finished project, shared: for reading only."""
    yield from enter(Project(finished_smallest))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def export(out: Path, *options: str, arm: str = ARM) -> str:
    result = selection("export", NAME, arm, "--out", str(out), *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(out: Path, *options: str, arm: str = ARM) -> str:
    result = selection("export", NAME, arm, "--out", str(out), *options)
    assert result.exit_code != 0
    return result.stderr


def subset(project: Project, key: str = KEY, draw: int = 0) -> list[dict]:
    table = current(project, f"{NAME}/selected_subset", key).table("subset.parquet")
    rows = [row for row in table.to_pylist() if row["draw"] == draw]
    return sorted(rows, key=lambda row: row["rank"])


def texts(file: Path) -> list[str]:
    return [json.loads(line)["text"] for line in file.read_text().splitlines()]


def test_the_lines_of_the_files_come_out_best_first_with_their_receipts(project, out):
    said = export(out)
    chosen = subset(project)
    tokens = sum(row["n_tokens"] for row in chosen)
    assert f"{out}: {len(chosen):,} rows of {tokens:,} tokens, as they came: all are text" in said
    receipts = pq.read_table(out / "receipts.parquet").to_pylist()
    lines = (out / "train.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == len(receipts) == len(chosen)
    for line, receipt, row in zip(lines, receipts, chosen, strict=True):
        came = (project.root / "drop" / receipt["file"]).read_bytes().splitlines(keepends=True)
        assert line == came[receipt["line"] - 1]
        for name in ("row_id", "source", "score", "rank", "margin", "n_tokens"):
            assert receipt[name] == row[name]


def test_the_hubs_library_reads_the_rows_and_nothing_else(project, out, tmp_path):
    import datasets

    export(out, "--with-rejected")
    read = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert list(read) == ["train"]
    assert list(read["train"]["text"]) == texts(out / "train.jsonl")


def test_the_page_says_what_was_made_from_what(project, out):
    export(out)
    page = (out / "README.md").read_text()
    _, matter, text = page.split("---\n", 2)
    said = yaml.safe_load(matter)
    assert said["configs"][0]["data_files"] == [{"split": "train", "path": "train.jsonl"}]
    assert (said["license"], said["size_categories"]) == ("unknown", ["n<1K"])
    made = current(project, f"{NAME}/training_file", KEY)
    assert made.version in text
    assert current(project, f"{NAME}/selected_subset", KEY).version in text
    for source in SOURCES:
        assert current(project, "shelf/raw_corpus", source).version in text
    _, head = project.ledger.head()
    assert head in text
    assert selection("verify", "--head", head).exit_code == 0
    # What the ledger has is the same, but for its own head.
    for name in ("train.jsonl", "receipts.parquet", "train_trl.py", "axolotl.yaml"):
        assert made.path(name).read_bytes() == (out / name).read_bytes()


def test_the_rest_comes_with_reasons(project, out):
    said = export(out, "--with-rejected")
    fates = told_fates(project.ledger, current(project, f"{NAME}/selected_subset", KEY))
    told = {r["row_id"]: r for r in fates if r["fate"] != "selected" and r["draw"] == 0}
    rejected = pq.read_table(out / "rejected.parquet").to_pylist()
    assert {row["row_id"] for row in rejected} == set(told) and len(rejected) == len(told)
    assert f"rejected.parquet has the {len(told):,} rows that were not selected" in said
    came = {line for source in SOURCES for line in (project.root / f"drop/{source}.jsonl").open()}
    for row in rejected:
        fate = told[row["row_id"]]
        assert (row["fate"], row["rank"]) == (fate["fate"], fate["rank"])
        assert f"{row['row']}\n" in came and json.loads(row["row"])["text"] == row["text"]


def test_order_draw_format_and_container_are_as_asked_for(project, out):
    best_first = [row["text"] for row in subset(project)]
    export(out, "--shuffle", "3")
    mixed = texts(out / "train.jsonl")
    assert mixed != best_first and sorted(mixed) == sorted(best_first)
    export(out, "--draw", "1", arm="40pct|random")
    assert texts(out / "train.jsonl") == [r["text"] for r in subset(project, "40pct|random", 1)]
    assert texts(out / "train.jsonl") != [r["text"] for r in subset(project, "40pct|random")]
    assert "draw 1 of 2" in (out / "README.md").read_text()
    export(out, "--container", "parquet")
    assert pq.read_table(out / "train.parquet")["text"].to_pylist() == best_first
    assert not (out / "train.jsonl").exists()
    assert "a text without turns" in refused(out, "--format", "messages")


def test_only_what_an_export_has_written_is_replaced(project, out):
    export(out)
    export(out, "--container", "parquet")
    (out / "mine.txt").write_text("mine")
    assert "mine.txt; give another folder" in refused(out)
    assert (out / "mine.txt").read_text() == "mine" and (out / "train.parquet").exists()
    (out / "mine.txt").unlink()
    (out / "README.md").write_text("my words")
    assert "README.md" in refused(out)
    assert "is within the store" in refused(project.root / "store/there")
    (out.parent / "file").touch()
    assert "is no folder" in refused(out.parent / "file")
    assert not [left for left in out.parent.iterdir() if left.name.startswith(".")]


def test_a_trained_model_comes_with_tokenizer_and_page(project, out):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from selection.models.checkpoints import weights_digest

    said = export(out, "--checkpoint", "--seed", "1")
    assert "that ot at 40pct trained with the seed 1" in said
    loaded, known = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not known["missing_keys"] and not known["unexpected_keys"]
    trained = current(project, f"{NAME}/finetuned_checkpoint", KEY)
    [report] = [r for r in trained.json("training.json")["seeds"] if r["seed"] == 1]
    assert weights_digest(loaded) == report["weights"]
    assert AutoTokenizer.from_pretrained(out)("text")["input_ids"]
    assert (out / "generation_config.json").is_file()
    _, matter, text = (out / "README.md").read_text().split("---\n", 2)
    result = yaml.safe_load(matter)["model-index"][0]["results"][0]
    after = current(project, f"{NAME}/eval_report", KEY).json("report.json")["after"]
    assert result["metrics"][0]["value"] == after["loss"]
    assert trained.version in text


@pytest.mark.parametrize(
    ("arm", "options", "said"),
    [
        ("ot x 5pct", [], "has no arm 'ot x 5pct'; it has random x 40pct, ot x 40pct"),
        (ARM, ["--draw", "1"], "there is no draw 1: there are 0"),
        (ARM, ["--checkpoint", "--seed", "7"], "there is no seed 7: there are 0, 1"),
        (ARM, ["--seed", "7"], "--seed is a checkpoint's"),
        (ARM, ["--checkpoint", "--shuffle", "7"], "a checkpoint has no rows"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(arm, options, said, project, out):
    assert said in refused(out, *options, arm=arm)
    assert not out.exists()


def test_a_model_that_nobody_has_trained_is_not_exported(fresh, out):
    for _ in enter(Project(fresh)):
        said = refused(out, "--checkpoint")
    assert "ot at 40pct has no finetuned_checkpoint yet: `selection run least --up-to" in said
    assert not out.exists()


def test_rows_are_brought_up_to_date_first(finished_smallest, tmp_path, out):
    root = Path(shutil.copytree(finished_smallest, tmp_path / "project"))
    for project in enter(Project(root)):
        before = subset(project)
        (root / "drop/asyncio.jsonl").unlink()
        turns = [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So it is."}]
        texts_before = (root / "drop/email.jsonl").read_text().splitlines()[: ROWS - 1]
        rows = [json.dumps({"messages": turns}), *texts_before]
        (root / "drop/email.jsonl").write_text("\n".join(rows))
        said = export(out)
        assert {row["source"] for row in before} == set(SOURCES)
        assert {row["source"] for row in subset(project)} == {"email"}
        assert "rows of" in said
        assert len(texts(out / "train.jsonl")) == len(subset(project))
        # The model was trained before: its page is of the rows that it was trained on.
        export(out, "--checkpoint")
        page = (out / "README.md").read_text()
        assert f"the {len(before)} rows" in page and "| asyncio" in page
        assert len(before) != len(subset(project))
