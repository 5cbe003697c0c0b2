"""The stages that pools and studies give rise to: the asset graph."""

from collections.abc import Sequence

import dagster as dg

from selection.config.decoders import Decoder
from selection.config.named_method import NamedMethod
from selection.config.pool import Pool
from selection.config.study import Study
from selection.methods.contract.preparation import Preparation
from selection_assets.assets.base_checkpoint import build_checkpoint
from selection_assets.assets.base_tokenizer import build_tokenizer
from selection_assets.assets.budget_plan import build_budget_plan
from selection_assets.assets.corpus_embeddings import build_corpus_embeddings
from selection_assets.assets.embedder import build_embedder
from selection_assets.assets.embedder_tokens import build_embedder_tokens
from selection_assets.assets.eval_report import build_eval_report
from selection_assets.assets.finetuned_checkpoint import build_finetuned_checkpoint
from selection_assets.assets.method_fit import build_method_fit
from selection_assets.assets.method_preparation import build_preparation
from selection_assets.assets.method_scores import build_method_scores
from selection_assets.assets.pareto_frontier import build_pareto_frontier
from selection_assets.assets.pool_tokens import build_pool_tokens
from selection_assets.assets.raw_corpus import build_raw_corpus
from selection_assets.assets.reference_report import build_reference_report
from selection_assets.assets.selected_subset import build_selected_subset
from selection_assets.assets.target_embeddings import build_embeddings
from selection_assets.assets.target_examples import build_contrast_examples, build_target_examples
from selection_assets.assets.target_leaks import build_target_leaks
from selection_assets.assets.target_stats import build_target_stats
from selection_assets.assets.training_file import build_training_file
from selection_assets.shared.contrast import EMBEDDINGS, EXAMPLES
from selection_assets.shared.decoders import ROLES, Role
from selection_assets.shared.preparations import preparation_key
from selection_assets.stage.stage import Stage
from selection_assets.studies import read_configuration


def pool_stages(pool: Pool, studies: Sequence[Study]) -> list[Stage]:
    """Stages that the studies of a pool share, each built once for all that use it."""
    embedders = {study.embedder.name: study.embedder for study in studies}
    stages = [build_raw_corpus(pool, studies)]
    for role in ROLES:
        for decoder, users in _decoders(studies, role).values():
            stages += [
                build_tokenizer(pool.name, decoder, users, role=role),
                build_pool_tokens(pool.name, decoder, users, role=role),
            ]
            if role == "selector" or any(study.trains for study in users):
                stages.append(build_checkpoint(pool.name, decoder, users, role=role))
    for embedder in embedders.values():
        users = [study for study in studies if study.embedder.name == embedder.name]
        stages += [
            build_embedder(pool.name, embedder, users),
            build_corpus_embeddings(pool.name, embedder.name, users),
        ]
        if any(study.base_model is None for study in users):
            stages.append(build_embedder_tokens(pool.name, embedder.name, users))
    return [*stages, *_preparations(studies, shared=True)]


def study_stages(study: Study) -> list[Stage]:
    """Stages of one study."""
    methods = study.named_methods.values()
    return [
        build_target_examples(study),
        build_embeddings(study, "target_embeddings", "target_examples"),
        *_contrast_stages(study),
        build_target_stats(study),
        build_target_leaks(study),
        build_budget_plan(study),
        *_preparations([study], shared=False),
        *(build_method_fit(study, named) for named in methods if named.fit_asset),
        *(build_method_scores(study, named) for named in methods),
        build_selected_subset(study),
        build_training_file(study),
        *(_training_stages(study) if study.trains else []),
    ]


def _training_stages(study: Study) -> list[Stage]:
    """Stages that train the base model on what is selected, and judge the methods by that."""
    return [
        build_finetuned_checkpoint(study),
        build_reference_report(study),
        build_eval_report(study),
        build_pareto_frontier(study),
    ]


def _contrast_stages(study: Study) -> list[Stage]:
    """Stages of a study's contrast; none without one."""
    if study.contrast is None:
        return []
    return [build_contrast_examples(study), build_embeddings(study, EMBEDDINGS, EXAMPLES)]


def _decoders(studies: Sequence[Study], role: Role) -> dict[str, tuple[Decoder, list[Study]]]:
    """The base models, or the selectors, by name, with the studies that use each."""
    found: dict[str, tuple[Decoder, list[Study]]] = {}
    for study in studies:
        decoder = study.base_model if role == "base" else study.selector
        if decoder is not None:
            found.setdefault(decoder.name, (decoder, []))[1].append(study)
    return found


def _preparations(studies: Sequence[Study], *, shared: bool) -> list[Stage]:
    """What the methods of some studies prepare, for the pool or for its own target, each once."""
    found: dict[dg.AssetKey, tuple[NamedMethod, Preparation, dict[str, Study]]] = {}
    for study in studies:
        for named in study.named_methods.values():
            for preparation in named.preparations:
                if preparation.shared == shared:
                    key = preparation_key(study, named, preparation)
                    users = found.setdefault(key, (named, preparation, {}))[2]
                    users[study.name] = study
    return [
        build_preparation(named, preparation, list(users.values()))
        for named, preparation, users in found.values()
    ]


def all_stages() -> list[Stage]:
    """Every stage of the project."""
    found = read_configuration()
    studies = list(found.studies.values())
    stages = []
    for pool in found.pools.values():
        stages += pool_stages(pool, [study for study in studies if study.pool == pool.name])
    for study in studies:
        stages += study_stages(study)
    return stages
