"""Which paths may a project's configuration name?"""

import os
from collections.abc import Iterator
from pathlib import Path

from resources.project import project_file, project_root
from selection.config.files import ConfigurationError, Places, Resolve, load_yaml
from selection.config.project import ProjectFile


def resolve(path: str) -> Path:
    """A path of a configuration file; relative ones start at the project's folder.

    Links are followed first: what counts is where the data lie.

    Raises
    ------
    ConfigurationError
        When that is neither under the project nor under one of its `roots:`.
    """
    return _resolved(path, readable_roots())


def resolve_whole(path: str) -> Path:
    """The same for a folder that a library reads by itself, such as a model's.

    Raises
    ------
    ConfigurationError
        When it, or a link in it, leads to what the project does not name; when the system does not
        let anybody look there, as for a name that is too long.
    """
    roots = readable_roots()
    found = _resolved(path, roots)
    try:
        found.exists()
    except OSError as error:
        raise ConfigurationError(f"{path!r} cannot be looked at: {error.strerror}") from error
    for link in _links(found):
        _resolved(str(link), roots)
    return found


def _configured(look: Resolve) -> Resolve:
    """The same for a path that somebody wrote into a configuration."""

    def checked(path: str) -> Path:
        if "://" in path:
            raise ConfigurationError(
                f"{path!r} is an address, and here only this machine's files are read: rows of a"
                " pool may be a source of `kind: remote`, other data are to be fetched first, and a"
                " data set or model of the hub is named by its id"
            )
        if path.startswith("~"):
            raise ConfigurationError(f"{path!r}: `~` stands for no folder here; write the path out")
        found, store = look(path), (project_root() / "store").resolve()
        if found.is_relative_to(store) or store.is_relative_to(found):
            raise ConfigurationError(
                f"{path!r} is, holds or lies in {store}, where the program keeps its own work:"
                " name a folder beside it, and copy there what is needed of it"
            )
        return found

    return checked


PLACES = Places(path=_configured(resolve), folder=_configured(resolve_whole))
"""For whoever reads a configuration: each path of it is looked at when the file is read."""


def readable_roots() -> list[Path]:
    """The project's folder, and those outside it that it names: what lies in none is refused."""
    project = project_root()
    return [project, *((project / root).resolve() for root in project_settings().roots)]


def project_settings() -> ProjectFile:
    """What `project.yaml` says, or would if it were there.

    Raises
    ------
    ConfigurationError
        When it cannot be used.
    """
    file = project_file()
    return load_yaml(ProjectFile, file) if os.path.lexists(file) else ProjectFile()


def _resolved(path: str, roots: list[Path]) -> Path:
    try:
        found = (roots[0] / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a null character
        raise ConfigurationError(f"{path!r} cannot be a path here: {error}") from error
    if not any(found.is_relative_to(root) for root in roots):
        raise ConfigurationError(
            f"{path!r} lies at {found}, outside the project ({roots[0]}); bring it in, or name a"
            f" folder that holds it under `roots:` in {project_file()}"
        )
    return found


def _links(folder: Path) -> Iterator[Path]:
    """Every symbolic link in a folder; of none it is followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                yield path
