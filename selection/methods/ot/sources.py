"""The nearest-source step: rows of far sources are no candidates, whatever their score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from selection.basics.brevity import some_of
from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import embeddings_of
from selection.methods.contract.protocol import FitInputs, Fitted
from selection.methods.contract.values import Fact, Rows
from selection.methods.ot.options import OtOptions
from selection.transport.sources import source_distances

FAR_SOURCE = "far_source"
"""Why a row of a source that the fit left out is excluded."""


@dataclass(frozen=True)
class NearSources:
    """Which sources the fit keeps.

    Attributes
    ----------
    kept : frozenset of str or None
        None without the step: all of them.
    facts : the distances, and how they were measured.
    flops : float
    """

    kept: frozenset[str] | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    flops: float = 0.0


def nearest_sources(
    inputs: FitInputs[OtOptions], target: np.ndarray, options: OtOptions, say: Callable[[str], None]
) -> NearSources:
    """Measure each source and keep the nearest, as many as the options say.

    Raises
    ------
    ValueError
        A row names no source, or there are fewer sources than are to be kept.
    """
    if options.nearest_sources is None:
        return NearSources()
    found = source_distances(
        _by_source(inputs),
        target,
        n_rows=options.source_rows,
        device=inputs.device,
        say=say,
        **options.solver(inputs.memory_limit),
    )
    if options.nearest_sources > len(found.names):
        raise ValueError(
            f"nearest_sources is {options.nearest_sources} and the pool has {len(found.names)} "
            f"source(s) with rows, {', '.join(some_of(found.names))}; ask for fewer, or leave it"
            " out"
        )
    kept = found.names[: options.nearest_sources]
    say(f"candidates are the rows of {', '.join(some_of(kept))}")
    return NearSources(
        frozenset(kept),
        {
            "source_distances": [
                list(pair) for pair in zip(found.names, found.distances, strict=True)
            ],
            "source_rows_measured": list(found.rows),
            "kept_sources": list(kept),
            "sources_eps": found.eps,
            "sources_flops": found.flops,
        },
        found.flops,
    )


def source_receipts(fitted: Fitted, rows: Rows) -> dict[str, np.ndarray]:
    """Give the receipts of a batch of one source: its rank, and whether it is left out.

    Raises
    ------
    ValueError
        The source was not measured by the fit.
    """
    facts: dict[str, Any] = fitted.facts
    if "kept_sources" not in facts:
        return {}
    ranks = {name: rank for rank, (name, _) in enumerate(facts["source_distances"])}
    n = len(rows.row_id)
    if rows.source not in ranks:
        if n == 0:
            return {"source_rank": np.zeros(0, dtype=np.int64), "excluded": np.zeros(0, dtype="U1")}
        raise ValueError(
            f"source {rows.source!r} is none of those whose distance the fit measured, "
            f"{', '.join(ranks)}; fit again"
        )
    reason = "" if rows.source in facts["kept_sources"] else FAR_SOURCE
    return {
        "source_rank": np.full(n, ranks[rows.source], dtype=np.int64),
        "excluded": np.full(n, reason, dtype=f"U{len(FAR_SOURCE)}"),
    }


def _by_source(inputs: FitInputs[OtOptions]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for rows in inputs.pool():
        keys = keyed_uniform(rows.row_id, seed=inputs.seed, purpose="ot_sources")
        yield rows.source, keys, embeddings_of(rows, "ot")
