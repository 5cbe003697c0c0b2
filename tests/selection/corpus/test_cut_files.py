"""A file that ends early or cannot be read has missing rows, which are no mere bad row."""

import bz2
import gzip
import io
import json
import lzma
import subprocess
import tempfile
from pathlib import Path

import bombs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from bad_files import incompressible_rows, row, split
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import ingested

from selection.config.pool import DEFAULT_COLUMNS, Pool
from selection.corpus.csv_rows import read_csv
from selection.corpus.lines import split_lines
from selection.corpus.parquet_rows import read_parquet
from selection.corpus.readers import read_path
from selection.corpus.records import UnreadPart
from selection.corpus.row_rules import RowRules
from selection.corpus.sources import list_sources
from selection.corpus.streams import StreamDamaged, unpack

RULES = RowRules(DEFAULT_COLUMNS, {}, 2**20)
COUNT = 600
LINES = incompressible_rows(COUNT)
CSV = b"text,note\n" + b"".join(b'"row %d, quoted","note %d"\n' % (i, i) for i in range(COUNT))
PACKED = {
    ".jsonl": LINES,
    ".jsonl.gz": gzip.compress(LINES),
    ".jsonl.zst": zstandard.ZstdCompressor(write_checksum=True).compress(LINES),
    ".csv": CSV,
}


def parquet_file() -> bytes:
    """Six row groups of 100 rows."""
    buffer = io.BytesIO()
    table = pa.table({"text": [f"row {i}" for i in range(COUNT)]})
    pq.write_table(table, buffer, 100, write_page_checksum=True)
    return buffer.getvalue()


PARQUET = parquet_file()


@given(st.sampled_from(sorted(PACKED)), st.data())
def test_a_file_cut_anywhere_loses_no_row_in_silence(figures, suffix, data):
    raw = PACKED[suffix]
    cut = data.draw(st.integers(0, len(raw) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"rows{suffix}")
        path.write_bytes(raw[:cut])
        good, bad = split(read_path(path))
    assert all(isinstance(record, UnreadPart) for record in bad)
    # A cut between two rows of a file that is not packed cannot be seen, nor one that leaves a
    # last cell of CSV empty or, had it no quotes, shorter.
    unseen = b"\n" in raw[max(cut - 1, 0) : cut + 1] or raw[:cut].endswith(b'",')
    unseen &= cut != CSV.index(b"\n")  # a header without its end is no whole file
    assert bool(bad) != (unseen and suffix in (".jsonl", ".csv"))
    assert len(good) <= COUNT
    figures.record("P13", files_cut=1)


@given(st.data())
@settings(max_examples=60)
def test_rows_of_parquet_are_read_bad_or_known_to_be_missing(figures, data):
    footer = int.from_bytes(PARQUET[-8:-4], "little") + 8
    at = data.draw(st.integers(4, len(PARQUET) - footer - 1))
    damage = data.draw(st.integers(1, 255))
    raw = bytearray(PARQUET)
    raw[at] ^= damage
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.seek(0)
        good, bad = split(read_parquet(file, "f", RULES))
    missing = [record.missing for record in bad if isinstance(record, UnreadPart)]
    lost = len(bad) - len(missing)
    assert None not in missing
    assert len(good) + lost + sum(missing) == COUNT
    figures.record("P13", parquet_files_damaged=1)


@given(st.integers(0, len(PARQUET) - 1))
@settings(max_examples=30)
def test_a_parquet_file_cut_anywhere_is_an_unread_part_of_unknown_size(cut):
    with tempfile.TemporaryFile() as file:
        file.write(PARQUET[:cut])
        file.seek(0)
        good, bad = split(read_parquet(file, "f", RULES))
    assert good == []
    [part] = bad
    assert isinstance(part, UnreadPart) and part.missing is None


@given(st.sampled_from(["bz2", "xz"]), st.integers(0, 3000))
@settings(max_examples=30)
def test_other_packings_are_unpacked_up_to_their_cut(packing, cut):
    packed = {"bz2": bz2.compress, "xz": lzma.compress}[packing](LINES)
    with tempfile.TemporaryFile() as file:
        file.write(packed[: len(packed) - 1 - cut])
        file.seek(0)
        lines = []
        with pytest.raises(StreamDamaged, match=f"truncated {packing}"):
            lines.extend(split_lines(unpack(file, packing), max_bytes=2**20))
        file.seek(0)
    assert len(lines) <= COUNT


@pytest.mark.parametrize(("packing", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_what_unpacks_a_thousand_fold_and_more_is_stopped_and_given_in_blocks(packing, pack):
    with tempfile.TemporaryFile() as file:
        file.write(pack(b"\0" * (80 * 2**20)))
        file.seek(0)
        sizes = []
        with pytest.raises(StreamDamaged, match="unpacks too far"):
            sizes.extend(map(len, unpack(file, packing)))
    assert max(sizes) <= 2**20


@pytest.mark.parametrize(
    ("name", "raw", "good"),
    [
        ("a.jsonl", row("one") + b'{"text": "tw', ["one"]),
        ("a.jsonl", row("one") + b'{"text": "caf\xc3', ["one"]),
        ("a.csv", b"text,n\none,1\ntwo", ["one"]),
        ("a.csv", b'text,n\none,1\n"two', ["one"]),
        ("a.txt", b"one\n\ncaf\xc3", ["one"]),
    ],
)
def test_a_file_that_ends_within_a_row_says_so(tmp_path, name, raw, good):
    (tmp_path / name).write_bytes(raw)
    found, bad = split(read_path(tmp_path / name))
    assert [record.text for record in found] == good
    assert [record.kind for record in bad] == ["file ends within a row"]
    assert isinstance(bad[0], UnreadPart) and bad[0].missing is None


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_bad_last_row_that_is_no_beginning_of_one_is_a_bad_row(tmp_path, end):
    (tmp_path / "a.jsonl").write_bytes(row("one") + b"garbage" + end)
    (tmp_path / "a.csv").write_bytes(b"text,n\none,1\na,b,c" + end)
    for name in ("a.jsonl", "a.csv"):
        [bad] = split(read_path(tmp_path / name))[1]
        assert not isinstance(bad, UnreadPart)


def test_rows_before_a_damage_within_a_quote_are_kept(tmp_path):
    rows = b"".join(b"row %d,x\n" % i for i in range(2000))
    packed = gzip.compress(b'text,n\n"never closed,1\n' + rows, 0)
    lines = split_lines(unpack_of(packed[:-5000]), max_bytes=2**20)
    found = []
    with pytest.raises(StreamDamaged, match="truncated gz"):
        found.extend(read_csv(lines, "a.csv", RULES))
    good, bad = split(found)
    assert [record.kind for record in bad] == ["malformed CSV"]
    assert len(good) > 1000 and good[0].text == "row 0"


def unpack_of(packed):
    with tempfile.TemporaryFile() as file:
        file.write(packed)
        file.seek(0)
        yield from unpack(file, "gz")


def test_a_footer_that_counts_more_rows_than_its_groups_have_is_not_believed_silently(tmp_path):
    path = tmp_path / "half.parquet"
    writer = pq.ParquetWriter(path, pa.schema({"text": pa.string()}))
    writer.write_table(pa.table({"text": [f"row {i}" for i in range(100)]}))
    writer.close()
    footer = path.read_bytes()
    # The file's number of rows, 100, is a zigzag varint (200 = c8 01) after the schema; the row
    # group's is behind it.
    at = footer.index(b"\x16\xc8\x01\x19\x1c")
    path.write_bytes(footer[: at + 1] + b"\xc8\x03" + footer[at + 3 :])
    good, bad = split(read_path(path))
    assert len(good) == 100
    assert [(record.origin, record.missing) for record in bad] == [("half.parquet#100", 128)]
    corpus = ingested(read_path(path), source="s")
    assert (corpus.n_read, corpus.faults.n_missing) == (228, 128)


def test_a_null_of_the_filter_column_is_named_in_every_source(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"t{i}", "domain": d} for i, d in enumerate(["law", None, "news"])]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    for domain in ("law", "news"):
        good, [bad] = split(read_path(path, where={"domain": domain}))
        assert (len(good), bad.origin, bad.kind) == (1, "a.jsonl:2", "null filter column")


def test_a_reader_that_is_killed_leaves_an_unread_part_and_one_left_early_ends(
    tmp_path, monkeypatch
):
    started: list[subprocess.Popen] = []

    class Seen(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Seen)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"row {i} " + "x" * 100 for i in range(20_000)]}), path)
    records = read_path(path)
    next(records)
    started[0].kill()
    good, [bad] = split(records)
    assert isinstance(bad, UnreadPart) and bad.origin == f"a.parquet#{len(good) + 1}"
    assert bad.reason.endswith("decoding it died of SIGKILL")

    records = read_path(path)
    next(records)
    records.close()
    assert started[1].returncode is not None


