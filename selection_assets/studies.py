"""Every study and pool of the project, and the stages they give rise to."""

from collections.abc import Sequence
from pathlib import Path

from resources.project import project_root, resolve
from selection.config.files import ConfigurationError, load_yaml
from selection.config.pool import Pool
from selection.config.study import (
    DocstringTarget,
    PretrainedBase,
    SentenceTransformerModel,
    Study,
)
from selection.methods import REGISTRY
from selection_assets.base_checkpoint import build_base_checkpoint
from selection_assets.base_tokenizer import build_base_tokenizer
from selection_assets.budget_plan import build_budget_plan
from selection_assets.contrast import contrast_stages
from selection_assets.corpus_embeddings import build_corpus_embeddings
from selection_assets.embedder import build_embedder
from selection_assets.eval_report import build_eval_report
from selection_assets.finetuned_checkpoint import build_finetuned_checkpoint
from selection_assets.method_fit import build_method_fit
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
    embedders: dict[tuple[str, str], Study] = {}
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
        first = embedders.setdefault((study.pool, study.embedder.name), study)
        if first is not study and (first.embedder.tuning or study.embedder.tuning):
            raise ConfigurationError(
                f"{path}: field embedder.name: {study.embedder.name!r} is also an embedder of study"
                f" {first.name!r}, and one that is tuned on a target is of one study only; give it"
                " another name"
            )
        if first.embedder != study.embedder:
            raise ConfigurationError(
                f"{path}: field embedder.name: {study.embedder.name!r} is another model in study"
                f" {first.name!r} of the same pool; give it another name"
            )
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


def _check_price(path: Path, study: Study, prices: dict[str, Study]) -> None:
    first = prices.setdefault(study.pool, study)
    if first.usd_per_device_hour != study.usd_per_device_hour:
        raise ConfigurationError(
            f"{path}: field usd_per_device_hour has value {study.usd_per_device_hour} and study"
            f" {first.name!r} of the same pool {first.usd_per_device_hour}; they share its bill, so"
            " give both the same price"
        )


def _check_models(path: Path, study: Study) -> None:
    models = {"base_model": study.base_model, "embedder.model": study.embedder.model}
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
    """Stages that the studies of a pool share."""
    embedders = {study.embedder.name: study.embedder for study in studies}
    stages = [build_raw_corpus(pool)]
    for embedder in embedders.values():
        users = [study for study in studies if study.embedder.name == embedder.name]
        stages += [
            build_embedder(pool.name, embedder, users),
            build_corpus_embeddings(pool.name, embedder.name, users),
        ]
    return stages


def study_stages(study: Study) -> list[Stage]:
    """Stages of one study."""
    fits = [
        build_method_fit(study, name)
        for name, options in study.methods.items()
        if REGISTRY[name].fit_asset(options)
    ]
    return [
        build_target_examples(study),
        build_target_embeddings(study),
        *contrast_stages(study),
        build_target_stats(study),
        build_base_tokenizer(study),
        build_budget_plan(study),
        build_base_checkpoint(study),
        *fits,
        *(build_method_scores(study, name) for name in study.methods),
        build_selected_subset(study),
        build_finetuned_checkpoint(study),
        build_reference_report(study),
        build_eval_report(study),
        build_pareto_frontier(study),
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
