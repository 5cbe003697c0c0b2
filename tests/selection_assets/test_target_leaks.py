"""Rows of the pool that say what a held-out row says are never selected, and it is said how."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from command_line import printed_json, selection
from dagster_homes import write_dagster_home
from small_project import Project, enter
from told_fates import told_fates

from resources.store.artifacts import Artifact
from selection.basics.text import row_id
from selection.corpus.docstrings import read_docstrings
from selection_assets.refresh.refresh import refresh
from selection_assets.studies import load_study

pytestmark = pytest.mark.study

TARGET = [record.text for record in read_docstrings("http", min_words=40, max_words=120)][:30]
PLAIN = [record.text for record in read_docstrings("email", min_words=10, max_words=120)][:150]
TEST, DEV, TRAIN = TARGET[:10], TARGET[10:20], TARGET[20:]
METHODS = ("random", "ot", "bm25")


def edited(text: str) -> str:
    """Too much for any thirteen words in a row to stay."""
    words = text.split()
    return " ".join("indeed" if place % 12 == 6 else word for place, word in enumerate(words))


PLANTED = {
    "case": (TEST[0].upper(), "equal", TEST[0]),
    "full_stop": (TEST[1].rstrip(".") + "!", "equal", TEST[1]),
    "zero_width": (TEST[2][:20] + "\u200b" + TEST[2][20:], "equal", TEST[2]),
    "itself": (TEST[3], "equal", TEST[3]),
    "steering": (DEV[0].lower(), "equal", DEV[0]),
    "prefix": (f"Docstring: {TEST[4]}", "ngram", TEST[4]),
    "embedded": (f"{PLAIN[0]}\n\n{TEST[5]}\n\n{PLAIN[1]}", "ngram", TEST[5]),
    "quoted": (f"As they say: {' '.join(TEST[6].split()[5:25])}", "ngram", TEST[6]),
    "edited": (edited(TEST[7]), "near", TEST[7]),
    "trained_on": (TRAIN[0] + " So it is.", None, None),
}
STUDY = {
    "name": "leaky",
    "pool": "shelf",
    "trains": False,
    "target": {
        "kind": "files",
        "path": "target.jsonl",
        "columns": {"split": "split"},
        "splits": {"train": 10, "dev": 10, "test": 10},
    },
    "embedder": {"name": "static", "model": {"kind": "static_minilm", "width": 64}},
    "methods": {method: None for method in METHODS},
    # More than there are: whatever may be selected is.
    "budgets": [{"rows": 1_000}],
    "selection": {"near_duplicate_cosine": None},
}


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def select(project: Project, name: str) -> set[str]:
    with project.instance() as instance:
        study = load_study(name)
        made = refresh(
            study, project.definitions, project.ledger, instance, up_to="selected_subset"
        )
    return {f"{asset.rpartition('/')[2]}[{key}]" for work in made for asset, key in work.steps}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with rows that leak, each in its own way, from which a study has selected."""
    root = tmp_path_factory.mktemp("leaks") / "project"
    for folder in ("studies/pools", "drop", "dagster_home"):
        (root / folder).mkdir(parents=True)
    write_dagster_home(root)
    source = {"kind": "drop_folder", "path": "drop", "settle_seconds": 0}
    pool = {"name": "shelf", "sources": [source]}
    (root / "studies/pools/shelf.yaml").write_text(yaml.safe_dump(pool))
    (root / "studies/leaky.yaml").write_text(yaml.safe_dump(STUDY))
    (root / "drop/plain.jsonl").write_text(lines([{"text": text} for text in PLAIN]))
    planted = [{"text": text} for text, *_ in PLANTED.values()]
    (root / "drop/planted.jsonl").write_text(lines(planted))
    splits = [(TEST, "test"), (DEV, "dev"), (TRAIN, "train")]
    target = [{"text": text, "split": split} for texts, split in splits for text in texts]
    (root / "target.jsonl").write_text(lines(target))
    for project in enter(Project(root)):
        select(project, "leaky")
    return root


@pytest.fixture
def selected(root: Path) -> Iterator[Project]:
    yield from enter(Project(root))


def subset_of(project: Project, method: str, study: str = "leaky") -> Artifact:
    found = project.ledger.current(f"{study}/selected_subset", f"1000rows|{method}")
    assert found is not None
    return found


@pytest.mark.parametrize("method", METHODS)
def test_no_leaking_row_is_selected_and_every_other_one_is(selected: Project, method: str):
    subset = subset_of(selected, method)
    fates = {row["row_id"]: row for row in told_fates(selected.ledger, subset)}
    for name, (text, kind, held_out) in PLANTED.items():
        fate = fates[row_id(text)]
        said = (fate["fate"], fate["leak"], fate["leak_of"])
        expected = ("target_leak", kind, row_id(held_out)) if kind else ("selected", "", "")
        assert said == expected, name
    chosen = set(subset.table("subset.parquet")["row_id"].to_pylist())
    assert {row_id(text) for text in PLAIN} <= chosen


def test_the_check_says_how_many_of_each_kind(selected: Project):
    with selected.instance() as instance:
        definitions = selected.definitions.resolve_asset_graph()
        [key] = [k for k in definitions.asset_check_keys if k.name == "no_test_row"]
        [record] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert evaluation.passed
    assert evaluation.metadata["left_out"].value == {"equal": 5, "ngram": 3, "near": 1}


def test_why_says_in_words_how_a_row_leaks_and_which_held_out_row(selected: Project):
    text, kind, held_out = PLANTED["quoted"]
    assert held_out is not None
    said = selection("why", row_id(text)).stdout
    assert "target_leak in leaky: it has words of a held-out row in their order (ngram)" in said
    assert row_id(held_out) in said and " ".join(held_out.split()[:5]) in said
    assert {fate["leak"] for fate in printed_json("why", row_id(text))["fates"]} == {kind}


def test_what_was_picked_ends_with_how_many_rows_leak_and_how(selected: Project):
    said = selection("run", "leaky").output
    assert (
        "9 rows of the pool say what a held-out row of the target says (equal 5, ngram 3, near 1);"
        " none of them was picked" in said
    )


def test_kinds_can_be_turned_off_but_for_equality(selected: Project):
    off = {"near_duplicate_cosine": None, "leaks": {"ngram": None, "near": None}}
    study = STUDY | {"name": "lenient", "methods": {"random": None}, "selection": off}
    path = selected.root / "studies/lenient.yaml"
    path.write_text(yaml.safe_dump(study))
    select(selected, "lenient")
    path.unlink()
    found = selected.ledger.current("lenient/selected_subset", "1000rows|random")
    assert found is not None
    leaks = {row["leak"] for row in found.table("fates.parquet").to_pylist()}
    assert leaks == {"", "equal"}


def test_a_new_source_is_looked_at_by_itself(selected: Project):
    new = selected.root / "drop/new.jsonl"
    new.write_text(lines([{"text": f"Hear this. {TEST[8]}"}, {"text": "And nothing of this."}]))
    made = select(selected, "leaky")
    assert {one for one in made if one.startswith("target_leaks")} == {"target_leaks[new]"}
    fates = subset_of(selected, "random").table("fates.parquet").to_pylist()
    assert {row["leak_of"] for row in fates if row["source"] == "new"} == {row_id(TEST[8]), ""}
    new.unlink()
