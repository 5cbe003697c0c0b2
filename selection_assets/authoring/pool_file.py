"""A pool of some files and folders: one that there is, or the file of a new one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selection.config.pool import Pool
from selection_assets.authoring.names import name_after, source_names, unlike
from selection_assets.authoring.roots import in_project
from selection_assets.authoring.yaml_file import commented


def pool_of(paths: Sequence[Path], known: Mapping[str, Pool], taken: Sequence[str]) -> Pool:
    """Return the pool whose sources are these paths, or one that is to be written.

    A file is a source; of a folder every file and sub-folder is one, and so is what comes later.

    Parameters
    ----------
    known : the project's pools, by name.
    taken : names that a new pool may not have.
    """
    wanted = Pool.model_validate({"name": "wanted", "sources": _sources(paths)})
    for pool in known.values():
        if pool.sources == wanted.sources:
            return pool
    name = unlike([*known, *taken], name_after(paths[0].name.split(".")[0] or paths[0].name))
    return wanted.model_copy(update={"name": name})


def pool_text(pool: Pool) -> str:
    """Lay a pool out as a file."""
    sources = [spec.model_dump(mode="json", exclude_defaults=True) for spec in pool.sources]
    return commented(
        [
            (
                "Rows that may be selected, for every study that names this pool.",
                {"name": pool.name},
            ),
            (
                "A file is one source; of a drop folder every file and sub-folder is one. Formats"
                " are found by looking; for other columns write, such as,"
                " `columns: {messages: turns, licence: terms}` (docs/files.md).",
                {"sources": sources},
            ),
            (
                "A source with a larger share of rows that cannot be used fails.",
                {"max_quarantined": pool.max_quarantined},
            ),
        ]
    )


def _sources(paths: Sequence[Path]) -> list[dict[str, Any]]:
    files = [path for path in paths if not path.is_dir()]
    names = dict(zip(files, source_names(files), strict=True))
    return [
        {"kind": "files", "path": in_project(path), "name": names[path]}
        if path in names
        else {"kind": "drop_folder", "path": in_project(path)}
        for path in paths
    ]
