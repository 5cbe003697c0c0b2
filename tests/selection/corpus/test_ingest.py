"""The table of a source: duplicates, quarantine."""

from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingested

from selection.basics.text import normalise, row_id
from selection.basics.words import count_words
from selection.corpus.ingest import QUARANTINE_SCHEMA
from selection.corpus.merged_rows import GROUP_ROWS
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_table import ROW_SCHEMA


def test_exact_duplicates_collapse_to_one_row_that_remembers_its_origins() -> None:
    records = [
        Record("The  quick fox.", "a.jsonl:1", licence="MIT", label="x"),
        Record("Another row", "a.jsonl:2"),
        Record("The quick fox. ", "b.jsonl:9", label="y"),
    ]
    corpus = ingested(records, source="demo")
    assert (corpus.n_read, corpus.n_duplicates, corpus.table.num_rows) == (3, 1, 2)
    by_id = {row["row_id"]: row for row in corpus.table.to_pylist()}
    fox = by_id[row_id("The quick fox.")]
    assert fox["origins"] == ["a.jsonl:1", "b.jsonl:9"]
    assert (fox["text"], fox["label"], fox["licence"]) == ("The  quick fox.", "x", "MIT")
    assert (fox["source"], fox["n_words"]) == ("demo", 4)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip), min_size=1))
def test_rows_are_sorted_unique_and_account_for_every_record(texts: list[str]) -> None:
    corpus = ingested([Record(text, f"f:{i}") for i, text in enumerate(texts)], source="s")
    ids = corpus.table["row_id"].to_pylist()
    assert ids == sorted({row_id(text) for text in texts})
    assert corpus.table.schema.equals(ROW_SCHEMA)
    origins = [origin for row in corpus.table["origins"].to_pylist() for origin in row]
    assert sorted(origins) == sorted(f"f:{i}" for i in range(len(texts)))
    assert corpus.n_read == len(texts) == corpus.table.num_rows + corpus.n_duplicates
    for row in corpus.table.to_pylist():
        assert normalise(row["text"]) in {normalise(text) for text in texts}
        assert row["n_words"] == count_words(row["text"])


def test_more_rows_than_a_group_stay_sorted() -> None:
    n = 2 * GROUP_ROWS + 1
    corpus = ingested((Record(f"row {i}", f"f:{i}") for i in range(n)), source="s")
    ids = corpus.table["row_id"].to_pylist()
    assert (len(ids), ids) == (n, sorted(ids))


def mixed(n_good: int, n_bad: int) -> list[Record | BadRecord]:
    """Return good and bad records with reasons of three kinds and more."""
    kinds = ["not JSON: a", "not JSON: b", "invalid UTF-8: c", "empty text", "NUL character"]
    bad = [BadRecord(f"f:{i}", kinds[i % 5], "0" * 64) for i in range(n_bad)]
    return [*[Record(f"row {i}", f"g:{i}") for i in range(n_good)], *bad]


def test_bad_rows_are_listed_in_reading_order() -> None:
    corpus = ingested(mixed(95, 5), source="s")
    assert (corpus.n_read, corpus.table.num_rows) == (100, 95)
    assert corpus.quarantine.schema.equals(QUARANTINE_SCHEMA)
    assert corpus.quarantine["origin"].to_pylist() == [f"f:{i}" for i in range(5)]
    assert set(corpus.quarantine["source"].to_pylist()) == {"s"}


def test_a_source_without_a_good_row_has_its_quarantine_all_the_same() -> None:
    nothing, bad = ingested([], source="s"), ingested(mixed(0, 3), source="s")
    assert (nothing.table.num_rows, nothing.n_read) == (0, 0)
    assert (bad.table.num_rows, bad.n_read) == (0, 3)
    assert bad.table.schema.equals(ROW_SCHEMA)
    assert bad.quarantine["reason"].to_pylist() == [
        r.reason for r in mixed(0, 3) if isinstance(r, BadRecord)
    ]
