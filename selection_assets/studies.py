"""Every study and pool of the project, read and held against each other."""

from pathlib import Path
from typing import assert_never

from resources.project import PLACES, project_root, resolve_whole
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


def load_pools() -> dict[str, Pool]:
    """Read `studies/pools/*.yaml`, by name."""
    folder = project_root() / "studies" / "pools"
    return _by_name(
        [(path, load_yaml(Pool, path, places=PLACES)) for path in sorted(folder.glob("*.yaml"))]
    )


def load_studies() -> dict[str, Study]:
    """Read `studies/*.yaml`, by name, and see that they fit their pools and each other.

    Raises
    ------
    ConfigurationError
        Naming file, field and remedy.
    """
    pools = load_pools()
    folder = project_root() / "studies"
    studies = [
        (path, load_yaml(Study, path, places=PLACES)) for path in sorted(folder.glob("*.yaml"))
    ]
    models: dict[tuple[str, str, str], Study] = {}
    prices: dict[str, Study] = {}
    for path, study in studies:
        if study.pool not in pools:
            raise ConfigurationError(
                f"{path}: field pool has value {study.pool!r}; known pools: {', '.join(pools)}"
            )
        if study.name in pools:
            raise ConfigurationError(f"{path}: field name: {study.name!r} is the name of a pool")
        _check_target(path, study, pools[study.pool])
        _check_price(path, study, prices)
        _check_models(path, study)
        _check_shared_models(path, study, models)
    return _by_name(studies)


def load_study(name: str) -> Study:
    """Return one study.

    Raises
    ------
    ConfigurationError
        When there is none of that name.
    """
    studies = load_studies()
    if name not in studies:
        known = ", ".join(sorted(studies)) or "none"
        raise ConfigurationError(
            f"no study {name!r} in {project_root() / 'studies'}; known studies: {known}"
        )
    return studies[name]


def see_that_data_are_there(study: Study, path: Path) -> None:
    """See that a file or folder that a study reads is there.

    Raises
    ------
    ConfigurationError
        Naming study, path and remedy.
    """
    if not path.exists():
        raise ConfigurationError(
            f"study {study.name}: {path} is not there; bring the data to that path, or change it in"
            f" {project_root() / 'studies'}"
        )


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


def _check_shared_models(path: Path, study: Study, seen: dict[tuple[str, str, str], Study]) -> None:
    """See that one name of a pool's embedder, base model or selector means one model."""
    for field in ("embedder", "base_model", "selector"):
        model = getattr(study, field)
        if model is None:
            continue
        first = seen.setdefault((study.pool, field, model.name), study)
        if first is not study and getattr(model, "tuning", None) is not None:
            raise ConfigurationError(
                f"{path}: field embedder.name: {model.name!r} is also an embedder of study"
                f" {first.name!r}, and one that is tuned on a target is of one study only; give it"
                " another name"
            )
        if getattr(first, field) != model:
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


def _check_price(path: Path, study: Study, prices: dict[str, Study]) -> None:
    first = prices.setdefault(study.pool, study)
    if first.usd_per_device_hour != study.usd_per_device_hour:
        raise ConfigurationError(
            f"{path}: field usd_per_device_hour has value {study.usd_per_device_hour} and study"
            f" {first.name!r} of the same pool {first.usd_per_device_hour}; they share its bill, so"
            " give both the same price"
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


def _by_name(loaded: list) -> dict:
    found = {}
    for path, item in loaded:
        if item.name in found:
            raise ConfigurationError(f"{path}: field name: {item.name!r} is used by another file")
        found[item.name] = item
    return found
