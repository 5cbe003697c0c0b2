"""What a method learns once before it scores, such as ot_potentials: one asset a method."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from resources.store.artifacts import UNPARTITIONED
from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.methods.contract.cost import ACCOUNTANT
from selection.methods.contract.protocol import FitInputs, Fitted
from selection.reports.plots.convergence import residual_history
from selection_assets.shared.contrast import contrast_inputs, contrast_rows
from selection_assets.shared.fitted import read_fitted
from selection_assets.shared.pool_rows import count_rows, iterate_sources
from selection_assets.shared.preparations import (
    features_by_source,
    preparation_inputs,
    prepared_whole,
)
from selection_assets.shared.target_rows import steering_rows
from selection_assets.stage.inputs import of_study, whole_pool, whole_pool_embeddings
from selection_assets.stage.keys import study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step


def build_method_fit(study: Study, named: NamedMethod) -> Stage:
    """Build the asset for one method that stores its fit."""
    method, options, costly = named.method, named.options, named.needs_device
    assert named.fit_asset is not None
    ins = {
        "raw_corpus": whole_pool(study),
        "target_examples": of_study(study, "target_examples"),
        **preparation_inputs(study, named),
    }
    if method.needs_embeddings:
        ins["corpus_embeddings"] = whole_pool_embeddings(study)
        ins["target_embeddings"] = of_study(study, "target_embeddings")
    if costly:
        ins["budget_plan"] = of_study(study, "budget_plan")
    ins |= contrast_inputs(study, options)
    key = study_key(study, named.fit_asset)

    @stage(
        key=key,
        campaign=study.name,
        also_code=[type(method)],
        ins=ins,
        parameters={"options": options},
        costly=costly,
        only_after=["budget_plan"] if costly else [],
        payers=[study],
        serves={study.name: frozenset({named.name})},
        checks={"converged": "The fit met its own tolerance."},
        kinds={"pytorch"} if costly else {"python"},
    )
    def method_fit(step: Step) -> Draft:
        """`fitted.safetensors` and `facts.json`: all that scoring needs to know of the pool."""
        corpus, embeddings = step.inputs["raw_corpus"], step.inputs.get("corpus_embeddings")
        features = features_by_source(step, named.by_source)
        last = step.workspace.ledger.current(key.to_user_string(), UNPARTITIONED)
        inputs = FitInputs(
            target=steering_rows(step.one("target_examples"), step.maybe("target_embeddings")),
            pool=lambda: chain.from_iterable(
                rows.pieces() for _, rows in iterate_sources(corpus, embeddings, features)
            ),
            n_pool=count_rows(corpus, embeddings),
            options=options,
            seed=0,
            device=step.device.name,
            memory_limit=step.device.memory_limit,
            report=step.context.log.info,
            previous=None if last is None else read_fitted(last),
            prepared=prepared_whole(step, named),
            contrast=contrast_rows(step),
            engine=step.device.engine_with_models,
        )
        fitted = method.fit(inputs)
        pictures = _pictures(fitted, options.model_dump())
        return Draft(
            files={"fitted.safetensors": fitted.arrays, "facts.json": fitted.facts, **pictures},
            rows=inputs.n_pool,
            flops=fitted.flops,
            accountant=ACCOUNTANT,
            facts={**fitted.facts, **pictures},
            checks=[Check("converged", bool(fitted.facts.get("converged", True)), fitted.facts)],
        )

    return method_fit


def _pictures(fitted: Fitted, options: Mapping[str, Any]) -> dict[str, bytes]:
    facts: dict[str, Any] = fitted.facts
    history = facts.get("history")
    if not isinstance(history, list):
        return {}
    picture = residual_history(
        history, tolerance=options["tol"], over_pool=facts.get("pool_residual")
    )
    return {"convergence.png": picture}
