"""Every study and pool of the project, read and held against each other."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, assert_never

from resources.paths import PLACES, resolve_whole
from resources.project import project_root
from selection.basics.brevity import some_of
from selection.basics.file_names import printable_name
from selection.config.decoders import Decoder, PretrainedBase, TinyBase
from selection.config.embedders import (
    EmbedderModel,
    MiniLM,
    SentenceTransformerModel,
    StaticMiniLM,
)
from selection.config.files import ConfigurationError, load_yaml
from selection.config.pool import DocstringSources, Pool
from selection.config.study import Study
from selection.config.targets import DocstringTarget, FileTarget

File = TypeVar("File", Study, Pool)


@dataclass(frozen=True)
class Configuration:
    """What the files in `studies/` and `studies/pools/` say.

    Attributes
    ----------
    studies, pools : by name; those that can be used.
    wrong : the files that cannot, with what is wrong; they stop none of the others.
    names : of the studies in files that could be read, wrong or not.
    """

    studies: Mapping[str, Study]
    pools: Mapping[str, Pool]
    wrong: Mapping[Path, str]
    names: Mapping[Path, str]


def read_configuration() -> Configuration:
    """Read every file by itself, and see that they fit each other.

    Two files of one name are both refused, for nobody can say which is meant. Where two studies
    name one model, price or accountant differently, the later by its file's name is refused. A
    wrong pool takes its studies with it.
    """
    folder = project_root() / "studies"
    pools, wrong_pools = _load(Pool, folder / "pools")
    loaded, wrong = _load(Study, folder)
    by_name = {pool.name: pool for path, pool in pools.items() if path not in wrong_pools}
    studies: dict[str, Study] = {}
    for path, study in loaded.items():
        if path in wrong:
            continue
        try:
            _check(path, study, by_name, studies.values(), wrong_pools.values())
        except ConfigurationError as error:
            wrong[path] = str(error)
        else:
            studies[study.name] = study
    names = {path: study.name for path, study in loaded.items()}
    return Configuration(studies, by_name, wrong_pools | wrong, names)


def load_pools() -> Mapping[str, Pool]:
    """Return the pools whose files can be used, by name."""
    return read_configuration().pools


def load_studies() -> Mapping[str, Study]:
    """Return the studies whose files can be used, by name."""
    return read_configuration().studies


def load_study(name: str) -> Study:
    """Return one study.

    Raises
    ------
    ConfigurationError
        When there is none of that name, or its file, or its pool's, cannot be used.
    """
    return find_study_in(read_configuration(), name)


def find_study_in(found: Configuration, name: str) -> Study:
    """Return one study; raise `ConfigurationError` as `load_study` does."""
    if name in found.studies:
        return found.studies[name]
    of_studies = [path for path in found.wrong if path.parent == project_root() / "studies"]
    its_own = [path for path in of_studies if found.names.get(path, path.stem) == name]
    if its_own:
        raise ConfigurationError("\n".join(found.wrong[path] for path in its_own))
    known = ", ".join(some_of(sorted(found.studies))) or "none"
    lines = [f"no study {name!r} in {project_root() / 'studies'}; known studies: {known}"]
    raise ConfigurationError("\n".join([*lines, *found.wrong.values()]))


def _load(model: type[File], folder: Path) -> tuple[dict[Path, File], dict[Path, str]]:
    """Files of a folder that fit a model, and what is wrong with others or with their names."""
    loaded: dict[Path, File] = {}
    wrong: dict[Path, str] = {}
    for path in sorted(folder.glob("*")):
        if path.suffix != ".yaml":
            if path.suffix.lower() in (".yaml", ".yml"):
                shown = printable_name(str(path))
                wrong[path] = f"{shown}: not read, because its name does not end in `.yaml`"
            continue
        try:
            loaded[path] = load_yaml(model, path, places=PLACES)
        except (ConfigurationError, OSError) as error:
            wrong[path] = str(error)
    files: dict[str, list[Path]] = {}
    for path, one in loaded.items():
        files.setdefault(one.name, []).append(path)
    for name, shared in files.items():
        for path in shared if len(shared) > 1 else []:
            others = ", ".join(some_of([printable_name(o.name) for o in shared if o != path]))
            wrong[path] = (
                f"{printable_name(str(path))}: field name: {name!r} is used by another file:"
                f" {others}"
            )
    return loaded, wrong


def see_that_it_fits(path: Path, study: Study, pool: Pool, known: Configuration) -> None:
    """See that a study that is to be written fits its pool and the studies there are.

    Raises
    ------
    ConfigurationError
        As reading it would.
    """
    pools = {**known.pools, pool.name: pool}
    _check(path, study, pools, known.studies.values(), known.wrong.values())


def see_that_data_are_there(study: Study, path: Path) -> None:
    """See that a file or folder that a study reads is there.

    Raises
    ------
    ConfigurationError
        Naming study, path and remedy.
    """
    remedy = f"bring the data to that path, or change it in {project_root() / 'studies'}"
    try:
        there = path.exists()
    except OSError as error:
        said = f"study {study.name}: {path} cannot be looked at: {error.strerror}; {remedy}"
        raise ConfigurationError(said) from error
    if not there:
        raise ConfigurationError(f"study {study.name}: {path} is not there; {remedy}")


def _check(
    path: Path,
    study: Study,
    pools: Mapping[str, Pool],
    accepted: Collection[Study],
    wrong_pools: Collection[str],
) -> None:
    """See that a study fits its pool, this machine, and the studies accepted so far."""
    if study.pool not in pools:
        known = ", ".join(some_of(pools))
        said = f"{path}: field pool has value {study.pool!r}; known pools: {known}"
        raise ConfigurationError("\n".join([said, *wrong_pools]))
    if study.name in pools:
        raise ConfigurationError(f"{path}: field name: {study.name!r} is the name of a pool")
    _check_target(path, study, pools[study.pool])
    _check_models(path, study)
    for first in accepted:
        if first.pool == study.pool:
            _check_beside(path, study, first)


def _check_target(path: Path, study: Study, pool: Pool) -> None:
    match study.target:
        case DocstringTarget(package=package):
            packages = [s.packages for s in pool.sources if isinstance(s, DocstringSources)]
            if any(package in of_source for of_source in packages):
                raise ConfigurationError(
                    f"{path}: field target.package has value {package!r}, which is also a source"
                    f" of pool {pool.name!r}; hold the target out of the pool"
                )
        case FileTarget():
            pass
        case target:
            assert_never(target)


def _check_beside(path: Path, study: Study, first: Study) -> None:
    """See that a study and an earlier one of its pool mean the same by what they share."""
    if first.usd_per_device_hour != study.usd_per_device_hour:
        raise ConfigurationError(
            f"{path}: field usd_per_device_hour has value {study.usd_per_device_hour} and study"
            f" {first.name!r} of the same pool {first.usd_per_device_hour}; they share its bill, so"
            " give both the same price"
        )
    for field in ("embedder", "base_model", "selector"):
        model, before = getattr(study, field), getattr(first, field)
        if model is None or before is None or before.name != model.name:
            continue
        if getattr(model, "tuning", None) is not None:
            raise ConfigurationError(
                f"{path}: field embedder.name: {model.name!r} is also an embedder of study"
                f" {first.name!r}, and one that is tuned on a target is of one study only; give it"
                " another name"
            )
        if before != model:
            raise ConfigurationError(
                f"{path}: field {field}.name: {model.name!r} is another model in study"
                f" {first.name!r} of the same pool; give it another name"
            )
        if field != "embedder" and first.accountant != study.accountant:
            raise ConfigurationError(
                f"{path}: field accountant has value {study.accountant!r} and study {first.name!r},"
                f" with which it shares the {field} {model.name!r}, has {first.accountant!r}; give"
                f" both the same, or {field}.name another value"
            )


def _check_models(path: Path, study: Study) -> None:
    models: dict[str, Decoder | EmbedderModel | None] = {
        "base_model": study.base_model,
        "selector": study.selector,
        "embedder.model": study.embedder.model,
    }
    for field, model in models.items():
        match model:
            case PretrainedBase() | SentenceTransformerModel():
                if model.revision is None and not resolve_whole(model.model).is_dir():
                    raise ConfigurationError(
                        f"{path}: field {field}.model has value {model.model!r}, which is no folder"
                        f" here; a model of a hub needs {field}.revision: the commit, 40"
                        " hexadecimal digits"
                    )
            case TinyBase() | MiniLM() | StaticMiniLM() | None:
                pass
            case _:
                assert_never(model)
