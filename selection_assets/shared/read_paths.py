"""Which files and folders do pools and studies read?"""

from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from resources.paths import resolve
from selection.config.pool import (
    DocstringSources,
    DropFolder,
    FileSources,
    HubSource,
    RemoteSource,
    SourceSpec,
)
from selection.config.study import Study
from selection.config.targets import DocstringTarget, FileTarget, Target
from selection_assets.studies import load_pools, load_studies


def data_paths(study: Study) -> list[Path]:
    """Files and folders that a study, its contrast and its pool read."""
    parts = [*load_pools()[study.pool].sources, study.target]
    if study.contrast is not None:
        parts.append(study.contrast)
    return [path for part in parts for path in _paths_of(part)]


def all_data_paths() -> Iterator[tuple[Path, str]]:
    """Those of every pool and study of the project, with who reads them."""
    for pool in load_pools().values():
        for part in pool.sources:
            yield from ((path, f"the pool {pool.name}") for path in _paths_of(part))
    for study in load_studies().values():
        for part in filter(None, (study.target, study.contrast)):
            yield from ((path, f"the study {study.name}") for path in _paths_of(part))


def _paths_of(part: SourceSpec | Target) -> list[Path]:
    match part:
        case FileSources() | DropFolder() | FileTarget():
            return [resolve(part.path)]
        case DocstringSources() | HubSource() | RemoteSource() | DocstringTarget():
            return []
        case _:
            assert_never(part)
