"""Which sources does a pool have, how is each read, has it changed, and what is not read?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from operator import call
from pathlib import Path
from typing import assert_never

from selection.basics.brevity import some_of
from selection.basics.file_names import printable_name
from selection.config.files import Resolve
from selection.config.pool import (
    DocstringSources,
    DropFolder,
    FileSources,
    HubSource,
    Pool,
    RemoteSource,
    SourceSpec,
)
from selection.corpus.docstrings import package_files, read_docstrings
from selection.corpus.drop_folder import look_at
from selection.corpus.dropped_sources import dropped_sources
from selection.corpus.folders import configured_fingerprint, fingerprint
from selection.corpus.hub import read_hub
from selection.corpus.looked_at import looking_at
from selection.corpus.naming import partition_name
from selection.corpus.not_read import CannotBeRead, NotRead
from selection.corpus.readers import read_path
from selection.corpus.remote_files import fingerprint_of, read_remote
from selection.corpus.saved_sets import other_splits
from selection.corpus.source import Source
from selection.corpus.split_sources import split_values


@dataclass(frozen=True)
class Listing:
    """What a pool is made of at one moment.

    Attributes
    ----------
    sources : those that can be read, by partition.
    fingerprints : of these.
    not_read : everything else that lies where sources are.
    """

    sources: Mapping[str, Source]
    fingerprints: Mapping[str, str]
    not_read: tuple[NotRead, ...]


def list_sources(pool: Pool, resolve: Resolve) -> Listing:
    """Look at everything that a pool is made of; what cannot be read stops nothing else.

    Parameters
    ----------
    resolve : turns a path of the configuration into an absolute one.
    """
    named, not_read = _named(pool, resolve)
    sources: dict[str, Source] = {}
    fingerprints: dict[str, str] = {}
    look = cache(call)  # thousands of sources may share the files that they are read from
    for name, source in named.items():
        try:
            fingerprints[name] = look(source.fingerprint)
        except CannotBeRead as problem:
            not_read.append(problem.of(source.what, name))
        else:
            sources[name] = source
    return Listing(sources, fingerprints, tuple(not_read))


def find_source(pool: Pool, resolve: Resolve, name: str) -> Source:
    """Return one source; of the others only the names are looked at.

    Parameters
    ----------
    name : its partition.

    Raises
    ------
    CannotBeRead
        When there is none, or it shares its name.
    """
    named, _ = _named(pool, resolve, only=name)
    if name in named:
        return named[name]
    _, not_read = _named(pool, resolve)
    for other in not_read:
        if other.name == name:
            raise CannotBeRead(f"{other.what}: {other.reason}", other.remedy, other.state)
    said = f"pool {pool.name} has no source {name!r}"
    if not_read:
        others = [f"{other.what}: {other.reason}" for other in not_read]
        said += f"; not read, and perhaps what had it: {'; '.join(some_of(others))}"
    raise CannotBeRead(said, "bring it back, if it is wanted")


def _named(
    pool: Pool, resolve: Resolve, *, only: str | None = None
) -> tuple[dict[str, Source], list[NotRead]]:
    """Sources by partition; apart from them what cannot be one, or would share one.

    Parameters
    ----------
    only : the partition that is asked for: of a folder of thousands the others are passed over.
    """
    found: dict[str, list[Source]] = {}
    not_read: list[NotRead] = []
    for spec in pool.sources:
        for source in _expand(spec, resolve, only):
            if isinstance(source, NotRead):
                not_read.append(source)
                continue
            source = replace(source, read=looking_at(source.read, pool.look_at))
            try:
                found.setdefault(partition_name(source.name), []).append(source)
            except CannotBeRead as problem:
                not_read.append(problem.of(source.what))
    for name, sources in found.items():
        if len(sources) > 1:
            shared = some_of([source.what for source in sources])
            reason = f"two sources are named {name!r}: {', '.join(shared)}"
            remedy = "rename one of them"
            not_read += [NotRead(s.what, reason, remedy, name=name) for s in sources]
    if only is None:
        not_read += _splits_left(one for sources in found.values() for one in sources)
    return {name: one for name, [one, *others] in found.items() if not others}, not_read


def _splits_left(sources: Iterable[Source]) -> Iterator[NotRead]:
    """Splits of saved data sets that no source reads: those of a test are for no training."""
    read: dict[Path, set[str | None]] = {}
    for source in sources:
        if source.place is not None:
            read.setdefault(source.place, set()).add(source.split)
    for folder, splits in read.items():
        for saved, other in other_splits(folder, splits):
            yield NotRead(
                f"{printable_name(str(saved))}, split {printable_name(other)}",
                "a split of a saved data set that no source names",
                "if its rows are for training, add a source of kind `files` with its `path`, a"
                " `name` and this `split`",
                "ignored",
            )


def _expand(spec: SourceSpec, resolve: Resolve, only: str | None) -> Iterator[Source | NotRead]:
    match spec:
        case DocstringSources():
            for package in spec.packages:
                read = partial(
                    read_docstrings, package, min_words=spec.min_words, max_words=spec.max_words
                )
                yield Source(package, package, read, partial(_look_at_package, package))
        case HubSource():
            read = partial(
                read_hub,
                spec.dataset,
                revision=spec.revision,
                split=spec.split,
                config=spec.config,
                columns=spec.columns,
                originals=True,
            )
            yield Source(spec.name, spec.name, read, partial(str, spec.revision))
        case RemoteSource():
            read = partial(read_remote, spec.address, columns=spec.columns)
            yield Source(spec.address, spec.name, read, partial(fingerprint_of, spec.address))
        case DropFolder():
            yield from dropped_sources(spec, resolve, only)
        case FileSources():
            yield from _files(spec, resolve(spec.path), partial(_look_at_path, spec.path, resolve))
        case _:
            assert_never(spec)


def _files(spec: FileSources, path: Path, look: Callable[[], str]) -> Iterator[Source | NotRead]:
    what, columns = printable_name(str(path)), spec.columns
    if spec.name is not None:
        read = partial(read_path, path, columns=columns, split=spec.split, originals=True)
        shown = what if spec.split is None else f"{what}, split {printable_name(spec.split)}"
        yield Source(shown, spec.name, read, look, by_file=True, place=path, split=spec.split)
        return
    assert spec.split_by is not None
    try:
        look()
        found = split_values(path, spec.split_by)
    except CannotBeRead as problem:
        yield problem.of(what)
        return
    except OSError as error:
        yield _unseen(error).of(what)
        return
    yield from found.not_read
    for value in found.values:
        where = {spec.split_by: value}
        read = partial(read_path, path, columns=columns, where=where, originals=True)
        shown = printable_name(value) or "''"
        yield Source(f"{what}, {spec.split_by} {shown}", value, read, look, by_file=True)


def _look_at_path(path: str, resolve: Resolve) -> str:
    """Fingerprint of a file or folder that the pool's file names."""
    try:
        real = resolve(path)
        if not real.exists():
            raise CannotBeRead("no such file or folder", "correct `path` or bring the data")
        look_at(real)
        return configured_fingerprint(path, resolve)
    except OSError as error:
        raise _unseen(error) from error


def _unseen(error: OSError) -> CannotBeRead:
    said = f"it cannot be looked at: {error.strerror}"
    return CannotBeRead(said, "correct `path`, or make it readable")


def package_fingerprint(package: str) -> str:
    """Hash of the names, sizes and modification times of an installed package's modules."""
    files = package_files(package)
    return fingerprint(files, files[0].parent)


def _look_at_package(package: str) -> str:
    try:
        return package_fingerprint(package)
    except (ValueError, OSError) as error:
        raise CannotBeRead(str(error), "install it, or correct `packages`") from error
