"""Every study and pool of the project, and the stages they give rise to."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from resources.project import project_root, resolve
from selection.config.decoders import Decoder, PretrainedBase
from selection.config.embedders import SentenceTransformerModel
from selection.config.files import ConfigurationError, load_yaml
from selection.config.pool import Pool
from selection.config.study import Study
from selection.config.targets import DocstringTarget
from selection.methods.named import NamedMethod
from selection.methods.preparation import Preparation
from selection_assets.base_checkpoint import build_checkpoint
from selection_assets.base_tokenizer import ROLES, Role, build_tokenizer
from selection_assets.budget_plan import build_budget_plan
from selection_assets.contrast import contrast_stages
from selection_assets.corpus_embeddings import build_corpus_embeddings
from selection_assets.embedder import build_embedder
from selection_assets.eval_report import build_eval_report
from selection_assets.finetuned_checkpoint import build_finetuned_checkpoint
from selection_assets.method_fit import build_method_fit
from selection_assets.method_preparation import build_preparation, preparation_key
from selection_assets.method_scores import build_method_scores
from selection_assets.pareto_frontier import build_pareto_frontier
from selection_assets.raw_corpus import build_raw_corpus
from selection_assets.reference_report import build_reference_report
from selection_assets.selected_subset import build_selected_subset
from selection_assets.stage import Stage
from selection_assets.target_embeddings import build_target_embeddings
from selection_assets.target_examples import build_target_examples
from selection_assets.target_stats import build_target_stats


def load_pools() -> dict[str, Pool]:
    """Read `studies/pools/*.yaml`, by name."""
    folder = project_root() / "studies" / "pools"
    return _by_name([(path, load_yaml(Pool, path)) for path in sorted(folder.glob("*.yaml"))])


def load_studies() -> dict[str, Study]:
    """Read `studies/*.yaml`, by name, and see that they fit their pools and each other.

    Raises
    ------
    ConfigurationError
        Naming file, field and remedy.
    """
    pools = load_pools()
    folder = project_root() / "studies"
    studies = [(path, load_yaml(Study, path)) for path in sorted(folder.glob("*.yaml"))]
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


def _check_target(path: Path, study: Study, pool: Pool) -> None:
    target = study.target
    if not isinstance(target, DocstringTarget):
        return
    for source in pool.sources:
        if source.kind == "docstrings" and target.package in source.packages:
            raise ConfigurationError(
                f"{path}: field target.package has value {target.package!r}, which is also a source"
                f" of pool {pool.name!r}; hold the target out of the pool"
            )


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
    models = {
        "base_model": study.base_model,
        "selector": study.selector,
        "embedder.model": study.embedder.model,
    }
    for field, model in models.items():
        if not isinstance(model, PretrainedBase | SentenceTransformerModel):
            continue
        if model.revision is None and not resolve(model.model).is_dir():
            raise ConfigurationError(
                f"{path}: field {field}.model has value {model.model!r}, which is no folder here; a"
                f" model of a hub needs {field}.revision: the commit, 40 hexadecimal digits"
            )


def _by_name(loaded: list) -> dict:
    found = {}
    for path, item in loaded:
        if item.name in found:
            raise ConfigurationError(f"{path}: field name: {item.name!r} is used by another file")
        found[item.name] = item
    return found


def pool_stages(pool: Pool, studies: Sequence[Study]) -> list[Stage]:
    """Stages that the studies of a pool share, each built once for all that use it."""
    embedders = {study.embedder.name: study.embedder for study in studies}
    stages = [build_raw_corpus(pool)]
    for role in ROLES:
        for decoder, users in _decoders(studies, role).values():
            stages += [
                build_tokenizer(pool.name, decoder, users, role=role),
                build_checkpoint(pool.name, decoder, users, role=role),
            ]
    for embedder in embedders.values():
        users = [study for study in studies if study.embedder.name == embedder.name]
        stages += [
            build_embedder(pool.name, embedder, users),
            build_corpus_embeddings(pool.name, embedder.name, users),
        ]
    return [*stages, *_shared_preparations(studies)]


def study_stages(study: Study) -> list[Stage]:
    """Stages of one study."""
    methods = study.named_methods.values()
    return [
        build_target_examples(study),
        build_target_embeddings(study),
        *contrast_stages(study),
        build_target_stats(study),
        build_budget_plan(study),
        *_own_preparations(study),
        *(build_method_fit(study, named) for named in methods if named.fit_asset),
        *(build_method_scores(study, named) for named in methods),
        build_selected_subset(study),
        build_finetuned_checkpoint(study),
        build_reference_report(study),
        build_eval_report(study),
        build_pareto_frontier(study),
    ]


def _decoders(studies: Sequence[Study], role: Role) -> dict[str, tuple[Decoder, list[Study]]]:
    """The base models, or the selectors, by name, with the studies that use each."""
    found: dict[str, tuple[Decoder, list[Study]]] = {}
    for study in studies:
        decoder = study.base_model if role == "base" else study.selector
        if decoder is not None:
            found.setdefault(decoder.name, (decoder, []))[1].append(study)
    return found


def _own_preparations(study: Study) -> list[Stage]:
    """What the study's methods prepare for its target, each thing once."""
    found = {
        preparation_key(study, named, preparation): (named, preparation)
        for named in study.named_methods.values()
        for preparation in named.preparations
        if not preparation.shared
    }
    return [build_preparation(*each, [study]) for each in found.values()]


def _shared_preparations(studies: Sequence[Study]) -> list[Stage]:
    """What the methods of all studies prepare for the pool, each thing once."""
    found: dict[dg.AssetKey, tuple[NamedMethod, Preparation, dict[str, Study]]] = {}
    for study in studies:
        for named in study.named_methods.values():
            for preparation in named.preparations:
                if preparation.shared:
                    key = preparation_key(study, named, preparation)
                    users = found.setdefault(key, (named, preparation, {}))[2]
                    users[study.name] = study
    return [
        build_preparation(named, preparation, list(users.values()))
        for named, preparation, users in found.values()
    ]


def all_stages() -> list[Stage]:
    """Every stage of the project."""
    studies = list(load_studies().values())
    stages = []
    for pool in load_pools().values():
        stages += pool_stages(pool, [study for study in studies if study.pool == pool.name])
    for study in studies:
        stages += study_stages(study)
    return stages
