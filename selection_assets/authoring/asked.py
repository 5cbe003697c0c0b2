"""From what a person asks for to a pool and a study of the project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.project import project_root, store_root
from selection.basics.whole_files import write_bytes_whole
from selection.config.decoders import PretrainedBase
from selection.config.files import ConfigurationError
from selection.config.names import NAME_PATTERN
from selection.config.pool import Pool
from selection.config.study import Study
from selection.config.targets import FileTarget
from selection.corpus.target import is_parted
from selection_assets.authoring.names import name_after, unlike
from selection_assets.authoring.pool_file import pool_of, pool_text
from selection_assets.authoring.roots import in_project, roots_for
from selection_assets.authoring.study_file import ALL_STEER, Fields, study_of, study_text
from selection_assets.studies import Configuration, read_configuration, see_that_it_fits


@dataclass(frozen=True)
class Asked:
    """Files of a pool, and a target.

    Attributes
    ----------
    pool : files and folders.
    target : a file, or a folder of files.
    """

    pool: Sequence[Path]
    target: Path

    def require_there(self) -> None:
        """See that all of it is there, and that the target is no part of the pool.

        Raises
        ------
        ConfigurationError
            Naming the path, and what to do.
        """
        for path in (*self.pool, self.target):
            if not path.exists():
                raise ConfigurationError(
                    f"{path} is not there: name a file or a folder of this machine; for a data set"
                    " of a hub write the pool's file (`selection new` writes one to begin with)"
                )
            if not path.is_file() and not path.is_dir():
                raise ConfigurationError(f"{path} is no file and no folder: name one of rows")
            if path.resolve().is_relative_to(store_root().resolve()):
                raise ConfigurationError(
                    f"{path} is within the store, which holds what was published: export its rows"
                    " with `selection export` and name that folder"
                )
        real = [path.resolve() for path in self.pool]
        if len(set(real)) < len(real):
            raise ConfigurationError("a file or folder is given twice: name each once")
        for one in real:
            for other in (*(path for path in real if path != one), self.target.resolve()):
                if other.is_relative_to(one):
                    what = "the target" if other == self.target.resolve() else "also in the pool"
                    raise ConfigurationError(
                        f"{other} ({what}) lies in {one}: move it out, since each row counts once"
                    )

    def target_fields(self, *, evaluated: bool) -> Fields:
        """The study's `target`: all rows steer, unless some are to be evaluated with."""
        fields: dict[str, Any] = {"kind": "files", "path": in_project(self.target)}
        spec = FileTarget.model_validate(fields)
        if not evaluated and not is_parted(spec, self.target):
            fields["shares"] = ALL_STEER
        return fields


@dataclass(frozen=True)
class Written:
    """A study of the project with its pool.

    Attributes
    ----------
    files : written now; none where both were there.
    """

    pool: Pool
    study: Study
    files: Sequence[Path]


def known_pool(asked: Asked) -> str | None:
    """Name of the project's pool with just these sources; None where there is none."""
    known = read_configuration().pools
    name = pool_of(asked.pool, known, []).name
    return name if name in known else None


def write_study(asked: Asked, fields: Mapping[str, Any], name: str | None) -> Written:
    """Find the pool and the study that say just this, or write their files.

    Parameters
    ----------
    fields : of the study, its name and pool left out.
    name : of the study; None for whichever says this, or one made of those of pool and target.

    Raises
    ------
    ConfigurationError
        When the name is taken by another study, or is none.
    """
    known = read_configuration()
    files: dict[Path, str] = {}
    pool = pool_of(asked.pool, known.pools, [*known.studies, *known.names.values()])
    if pool.name not in known.pools:
        files[_place("pools", pool.name)] = pool_text(pool)
    whole = {**fields, "pool": pool.name}
    if "base_model" in fields:
        whole["base_model"] = _named_model(fields["base_model"], known, pool)
    same = known.studies if name is None else {}
    study = study_of(whole, same, _named(name, known, pool, asked.target))
    if known.studies.get(study.name, study) != study:
        raise ConfigurationError(
            f"the study {study.name!r} is there and says something else: give another --name, or"
            f" edit {_place(study.name)} and `selection run {study.name}`"
        )
    if study.name not in known.studies:
        files[_place(study.name)] = study_text(study.name, whole)
    for file in files:
        if file.exists():
            raise ConfigurationError(f"{file} is there already: remove it, or give another --name")
    with roots_for([*asked.pool, asked.target, *_model_folders(study)]):
        if study.name not in known.studies:
            see_that_it_fits(_place(study.name), study, pool, known)
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_whole(file, text.encode("utf-8"))
    return Written(pool, study, list(files))


def _model_folders(study: Study) -> list[Path]:
    """The base model's folder, where it is one of this machine."""
    named = [study.base_model] if isinstance(study.base_model, PretrainedBase) else []
    folders = [project_root() / model.model for model in named]
    return [folder for folder in folders if folder.is_dir()]


def _named(name: str | None, known: Configuration, pool: Pool, target: Path) -> str:
    taken = {*known.pools, *known.studies, *known.names.values(), pool.name}
    if name is None:
        return unlike(taken, name_after(f"{pool.name}_{target.name.split('.')[0]}"))
    if name in taken and name not in known.studies:
        raise ConfigurationError(f"the name {name!r} is taken; give another one")
    if name != name_after(name):
        raise ConfigurationError(
            f"{name!r} is no name of a study, which fits {NAME_PATTERN} and ends with none of `_`"
        )
    return name


def _named_model(model: Fields, known: Configuration, pool: Pool) -> Fields:
    """Name a model unlike another one of the pool's studies: they share what bears one name."""
    wanted = PretrainedBase.model_validate(model)
    others = {
        study.base_model.name
        for study in known.studies.values()
        if study.pool == pool.name
        and study.base_model is not None
        and study.base_model != wanted.model_copy(update={"name": study.base_model.name})
    }
    return {**model, "name": unlike(others, wanted.name)}


def _place(*names: str) -> Path:
    return project_root().joinpath("studies", *names[:-1], f"{names[-1]}.yaml")
