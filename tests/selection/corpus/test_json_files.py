"""A `.json` file is one array or lines, and is read piece by piece."""

import bz2
import gzip
import json
import lzma
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from bad_files import split
from hypothesis import given
from hypothesis import strategies as st

from selection.corpus.json_array import split_json
from selection.corpus.readers import read_path
from selection.corpus.records import UnreadPart
from selection.corpus.streams import BOM, StreamDamaged

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def in_blocks(raw: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *cuts, len(raw)]
    return [raw[a:b] for a, b in pairwise(edges) if a < b]


@given(
    st.lists(values, max_size=5),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from([b"", b" \n", BOM]),
    st.data(),
)
def test_an_array_is_its_elements_wherever_the_blocks_end(found, indent, ascii_only, before, data):
    raw = before + json.dumps(found, indent=indent, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )
    start = len(before) if before == BOM else 0
    places = st.lists(st.integers(start, len(raw)), max_size=8).map(sorted)
    lines = list(split_json(iter(in_blocks(raw, data.draw(places))), max_bytes=10_000))
    assert [line.number for line in lines] == list(range(1, len(found) + 1))
    decoded = [json.loads(line.raw.decode("utf-8", "surrogatepass")) for line in lines]
    assert decoded == found


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), min_size=1, max_size=4), st.data())
def test_an_array_that_ends_early_gives_whole_elements_and_says_so(found, data):
    raw = json.dumps(found).encode()
    cut = data.draw(st.integers(1, len(raw) - 1))
    lines = split_json(iter([raw[:cut]]), max_bytes=10_000)
    whole = []
    with pytest.raises(StreamDamaged, match="truncated JSON array") as damage:
        whole.extend(lines)  # pyright: ignore
        whole += list(lines)
    assert damage.value.line <= len(found) + 1


def test_an_array_and_lines_of_the_same_rows_are_the_same_rows(tmp_path: Path):
    rows = [{"text": f'row "{i}" [of, {{brackets}}] \\'} for i in range(30)]
    (tmp_path / "array.json").write_text(json.dumps(rows, indent=2))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, rows)))
    array, lines = (split(read_path(tmp_path / f"{name}.json")) for name in ("array", "lines"))
    assert [r.text for r in array[0]] == [r.text for r in lines[0]] == [r["text"] for r in rows]
    assert array[1] == lines[1] == []
    assert array[0][2].origin == "array.json:3"


def test_one_bad_element_costs_itself_and_a_large_one_is_not_held(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_bytes(
        b'[{"text": "one"}, 7, {"text": oops}, {"text": "%s"}, {"text": "two"}]' % (b"x" * 500)
    )
    good, bad = split(read_path(path, max_bytes_per_row=200))
    assert [r.text for r in good] == ["one", "two"]
    assert [(r.origin, r.kind) for r in bad] == [
        ("rows.json:2", "wrong type"),
        ("rows.json:3", "not JSON"),
        ("rows.json:4", "row too large"),
    ]


def test_bytes_after_an_array_are_not_passed_over(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_bytes(b'[{"text": "one"}] \n {"text": "two"}')
    good, bad = split(read_path(path))
    assert [r.text for r in good] == ["one"]
    assert [r.reason for r in bad] == ["bytes after the end of the JSON array"]


PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
PACK[".zst"] = zstandard.compress
CONTENT = {
    ".jsonl": b'{"text": "one row"}\n',
    ".ndjson": b'{"text": "one row"}\n',
    ".json": b'[{"text": "one row"}]',
    ".csv": b"text\none row\n",
    ".tsv": b"text\tlabel\none row\t3\n",
    ".txt": b"one row\n",
}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("ending", CONTENT)
def test_every_ending_is_read_packed_or_not_in_letters_of_any_size(tmp_path, ending, packing):
    name = f"rows{ending}{packing}"
    for spelt in (name, name.upper()):
        (tmp_path / spelt).write_bytes(PACK[packing](CONTENT[ending]))
        good, bad = split(read_path(tmp_path / spelt))
        assert ([record.text for record in good], bad) == (["one row"], [])


@pytest.mark.parametrize("packing", [".bz2", ".xz"])
def test_a_packed_file_that_is_cut_or_damaged_is_noticed(tmp_path, packing):
    lines = b"".join(b'{"text": "row %d"}\n' % i for i in range(3000))
    packed = PACK[packing](lines)
    path = tmp_path / f"rows.jsonl{packing}"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    assert split(read_path(path))[1][-1].kind == f"truncated {packing[1:]} stream"
    path.write_bytes(packed[:60] + bytes([packed[60] ^ 0xFF]) + packed[61:])
    assert split(read_path(path))[1][-1].kind == f"corrupt {packing[1:]} stream"
    path.write_bytes(packed + packed)
    assert len(split(read_path(path))[0]) == 6000


def test_an_element_that_is_missing_is_a_bad_row(tmp_path):
    (tmp_path / "a.json").write_text('[{"text": "one"},, {"text": "two"} ,\n ,]')
    good, bad = split(read_path(tmp_path / "a.json"))
    assert [record.origin for record in good] == ["a.json:1", "a.json:3"]
    assert [record.origin for record in bad] == ["a.json:2", "a.json:4"]
    assert {record.kind for record in bad} == {"not JSON"}


@pytest.mark.parametrize("more", [",", "\x1a"])
def test_more_than_an_object_on_the_last_line_is_no_cut(tmp_path, more):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b"}' + more)
    [bad] = split(read_path(tmp_path / "a.jsonl"))[1]
    assert not isinstance(bad, UnreadPart)
    assert "a row is one object on one line" in bad.reason
