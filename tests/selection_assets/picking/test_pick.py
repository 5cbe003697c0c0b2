"""From files to the rows worth training on, in one command."""

import json
from pathlib import Path

import pytest
from command_line import selection
from dagster_homes import write_dagster_home

from resources.project import ROOT_VARIABLE
from resources.workspace import Workspace
from selection.corpus.docstrings import read_docstrings
from selection_assets.authoring.study_file import EMBEDDER

pytestmark = pytest.mark.study

HTTP = [record.text for record in read_docstrings("http", min_words=5, max_words=60)]
OTHER = [
    record.text
    for package in ("asyncio", "email", "multiprocessing")
    for record in list(read_docstrings(package, min_words=5, max_words=60))[:120]
]
PLANTED, TARGET = HTTP[::2], HTTP[1::2]


def chat(text: str) -> dict:
    question = {"role": "user", "content": "What does it do?"}
    return {"messages": [question, {"role": "assistant", "content": text}]}


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Somebody's files, picked from once; a project in which nothing else is."""
    root = tmp_path_factory.mktemp("picked")
    (root / "project/dagster_home").mkdir(parents=True)
    write_dagster_home(root / "project")
    half = len(OTHER) // 2
    write(root / "chats.jsonl", [chat(text) for text in [*OTHER[:half], *PLANTED, TARGET[0]]])
    write(root / "texts.jsonl", [*({"text": text} for text in OTHER[half:]), {"text": ""}])
    write(root / "target.jsonl", [{"text": text} for text in TARGET[:30]])
    write(root / "second.jsonl", [{"text": text} for text in TARGET[30:]])
    variables = {
        ROOT_VARIABLE: str(root / "project"),
        "DAGSTER_HOME": str(root / "project/dagster_home"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        # As wide as in other tests, which have distilled it already.
        patch.setitem(EMBEDDER["model"], "width", 64)
        yield root


def pick(files: Path, *options: str, target: str = "target.jsonl") -> str:
    pool = [str(files / "chats.jsonl"), str(files / "texts.jsonl")]
    result = selection("pick", *pool, "--target", str(files / target), *options)
    assert result.exit_code == 0, result.output
    return result.output


def spent_on(asset: str) -> int:
    [found] = Workspace().ledger.query(
        "SELECT count(*) AS steps FROM spend WHERE asset LIKE ?", [f"%/{asset}"]
    )
    return found["steps"]


def assets() -> set[str]:
    found = Workspace().ledger.query("SELECT DISTINCT asset FROM current_version")
    return {row["asset"].rpartition("/")[2] for row in found}


def test_a_dry_run_says_what_it_would_take_and_selects_nothing(files):
    said = pick(files, "--rows", "40", "--dry-run")
    assert "wrote studies/chats_target.yaml" in said
    assert "chats_target: what it would take" in said and "memory: about" in said
    assert "selected_subset" not in assets() and not spent_on("corpus_embeddings")


def test_rows_like_the_target_are_picked_and_nothing_is_trained(files):
    said = pick(files, "--rows", "40", "--out", str(files / "out"))
    assert "wrote studies" not in said
    assert "ot at 40rows picked 40 of" in said
    assert not {"finetuned_checkpoint", "base_checkpoint", "pareto_frontier"} & assets()
    subset = Workspace().ledger.current("chats_target/selected_subset", "40rows|ot")
    assert subset is not None
    rows = subset.table("subset.parquet").to_pylist()
    planted = sum(any(text in row["text"] for text in PLANTED) for row in rows)
    share = len(PLANTED) / (len(OTHER) + len(PLANTED))
    assert len(rows) == 40
    assert planted / len(rows) > 2 * share
    for part in (
        "messages",
        "empty text",
        "certificate: potentials of",
        "exact OT by POT",
        "the last 5 chosen",
        "the first 5 missed",
        "only 30 rows of the target steer",
        "spent so far",
    ):
        assert part in said
    ids = {row["row_id"][:12] for row in rows}
    out = files / "out"
    lines = (out / "train.jsonl").read_text().splitlines()
    assert len(lines) == 40 and f"{out}: 40 rows" in said
    assert {"README.md", "receipts.parquet", "train_trl.py"} <= {p.name for p in out.iterdir()}
    last = said.partition("the last 5 chosen")[2].partition("the first 5 missed")[0]
    assert sum(line.split(" ")[0] in ids for line in last.splitlines()) == 5


def test_the_same_again_computes_nothing_and_another_target_embeds_nothing_of_the_pool(files):
    options = ("--rows", "40", "--out", str(files / "again"))
    pick(files, *options)
    embedded = spent_on("corpus_embeddings")
    assert embedded == 2
    assert "nothing had changed: nothing recomputed" in pick(files, *options)
    said = pick(files, *options, target="second.jsonl")
    assert "wrote studies/chats_second.yaml" in said
    assert "raw_corpus" not in said.partition("recomputed ")[2]
    assert spent_on("corpus_embeddings") == embedded


def test_tokens_are_counted_by_the_embedder_where_there_is_no_model(files):
    pick(files, "--tokens", "500", "--method", "length", "--out", str(files / "out"))
    subset = Workspace().ledger.current("chats_target_2/selected_subset", "500tokens|length")
    assert subset is not None
    tokens = [row["n_tokens"] for row in subset.table("subset.parquet").to_pylist()]
    longest = max(subset.table("fates.parquet")["n_tokens"].to_pylist())
    assert 500 - longest < sum(tokens) <= 500


def test_more_than_the_pool_has_is_said_and_less_than_a_row_is_refused(files):
    said = pick(files, "--rows", "5000", "--method", "length", "--out", str(files / "all"))
    assert "5,000 rows were asked for, and the pool has no more" in said
    options = ("--target", str(files / "target.jsonl"), "--out", str(files / "none"))
    nothing = selection("pick", str(files / "texts.jsonl"), *options, "--tokens", "1")
    assert nothing.exit_code == 2
    assert "a budget of 1tokens has no room for a middling row" in nothing.output
    assert not (files / "none").exists()


def test_what_a_study_that_trains_nothing_has_not_is_said(files):
    pick(files, "--rows", "40", "--dry-run")
    out = ("--out", str(files / "model"), "--checkpoint")
    result = selection("export", "chats_target", "ot x 40rows", *out)
    assert result.exit_code != 0
    assert "trains nothing (`trains: false`): it has no model" in result.output


def test_auto_takes_the_default_where_nothing_is_known_and_says_so(files):
    said = pick(files, "--method", "auto", "--rows", "40", "--dry-run")
    assert "method: ot, since no report of the pool chats has a method ahead of random" in said


def test_a_study_that_only_selects_ends_with_what_it_picked(files):
    pick(files, "--rows", "40", "--out", str(files / "out"))
    result = selection("run", "chats_target")
    assert result.exit_code == 0, result.output
    assert "ot at 40rows picked 40 of" in result.output
    assert "pareto_frontier" not in assets()


def test_another_pool_of_the_project_takes_its_embedder_over(files):
    pick(files, "--rows", "40", "--dry-run")
    write(files / "few.jsonl", [chat(text) for text in OTHER[:80]])
    arguments = ["pick", str(files / "few.jsonl"), "--target", str(files / "target.jsonl")]
    result = selection(*arguments, "--dry-run")
    assert result.exit_code == 0, result.output
    ledger = Workspace().ledger
    first, second = (
        ledger.current(f"{pool}/static_minilm/embedder", "all") for pool in ("chats", "few")
    )
    assert first is not None and second is not None and first.version == second.version
    [spent] = ledger.query("SELECT flops FROM spend WHERE asset = 'few/static_minilm/embedder'")
    assert spent["flops"] == 0
