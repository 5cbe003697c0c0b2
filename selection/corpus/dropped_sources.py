"""What lies in a drop folder becomes sources: a file each, a folder each, or one for all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from selection.basics.file_names import printable_name
from selection.config.files import Resolve
from selection.config.pool import DropFolder
from selection.corpus.drop_folder import list_folder, look_at, stem
from selection.corpus.folders import leads_through_links
from selection.corpus.naming import name_of
from selection.corpus.not_read import NotRead
from selection.corpus.readers import read_path
from selection.corpus.source import Source


def dropped_sources(
    spec: DropFolder, resolve: Resolve, only: str | None
) -> Iterator[Source | NotRead]:
    """Give what lies in a drop folder as sources, and what cannot be one.

    Parameters
    ----------
    only : the partition that is asked for: of a folder of thousands the others are passed over.
    """
    folder = resolve(spec.path)
    # As it is written: a link may lead to another folder tomorrow, and its rows are still these.
    together = Path(os.path.normpath(spec.path)).name or folder.name
    start = resolve(".") if leads_through_links(spec.path, resolve) else folder
    asked = None if only is None else name_of(only)
    if spec.one_source_per != "file" and asked == os.fsencode(together):
        asked = None  # of which there is a source if there is any file
    try:
        found = list(list_folder(folder, only=asked))
    except OSError as error:
        reason = f"the folder cannot be listed: {error.strerror}"
        yield NotRead(printable_name(str(folder)), reason, "bring it, or correct `path`")
        return

    def source(path: Path, name: str, *, deep: bool = True) -> Source:
        read = partial(
            read_path, path, columns=spec.columns, root=folder, originals=True, deep=deep
        )
        look = partial(
            look_at,
            path,
            folder=None if path == folder else folder,
            start=start,
            settle_seconds=spec.settle_seconds,
            deep=deep,
        )
        place = path if deep else None
        return Source(printable_name(path.name), name, read, look, by_file=True, place=place)

    if spec.one_source_per == "pool":
        yield source(folder, together)
        return
    paths = [path for path in found if isinstance(path, Path)]
    if spec.one_source_per == "folder":
        folders = [path for path in paths if path.is_dir()]
        yield from (source(path, path.name) for path in folders)
        if len(folders) < len(paths):  # with whatever lies beside them and cannot be read
            yield source(folder, together, deep=False)
            return
        paths = []
    yield from (one for one in found if isinstance(one, NotRead))
    yield from (source(path, stem(path)) for path in paths)
