"""Which files of a folder has `save_to_disk` of `datasets` written, and which hold rows of a split?

A data set is a folder with its Arrow files and two notes: what it is, and which of the files are
its rows. Others lie there too, the caches of `map` among them. A `DatasetDict` is a folder of such
folders, one a split, with a note of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selection.basics.brevity import some_of
from selection.basics.json_depth import depth_exceeds
from selection.corpus.folders import walk
from selection.corpus.limits import MAX_JSON_DEPTH, MAX_NOTE_BYTES
from selection.corpus.not_read import CannotBeRead
from selection.corpus.streams import FileRefused, open_regular

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"

TRAIN = "train"
"""The split that is read where none is named: rows of a test are for no training."""


class NoSavedSet(ValueError):
    """Why a note cannot be followed."""


@dataclass
class SavedSets:
    """The data sets that were saved in a folder, or below it.

    Attributes
    ----------
    passed_over : what of them holds no row that is asked for: notes, caches, other splits.
    faults : a file of theirs -> why what it stands for cannot be read.
    has_splits : whether a `DatasetDict` is among them.
    """

    passed_over: set[Path] = field(default_factory=set)
    faults: dict[Path, str] = field(default_factory=dict)
    has_splits: bool = False

    @classmethod
    def find(cls, paths: Collection[Path], root: Path, split: str | None) -> SavedSets:
        """Look for them among files.

        Parameters
        ----------
        root : a resolved folder that no link may leave.
        split : of a `DatasetDict`; `TRAIN`, or its only one, when None.
        """
        found, names = cls(), dict[Path, set[str]]()
        for path in paths:
            names.setdefault(path.parent, set()).add(path.name)
        saved = {folder for folder, there in names.items() if {STATE, INFO} <= there}
        others: set[Path] = set()
        for folder in sorted(folder for folder, there in names.items() if SPLITS in there):
            note = folder / SPLITS
            found.has_splits = True
            found.passed_over.add(note)
            splits = {one for one in saved if one.parent == folder}
            try:
                named = _splits(note, root)
                splits |= {folder / name for name in named}
                chosen = folder / _chosen(named, split)
                if chosen not in saved:
                    raise NoSavedSet(f"no split: the folder of {chosen.name!r} has no data set")
                splits.discard(chosen)
            except (NoSavedSet, FileRefused) as error:
                found.faults[note] = str(error)
            others |= splits
        for folder in sorted(saved):
            if folder not in others:
                found._see(folder, names[folder], root)
        found.passed_over |= {path for path in paths if path.parent in others}
        return found

    def _see(self, folder: Path, there: set[str], root: Path) -> None:
        self.passed_over |= {folder / STATE, folder / INFO}
        arrow = {name for name in there if name.lower().endswith(".arrow")}
        wanted: set[str] = set()
        try:
            wanted = set(_row_files(folder / STATE, root))
        except (NoSavedSet, FileRefused) as error:
            self.faults[folder / STATE] = str(error)
        self.passed_over |= {folder / name for name in arrow - wanted}
        for name in sorted(wanted - there):
            self.faults[folder / name] = "missing file: the data set's `state.json` names it"


def other_splits(folder: Path, read: Collection[str | None]) -> Iterator[tuple[Path, str]]:
    """Splits beside those that are read, of every `DatasetDict` saved in a folder or below it.

    Parameters
    ----------
    read : as `SavedSets.find` takes a split.
    """
    try:
        notes = [path for path in walk(folder, markers=False) if path.name == SPLITS]
    except (CannotBeRead, OSError):
        return  # who reads the folder says what is wrong; so with the notes below
    for note in notes:
        try:
            splits = _splits(note, folder.resolve())
            chosen = {_chosen(splits, split) for split in read}
        except (NoSavedSet, FileRefused):
            continue
        yield from ((note.parent, split) for split in splits if split not in chosen)


def _chosen(splits: list[str], asked: str | None) -> str:
    there = ", ".join(some_of(splits)) or "none"
    if asked is not None:
        if asked not in splits:
            raise NoSavedSet(f"no split: there is no {asked!r}; it has {there}")
        return asked
    if TRAIN in splits or len(splits) == 1:
        return TRAIN if TRAIN in splits else splits[0]
    raise NoSavedSet(f"no split: none is called {TRAIN!r}; name one with `split`: it has {there}")


def _splits(note: Path, root: Path) -> list[str]:
    splits = _note(note, root).get("splits")
    if not isinstance(splits, list) or not all(map(_is_name, splits)):
        raise NoSavedSet(f"no split: `{SPLITS}` has no list of names under 'splits'")
    return splits


def _row_files(note: Path, root: Path) -> Iterator[str]:
    said = _note(note, root)
    if said.get("_indices_data_files"):
        raise NoSavedSet(
            "no data set: it was saved with an index of its rows; load it with `datasets` and save"
            " it again"
        )
    files = said.get("_data_files")
    for file in files if isinstance(files, list) else [None]:
        name = file.get("filename") if isinstance(file, Mapping) else None
        if not _is_name(name):
            raise NoSavedSet(f"no data set: `{STATE}` names no files beside it in '_data_files'")
        yield str(name)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not {"/", "\0"} & set(value)


def _note(path: Path, root: Path) -> Mapping[str, object]:
    with open_regular(path, root) as file:
        raw = file.read(MAX_NOTE_BYTES + 1)
    if len(raw) > MAX_NOTE_BYTES or depth_exceeds(raw, MAX_JSON_DEPTH):
        raise NoSavedSet(f"no data set: `{path.name}` is too large or too deep")
    try:
        said = json.loads(raw)
    except ValueError as error:
        raise NoSavedSet(f"no data set: `{path.name}` is no JSON") from error
    if not isinstance(said, dict):
        raise NoSavedSet(f"no data set: `{path.name}` holds no object")
    return said
