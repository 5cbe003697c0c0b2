"""Files of a drop folder are a source each, or one together, as its pool asks."""

from pathlib import Path

import pytest
from bad_files import split
from odd_files import LINE

from selection.config.pool import Pool
from selection.corpus.not_read import CannotBeRead
from selection.corpus.sources import Listing, find_source, list_sources

FILES = ("b.jsonl", "a.jsonl", "deep/c.jsonl", "deep/deeper/d.jsonl", "other/e.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "drop"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(LINE)
    return made


def pool(per: str, settle: float = 0) -> Pool:
    source = {"kind": "drop_folder", "path": "drop", "settle_seconds": settle}
    return Pool.model_validate({"name": "pool", "sources": [source | {"one_source_per": per}]})


def listed(folder: Path, per: str, settle: float = 0) -> Listing:
    return list_sources(pool(per, settle), folder.parent.joinpath)


def origins(folder: Path, per: str) -> dict[str, list[str]]:
    found = {}
    for name in listed(folder, per).sources:
        good, bad = split(find_source(pool(per), folder.parent.joinpath, name).read())
        assert not bad
        found[name] = [record.origin for record in good]
    return found


def test_files_are_sources_together_as_asked(folder):
    assert origins(folder, "file") == {
        "a": ["a.jsonl:1"],
        "b": ["b.jsonl:1"],
        "deep": ["c.jsonl:1", "deeper/d.jsonl:1"],
        "other": ["e.jsonl:1"],
    }
    assert origins(folder, "folder") == {
        "drop": ["a.jsonl:1", "b.jsonl:1"],
        "deep": ["c.jsonl:1", "deeper/d.jsonl:1"],
        "other": ["e.jsonl:1"],
    }
    assert origins(folder, "pool") == {"drop": [f"{name}:1" for name in sorted(FILES)]}


@pytest.mark.parametrize("per", ["folder", "pool"])
def test_a_change_of_one_file_is_one_of_all_that_are_with_it_and_of_no_other(folder, per):
    before = listed(folder, per).fingerprints
    (folder / "new.jsonl").write_bytes(LINE)
    after = listed(folder, per).fingerprints
    assert {name for name in before if before[name] != after[name]} == {"drop"}
    (folder / "deep/new.jsonl").write_bytes(LINE)
    last = listed(folder, per).fingerprints
    changed = {name for name in after if after[name] != last[name]}
    assert changed == ({"deep"} if per == "folder" else {"drop"})


@pytest.mark.parametrize("per", ["folder", "pool"])
def test_what_is_together_waits_for_the_last_of_it_to_be_still(folder, per):
    found = listed(folder, per, settle=3600)
    assert not found.sources
    assert {one.state for one in found.not_read} == {"waiting"}


def test_without_files_beside_them_folders_are_all_there_is(folder):
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).unlink()
    (folder / "notes.pdf").write_bytes(b"%PDF")
    found = listed(folder, "folder")
    assert sorted(found.sources) == ["deep", "other"]
    [left] = found.not_read
    assert (left.what, left.state) == ("notes.pdf", "ignored")


def test_a_file_of_another_format_is_said_where_all_are_read_together(folder):
    (folder / "notes.pdf").write_bytes(b"%PDF")
    for per in ("folder", "pool"):
        good, [bad] = split(find_source(pool(per), folder.parent.joinpath, "drop").read())
        assert good and bad.origin == "notes.pdf:0" and "unknown format" in bad.reason


def test_an_empty_folder_has_nothing_to_read_yet(tmp_path):
    (tmp_path / "drop").mkdir()
    found = listed(tmp_path / "drop", "pool")
    assert not found.sources
    [left] = found.not_read
    assert "without a file that is read" in left.reason
    with pytest.raises(CannotBeRead, match="without a file that is read"):
        find_source(pool("pool"), tmp_path.joinpath, "drop").fingerprint()


def test_a_folder_and_the_files_beside_it_cannot_have_one_name(folder):
    (folder / "drop").mkdir()
    (folder / "drop/f.jsonl").write_bytes(LINE)
    found = listed(folder, "folder")
    assert sorted(found.sources) == ["deep", "other"]
    assert {one.reason for one in found.not_read} == {"two sources are named 'drop': drop, drop"}
