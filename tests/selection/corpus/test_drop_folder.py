"""What lies in a drop folder is a source, or is listed with what to do about it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_files import split
from odd_files import LINE, NOT_READ, READ, not_read, write_read

from selection.basics.file_names import printable_name
from selection.config.pool import Pool
from selection.corpus.not_read import CannotBeRead, not_read_text
from selection.corpus.sources import Listing, find_source, list_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "drop"
    made.mkdir()
    return made


def pool(*, settle: float = 0) -> Pool:
    source = {"kind": "drop_folder", "path": "drop", "settle_seconds": settle}
    return Pool.model_validate({"name": "pool", "sources": [source]})


def listed(folder: Path, *, settle: float = 0) -> Listing:
    return list_sources(pool(settle=settle), folder.parent.joinpath)


@pytest.fixture
def full(folder: Path) -> Iterator[Path]:
    """A folder with one of every kind."""
    write_read(folder)
    with not_read(folder):
        yield folder


def test_everything_in_a_folder_is_a_source_or_listed_with_its_reason(full, figures):
    found = listed(full)
    assert sorted(found.sources) == sorted(READ.values())
    reasons = {one.what: str(one) for one in found.not_read}
    assert "2 files" in reasons.pop("hidden files and markers")
    assert sorted(reasons) == sorted(printable_name(name) for name in NOT_READ)
    for name, said in NOT_READ.items():
        assert said in reasons[printable_name(name)]
    text = not_read_text(found.not_read)
    assert all(line.isprintable() for line in text.splitlines())
    figures.record("P13", names_tried=len(READ) + len(NOT_READ), files_refused=len(NOT_READ))


def test_every_source_of_a_folder_gives_its_rows(full):
    for name, source in listed(full).sources.items():
        good, bad = split(source.read())
        assert (len(good), bad) == (2 if name == "array" else 1, []), name


def test_a_file_that_this_user_may_not_read_is_listed(folder):
    (folder / "mine.jsonl").write_bytes(LINE)
    (folder / "mine.jsonl").chmod(0)
    (folder / "open.jsonl").write_bytes(LINE)
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed").chmod(0)
    found = _as_nobody(folder)
    assert list(found.sources) == ["open"]
    reasons = {one.what: one.reason for one in found.not_read}
    assert reasons["mine.jsonl"] == "this user may not read it"
    assert "Permission denied" in reasons["closed"]


def _as_nobody(folder: Path) -> Listing:
    """Root may read everything, so be somebody else for a moment."""
    opened = [place for place in folder.parents if place != Path("/")][:-1]
    modes = {place: place.stat().st_mode for place in opened}
    before = os.geteuid()
    if before == 0:
        for place in opened:
            place.chmod(0o755)
        os.seteuid(65534)
    try:
        return listed(folder)
    finally:
        os.seteuid(before)
        for place, mode in modes.items():
            place.chmod(mode)


def test_a_file_that_has_just_vanished_stops_no_other(folder):
    for name in ("stays.jsonl", "goes.jsonl"):
        (folder / name).write_bytes(LINE)
    source = find_source(pool(), folder.parent.joinpath, "goes")
    (folder / "goes.jsonl").unlink()
    with pytest.raises(CannotBeRead, match="it has just vanished"):
        source.fingerprint()
    with pytest.raises(CannotBeRead, match="pool pool has no source 'goes'"):
        find_source(pool(), folder.parent.joinpath, "goes")
    assert list(listed(folder).sources) == ["stays"]


def test_a_file_is_a_source_once_nothing_of_it_has_changed_for_the_settling_time(folder):
    path = folder / "young.jsonl"
    path.write_bytes(LINE)
    os.utime(path, (1, 1))  # as a copy that keeps its date does: the file is young all the same
    found = listed(folder, settle=60)
    assert not found.sources
    [one] = found.not_read
    assert (one.state, one.name) == ("waiting", "young")
    assert "still being written: it changed in the last 60 s" in str(one)
    time.sleep(0.3)
    assert list(listed(folder, settle=0.2).sources) == ["young"]
    with path.open("ab") as file:
        file.write(LINE)
    assert not listed(folder, settle=0.2).sources


def test_a_date_in_the_future_neither_hides_a_file_for_ever_nor_makes_it_old(folder):
    path = folder / "future.jsonl"
    path.write_bytes(LINE)
    tomorrow = time.time() + 86_400
    os.utime(path, (tomorrow, tomorrow))
    assert not listed(folder, settle=60).sources
    time.sleep(0.3)
    assert list(listed(folder, settle=0.2).sources) == ["future"]


def test_a_file_of_a_folder_that_is_being_written_makes_the_whole_source_wait(folder):
    (folder / "parts").mkdir()
    (folder / "parts/1.jsonl").write_bytes(LINE)
    time.sleep(0.3)
    assert list(listed(folder, settle=0.2).sources) == ["parts"]
    (folder / "parts/.2.jsonl.part").write_bytes(LINE)  # hidden, so no part of it yet
    assert list(listed(folder, settle=0.2).sources) == ["parts"]
    (folder / "parts/2.jsonl").write_bytes(LINE)
    assert [one.state for one in listed(folder, settle=0.2).not_read] == ["waiting"]


@pytest.mark.parametrize("place", ["link.jsonl", "parts/link.jsonl"])
def test_a_link_s_target_is_part_of_the_fingerprint(folder, place):
    (folder / ".kept").mkdir()
    for name in ("one", "two"):
        (folder / f".kept/{name}.jsonl").write_bytes(LINE)
        os.utime(folder / f".kept/{name}.jsonl", (1, 1))
    link = folder / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(folder / ".kept/one.jsonl")
    seen = [listed(folder).fingerprints]
    # the same size and time, but another file
    link.unlink()
    link.symlink_to(folder / ".kept/two.jsonl")
    seen.append(listed(folder).fingerprints)
    # the same link, but another content
    (folder / ".kept/two.jsonl").write_bytes(LINE * 2)
    seen.append(listed(folder).fingerprints)
    assert len({str(one) for one in seen}) == 3
    assert listed(folder).fingerprints == seen[-1]


def test_a_named_path_that_leads_through_a_link_is_another_source_when_the_link_is_turned(tmp_path):
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "rows.jsonl").write_bytes(LINE)
        os.utime(tmp_path / version / "rows.jsonl", (1, 1))
    source = {"kind": "files", "path": "now/rows.jsonl", "name": "rows"}
    named = Pool.model_validate({"name": "named", "sources": [source]})
    seen = []
    for version in ("v1", "v2"):
        (tmp_path / "now").unlink(missing_ok=True)
        (tmp_path / "now").symlink_to(version)
        found = list_sources(named, lambda path: (tmp_path / path).resolve())
        seen.append(found.fingerprints["rows"])
    assert seen[0] != seen[1]


def test_a_source_that_is_wrong_in_the_pool_s_file_stops_no_other(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and no more")
    sources = [
        {"kind": "docstrings", "packages": ["nobody_wrote_this", "http"]},
        {"kind": "docstrings", "packages": ["http", "json"]},
        {"kind": "files", "path": "absent.jsonl", "name": "absent"},
        {"kind": "files", "path": "rows.parquet", "split_by": "domain"},
        {"kind": "drop_folder", "path": "nowhere"},
    ]
    mixed = Pool.model_validate({"name": "mixed", "sources": sources})
    found = list_sources(mixed, tmp_path.joinpath)
    assert list(found.sources) == ["json"]
    text = not_read_text(found.not_read)
    for said in (
        "nobody_wrote_this: package 'nobody_wrote_this' is not installed",
        "two sources are named 'http'",
        "absent.jsonl: no such file or folder",
        "rows.parquet: ",
        "nowhere: the folder cannot be listed: No such file or directory",
    ):
        assert said in text


def test_of_many_files_of_one_name_each_message_lists_some(tmp_path):
    for i in range(60):
        (tmp_path / f"a.{i}.jsonl").write_bytes(LINE)
    folder = {"kind": "drop_folder", "path": str(tmp_path), "settle_seconds": 0}
    found = list_sources(Pool.model_validate({"name": "p", "sources": [folder]}), Path)
    assert len(found.not_read) == 60
    assert all(one.reason.endswith("jsonl, and 40 more") for one in found.not_read)


def test_a_path_that_is_longer_than_the_system_takes_stops_no_other_source(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(LINE)
    sources = [
        {"kind": "files", "path": "x" * 300, "name": "long"},
        {"kind": "files", "path": "y" * 300, "split_by": "domain"},
        {"kind": "drop_folder", "path": "z" * 300},
        {"kind": "files", "path": "rows.jsonl", "name": "rows"},
    ]
    mixed = Pool.model_validate({"name": "mixed", "sources": sources})
    found = list_sources(mixed, tmp_path.joinpath)
    assert list(found.sources) == ["rows"]
    assert len(found.not_read) == 3
    assert all("File name too long; " in str(one) for one in found.not_read)
    assert all("`path`" in one.remedy for one in found.not_read)


def test_values_of_a_column_are_sources_whatever_they_are(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    domains = ["law", "law & order", "../secret", "all", "caf\u00e9"]
    pq.write_table(pa.table({"text": domains, "domain": domains}), tmp_path / "rows.parquet")
    source = {"kind": "files", "path": "rows.parquet", "split_by": "domain"}
    by_domain = Pool.model_validate({"name": "p", "sources": [source]})
    found = list_sources(by_domain, tmp_path.joinpath).sources
    assert sorted(found) == ["%2E.%2Fsecret", "%61ll", "caf%C3%A9", "law", "law%20%26%20order"]
    assert [r.text for r in split(found["%61ll"].read())[0]] == ["all"]
