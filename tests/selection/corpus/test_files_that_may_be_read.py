"""Links that escape, pipes, and files that change under the reader."""

import os
from pathlib import Path

from bad_files import incompressible_rows, row, sha, split

from selection.corpus.readers import read_path
from selection.corpus.records import Record, UnreadPart
from selection.corpus.streams import open_regular, read_blocks


def test_links_that_escape_pipes_and_unknown_files_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.write_bytes(row("secret"))
    folder = tmp_path / "drop"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "good.jsonl").write_bytes(row("good"))
    (folder / "a.jsonl").symlink_to(outside)
    (folder / "b.jsonl").symlink_to("b.jsonl")
    (folder / "c.jsonl").symlink_to("nowhere.jsonl")
    (folder / "d").symlink_to(tmp_path)
    os.mkfifo(folder / "e.jsonl")
    (folder / "f.doc").touch()
    (folder / "g.jsonl").symlink_to("inner/good.jsonl")
    (folder / ".hidden.jsonl").write_bytes(row("hidden"))
    (folder / "README.md").write_text("What this folder is.")
    good, bad = split(read_path(folder))
    assert [record.origin for record in good] == ["g.jsonl:1", "inner/good.jsonl:1"]
    assert [(record.origin, record.kind) for record in bad] == [
        ("a.jsonl:0", "symlink leaves the folder"),
        ("b.jsonl:0", "symlink loop"),
        ("c.jsonl:0", "cannot be opened"),
        ("d:0", "symlink to a folder"),
        ("e.jsonl:0", "not a regular file"),
        ("f.doc:0", "unknown format"),
    ]
    assert bad[0].raw_sha256 == sha(os.fsencode(outside))
    assert all(isinstance(record, UnreadPart) for record in bad)


def test_a_single_file_or_folder_may_not_leave_the_given_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jsonl").write_bytes(row("secret"))
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "file.jsonl").symlink_to(tmp_path / "real" / "a.jsonl")
    (drop / "folder").symlink_to(tmp_path / "real")
    for name in ("file.jsonl", "folder"):
        good, bad = split(read_path(drop / name, root=drop))
        assert (good, [record.reason for record in bad]) == ([], ["symlink leaves the folder"])
    # A folder that a person names is followed; a file by default stays beside its own name.
    assert len(split(read_path(drop / "folder"))[0]) == 1
    assert split(read_path(drop / "file.jsonl"))[0] == []


def test_only_the_bytes_present_at_opening_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(row("present"))
    with open_regular(path, tmp_path) as file:
        blocks = read_blocks(file, block=4)
        first = next(blocks)
        with path.open("ab") as writer:
            writer.write(row("appended"))
        assert first + b"".join(blocks) == row("present")


def test_a_file_that_grows_under_the_reader_gives_only_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(incompressible_rows(40_000))  # several blocks
    records = read_path(path)
    first = next(records)
    with path.open("ab") as writer:
        writer.write(row("appended"))
    good, bad = split(records)
    assert (isinstance(first, Record), len(good), bad) == (True, 39_999, [])


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(incompressible_rows(40_000))  # several blocks
    records = read_path(path)
    next(records)
    os.truncate(path, 8)
    good, bad = split(records)
    assert [record.kind for record in bad] == ["file shrank while it was read"]
    assert bad[0].origin == f"rows.jsonl:{len(good) + 2}"