def test_sources_of_a_column_are_found_within_the_limits_and_whatever_their_type(tmp_path):
    table = {"text": ["a", "b", "c"], "number": [2, 1, 2], "domain": ["law", None, "news"]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")

    def names(column, file="a.parquet"):
        source = {"kind": "files", "path": str(tmp_path / file), "split_by": column}
        listed = list_sources(Pool(name="p", sources=[source]), Path)
        return sorted(listed.sources) or str(listed.not_read[0])

    assert names("number") == ["1", "2"]
    assert names("domain") == ["law", "news"]
    assert "no column 'region'; it has text, number, domain" in names("region")
    bombs.lying_dictionary(tmp_path / "b.parquet")
    # What is behind the part that does not fit is found, and that part is named.
    assert names("text", "b.parquet") == sorted(name.replace(" ", "%20") for name in bombs.GOOD)
    source = {"kind": "files", "path": str(tmp_path / "b.parquet"), "split_by": "text"}
    [part] = list_sources(Pool(name="p", sources=[source]), Path).not_read
    assert "do not fit into the memory that reading may take" in part.reason


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_reasons_give_their_count_and_first_origins(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    texts = ["good", *[None] * 5]
    if suffix == ".parquet":
        pq.write_table(pa.table({"text": texts}), path)
    else:
        path.write_bytes(b"".join(map(row, texts)))
    [reason] = ingested(read_path(path), source="s").faults.reasons
    assert (reason.kind, reason.count, len(reason.first)) == ("missing text column", 5, 3)
    assert reason.first[0].origin in ("a.jsonl:2", "a.parquet#1")
    assert "column 'text' is null" in str(reason)
