"""Packed and Parquet files that are cut off or damaged cost the rows concerned, and no others."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from bad_files import incompressible_rows, row, sha, split

from selection.corpus.readers import read_path


def pack_gzip(raw: bytes) -> bytes:
    return gzip.compress(raw)


def pack_zstd(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw)


PACKINGS = [("rows.jsonl.gz", pack_gzip), ("rows.jsonl.zst", pack_zstd)]


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_packed_lines_are_read_over_several_members(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(b"\xef\xbb\xbf" + row("one") + b'{"text": ') + pack(b'"two"}\n'))
    good, bad = split(read_path(path))
    assert ([record.text for record in good], bad) == (["one", "two"], [])


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_a_truncated_stream_gives_its_good_rows_and_one_bad_record(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    raw = incompressible_rows(20_000)
    packed = pack(raw)
    path = tmp_path / name
    path.write_bytes(packed[: len(packed) // 2])
    good, bad = split(read_path(path))
    assert [record.kind for record in bad] == [f"truncated {name.split('.')[-1]} stream"]
    assert 8_000 < len(good) < 12_000
    assert [record.origin for record in good] == [f"{name}:{i + 1}" for i in range(len(good))]
    assert [record.text for record in good] == [
        json.loads(line)["text"] for line in raw.splitlines()[: len(good)]
    ]
    assert bad[0].origin == f"{name}:{len(good) + 1}"


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_a_short_truncated_file_still_gives_the_rows_before_the_cut(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(row("kept")) + pack(incompressible_rows(50))[:-3])
    good, bad = split(read_path(path))
    assert (good[0].text, len(bad)) == ("kept", 1)


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_a_flipped_byte_or_an_empty_packed_file_is_one_bad_record(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    packed = bytearray(pack(incompressible_rows(2_000)))
    packed[-2] ^= 0xFF  # in the checksum
    path.write_bytes(packed)
    assert split(read_path(path))[1][0].kind.startswith("corrupt")
    path.write_bytes(b"")
    good, bad = split(read_path(path))
    assert (good, len(bad)) == ([], 1)


def write_parquet(
    path: Path, table: dict[str, pa.Array | list[str]], row_group_size: int | None = None
) -> None:
    pq.write_table(pa.table(table), path, row_group_size, write_page_checksum=True)


def test_a_truncated_parquet_is_one_bad_record(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet(path, {"text": [f"row {i}" for i in range(1000)]})
    raw = path.read_bytes()[:-20]
    path.write_bytes(raw)
    good, bad = split(read_path(path))
    assert good == []
    assert [(record.kind, record.raw_sha256) for record in bad] == [
        ("unreadable Parquet", sha(raw))
    ]


def test_a_damaged_row_group_costs_only_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet(path, {"text": [f"row {i}" for i in range(300)]}, row_group_size=100)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    raw = bytearray(path.read_bytes())
    raw[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 0xFF
    path.write_bytes(raw)
    good, bad = split(read_path(path))
    assert [record.origin for record in good] == [
        f"rows.parquet#{i}" for i in range(300) if not 100 <= i < 200
    ]
    assert [record.origin for record in bad] == ["rows.parquet#100"]
    assert "rows 100 to 199" in bad[0].reason


def test_parquet_cells_are_judged_one_by_one(tmp_path: Path) -> None:
    cells = [b"good", b"caf\xe9", b"a\0b", b"  ", None]
    text = pa.Array.from_buffers(pa.string(), 5, pa.array(cells, pa.binary()).buffers())
    write_parquet(tmp_path / "a.parquet", {"text": text})
    write_parquet(tmp_path / "b.parquet", {"text": pa.array([1], pa.int64())})
    write_parquet(tmp_path / "c.parquet", {"text": pa.array([2**62], pa.timestamp("us"))})
    write_parquet(tmp_path / "d.parquet", {"body": ["no text here", "nor here"]})
    write_parquet(tmp_path / "e.parquet", {"text": pa.array([["a"]], pa.list_(pa.string()))})
    good, bad = split(read_path(tmp_path))
    assert [record.text for record in good] == ["good"]
    assert [(record.origin, record.kind) for record in bad] == [
        ("a.parquet#1", "invalid UTF-8"),
        ("a.parquet#2", "NUL character"),
        ("a.parquet#3", "empty text"),
        ("a.parquet#4", "missing text column"),
        ("b.parquet#0", "wrong type"),
        ("c.parquet#0", "wrong type"),
        ("d.parquet#0", "no known format"),
        ("d.parquet#1", "no known format"),
        ("e.parquet#0", "wrong type"),
    ]


def test_code_beside_the_data_is_not_run(tmp_path, monkeypatch):
    """The process that decodes is started in the folder in which a person works."""
    for module in ("resource", "json", "tempfile", "pyarrow"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('this has run')\n")
    pq.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "rows.parquet")
    monkeypatch.chdir(tmp_path)
    good, bad = split(read_path(tmp_path / "rows.parquet"))
    assert ([record.text for record in good], bad) == (["one", "two"], [])
