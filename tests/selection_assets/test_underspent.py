"""Long rows and an arm that cannot spend its budget, from the pool's files to the closing table."""

import json
import shutil
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from command_line import current, printed_json, selection
from shared_builds import built_once
from small_project import Project, docstring_lines, enter
from smallest_study import NAME, SOURCES
from told_fates import told_fates

from selection.judging.verdicts import TWO_SEEDS
from selection.subset.lengths import length_limit
from selection_assets.shared.counted_rows import beyond_limit

LIMIT = 13_000
ARMS = {method: f"13pct|{method}" for method in ("random", "length", "ot")}


def texts_of(source: str) -> list[str]:
    return [json.loads(line)["text"] for line in docstring_lines(source).splitlines()]


def write_long_rows(root: Path) -> None:
    """Three rows as long as all short ones together, which no budget holds, and one twice as long.

    `ot` may take rows of one of the two sources, which is half of what its budget could pay.
    """
    short = [text for source in SOURCES for text in texts_of(source)[:40]]
    length = sum(map(len, short))
    words = islice(cycle(" ".join(texts_of("multiprocessing")).split()), 5 * length)
    long = [" ".join(islice(words, length // 6)) for _ in range(5)]
    for source, own in zip(
        SOURCES, ([long[0]], [long[1], long[2], long[3] + long[4]]), strict=True
    ):
        with (root / f"drop/{source}.jsonl").open("a") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in own)
    path = root / f"studies/{NAME}.yaml"
    study = yaml.safe_load(path.read_text()) | {
        "methods": {"random": None, "length": None, "ot": {"nearest_sources": 1}},
        "budgets": [0.13],
        "selection": {"max_row_tokens": LIMIT, "near_duplicate_cosine": None},
    }
    path.write_text(yaml.safe_dump(study))


@pytest.fixture(scope="module")
def finished_root(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(root: Path) -> None:
        shutil.copytree(fresh, root)
        write_long_rows(root)
        for _ in enter(Project(root)):
            result = selection("run", NAME)
            assert result.exit_code == 0, result.output
            (root / "said.txt").write_text(result.stdout)

    return built_once(tmp_path_factory, "underspent", build)


@pytest.fixture
def project(finished_root: Path) -> Iterator[Project]:
    yield from enter(Project(finished_root))


@pytest.mark.parametrize(
    ("given", "packing", "beyond"),
    [
        (None, "joined", ["cut chat"]),
        (None, "isolated", ["long text", "cut chat"]),
        (70, "joined", ["long text"]),  # lets the conversation in, of which 4 tokens are cut
    ],
)
def test_a_conversation_is_as_long_as_it_was_before_it_was_cut(given, packing, beyond):
    rows = ["text", "long text", "chat", "cut chat", "refused chat"]
    counted = pa.table(
        {
            "row_id": rows,
            "n_tokens": [64, 300, 64, 64, 0],
            "n_cut": pa.array([None, None, 0, 4, 0], pa.int64()),
        }
    )
    limit = length_limit(given, window=64, packing=packing)
    found = beyond_limit(counted, limit)
    assert [row for row, is_beyond in zip(rows, found, strict=True) if is_beyond] == beyond


def subset(project: Project, method: str):
    return current(project, f"{NAME}/selected_subset", ARMS[method])


def report_of(project: Project, method: str) -> dict:
    return current(project, f"{NAME}/eval_report", ARMS[method]).json("report.json")


def fates_of(project: Project, method: str) -> list[dict]:
    """Of the first draw."""
    fates = told_fates(project.ledger, subset(project, method))
    return [row for row in fates if row["draw"] == 0]


def test_the_longest_rows_first_do_not_end_a_selection(project):
    """`length` ranks the rows first that no budget holds; it spends its budget all the same."""
    spent = subset(project, "length").json("spent.json")
    assert 0.99 * spent["token_budget"] <= spent["tokens"] <= spent["token_budget"]
    assert spent["underspent"] == ""
    ranked = sorted(fates_of(project, "length"), key=lambda row: row["rank"])
    assert [row["fate"] for row in ranked[:4]] == ["too_long", *["does_not_fit"] * 3]
    assert ranked[1]["n_tokens"] > spent["token_budget"]


@pytest.mark.parametrize("method", ARMS)
def test_every_row_has_one_fate_and_the_limit_is_said(project, method):
    """A fate is that of a plain loop over the ranks."""
    fates = sorted(fates_of(project, method), key=lambda row: row["rank"])
    counted = {
        row["row_id"]: row["n_tokens"]
        for source in SOURCES
        for row in current(project, "shelf/tiny/pool_tokens", source)
        .table("tokens.parquet")
        .to_pylist()
    }
    assert {row["row_id"]: row["n_tokens"] for row in fates} == counted
    assert len(fates) == len(counted)
    budget, spent = subset(project, method).json("arm.json")["token_budget"], 0
    for place, row in enumerate(fates):
        if counted[row["row_id"]] > LIMIT:
            assert row["fate"] == "too_long"
        elif row["fate"] == "selected":
            spent += row["n_tokens"]
        elif row["fate"] == "does_not_fit":
            assert spent + row["n_tokens"] > budget and spent < 0.99 * budget
        elif row["fate"] == "below_cutoff":
            assert spent >= 0.99 * budget
            rest = {later["fate"] for later in fates[place:]}
            assert rest <= {"below_cutoff", "too_long", "far_source"}
    beyond = sum(n > LIMIT for n in counted.values())
    assert beyond == 1
    said = f"Rows of more than {LIMIT:,} tokens could not be selected; the pool has {beyond}."
    assert (
        said in current(project, f"{NAME}/eval_report", ARMS[method]).path("report.md").read_text()
    )
    frontier = current(project, f"{NAME}/pareto_frontier")
    assert frontier.json("frontier.json")["length_limit"] == [said]
    assert said in frontier.path("frontier.md").read_text()
    assert said in (project.root / "said.txt").read_text()


def test_the_line_of_full_data_has_every_row_but_those_too_long_for_any_arm(project):
    full = current(project, f"{NAME}/reference_report", "full_data").table("rows.parquet")
    allowed = [row["row_id"] for row in fates_of(project, "random") if row["fate"] != "too_long"]
    assert sorted(full["row_id"].to_pylist()) == sorted(allowed)


def test_an_arm_that_cannot_spend_its_budget_is_marked_and_has_no_verdict(project):
    why = report_of(project, "ot")["underspent"]
    assert "tokens (" in why and "rows that are left fits" in why
    assert not report_of(project, "random")["underspent"]
    frontier = current(project, f"{NAME}/pareto_frontier")
    rows = {row["method"]: row for row in frontier.json("frontier.json")["arms"]}
    assert rows["ot"]["verdict"] == rows["ot"]["corrected"] == "underspent"
    assert rows["ot"]["difference"] is None and not rows["ot"]["on_frontier"]
    assert rows["random"]["verdict"] == "reference"
    assert rows["length"]["verdict"] == TWO_SEEDS
    assert rows["length"]["difference"] is not None
    note = f"ot at 13pct is underspent: {why}. It has no verdict."
    assert note in (project.root / "said.txt").read_text()
    for path in (
        frontier.path("frontier.md"),
        current(project, f"{NAME}/eval_report", ARMS["ot"]).path("report.md"),
    ):
        assert note in path.read_text()


def test_why_says_in_words_what_became_of_a_long_row(project):
    ranked = sorted(fates_of(project, "length"), key=lambda row: row["rank"])
    budget = subset(project, "length").json("arm.json")["token_budget"]
    assert (
        f"{NAME}, length at 13pct: too_long, it has more tokens than the {LIMIT:,} that a row may"
        " have"
    ) in selection("why", ranked[0]["row_id"]).stdout
    tokens = ranked[1]["n_tokens"]
    said = (
        f"{NAME}, length at 13pct: does_not_fit, it has {tokens:,} tokens, and {budget:,} of"
        f" {budget:,} were left when its turn came"
    )
    assert said in selection("why", ranked[1]["row_id"]).stdout
    found = printed_json("why", ranked[1]["row_id"])["fates"]
    [of_length] = [fate for fate in found if fate["method"] == "length"]
    assert of_length["in_words"].startswith(said)
    [chosen] = [row for row in ranked if row["fate"] == "selected"][:1]
    of_chosen = printed_json("why", chosen["row_id"])["fates"]
    assert [f["in_words"] for f in of_chosen if f["method"] == "length"] == [""]
