"""selected_subset[method x budget]: the rows an arm trains on, and the fate of every row."""

from dataclasses import asdict

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.store.artifacts import Artifact
from selection.basics.tables import places_of, rows_where
from selection.config.study import Study
from selection.leaks.kinds import TARGET_LEAK
from selection.subset.choose import Subset, choose_rows
from selection.subset.fates import DOES_NOT_FIT, TOO_LONG
from selection.subset.lengths import LengthLimit
from selection.subset.spent import why_underspent
from selection_assets.shared.candidates import candidate_pool, limit_of
from selection_assets.shared.held_out import held_out_rows, leaking_rows
from selection_assets.shared.pool_rows import pool_vectors, whole_texts
from selection_assets.stage.inputs import (
    all_of,
    every_source_of,
    of_study,
    pool_costs,
    whole_pool,
    whole_pool_embeddings,
)
from selection_assets.stage.keys import arm_of, arm_partitions, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step

NO_VECTOR = "no_vector"
"""Fate of rows that no method may select, as is `TARGET_LEAK`."""

HOW_IT_LEAKS = ["leak", "leak_of"]
"""Columns that say of a leak how it is one, and of which held-out row; "" of other rows."""


def build_selected_subset(study: Study) -> Stage:
    """Build the asset for one study."""
    shared = {
        "budget_plan": of_study(study, "budget_plan"),
        "raw_corpus": whole_pool(study),
        **pool_costs(study),
        "corpus_embeddings": whole_pool_embeddings(study),
        "target_examples": of_study(study, "target_examples"),
        "target_leaks": every_source_of(study, "target_leaks"),
    }
    named = study.named_methods
    limit = limit_of(study)
    scores = {m.scores_asset: all_of(study, m.scores_asset) for m in named.values()}

    @stage(
        key=study_key(study, "selected_subset"),
        campaign=study.name,
        ins=shared | scores,
        parameters={
            "selection": study.selection,
            "train_on": study.train_on,
            "length_limit": asdict(limit),
        },
        partitions=arm_partitions(study),
        reads=lambda arm: [*shared, named[arm_of(arm)[0]].scores_asset],
        checks={
            "within_budget": "Its tokens, or its rows, are at most what the plan allows.",
            "no_test_row": "No held-out row of the target is in it, nor a row that leaks one.",
            "not_empty": "At least one row is selected.",
        },
        payers=[study],
        kinds={"python", "parquet"},
    )
    def selected_subset(step: Step) -> Draft:
        """`subset.parquet` by draw and rank; `fates.parquet` for every candidate; `spent.json`."""
        method, budget = arm_of(step.partition)
        plan = planned_arm(step.one("budget_plan"), method, budget)
        # What is the same for every arm is read once: there may be thousands of sources.
        pool = step.once("pool", lambda: candidate_pool(step.inputs, study.train_on, limit))
        embedded = step.once("vectors", lambda: pool_vectors(step.inputs["corpus_embeddings"]))
        leaks = step.once("leaks", lambda: leaking_rows(step.inputs["target_leaks"].values()))
        candidates = pool.scored(step.inputs[named[method].scores_asset])
        first = rows_where(candidates, "draw", 0)["row_id"]
        of_pool, vectors = embedded
        place = places_of(first, of_pool)
        vectors = vectors.at(place)
        without_vector = first.take(pa.array(np.flatnonzero(place < 0))).to_pylist()
        held_out = {row.row_id for row in held_out_rows(step.one("target_examples"))}
        leaking = held_out | set(leaks["row_id"].to_pylist())
        excluded = dict.fromkeys(without_vector, NO_VECTOR)
        excluded |= _untrainable(candidates) | dict.fromkeys(leaking, TARGET_LEAK)
        fates, subsets = [], []
        for draw in sorted(candidates["draw"].unique().to_pylist()):
            rows = rows_where(candidates, "draw", draw)
            chosen = choose_rows(
                row_id=rows["row_id"],
                score=rows["score"].to_numpy(),
                n_tokens=rows["n_tokens"].to_numpy(),
                token_budget=plan["token_budget"],
                row_budget=plan["row_budget"],
                embeddings=vectors,
                near_duplicate_cosine=study.selection.near_duplicate_cosine,
                excluded=excluded,
                reason=rows["excluded"].cast(pa.string()).to_numpy(),
            )
            told = _told(rows.drop_columns(["excluded", "fault"]), chosen)
            fates.append(_with_leaks(told, leaks))
            subsets.append(_as_trained(pool.with_texts(told.take(pa.array(chosen.selected)))))
        subset, every_fate = pa.concat_tables(subsets), pa.concat_tables(fates)
        used = [int(s["n_tokens"].to_numpy().sum()) for s in subsets]
        spent = _spent(plan, used, fates, limit)
        most = max(s.num_rows for s in subsets)
        leaked = set(subset["row_id"].to_pylist()) & leaking
        return Draft(
            files={
                "subset.parquet": subset,
                "fates.parquet": every_fate,
                "arm.json": plan,
                "spent.json": spent,
            },
            rows=subsets[0].num_rows,
            facts={
                "draws": len(subsets),
                "tokens": used[0],
                "token_budget": plan["token_budget"],
                **{name: spent[name] for name in ("length_limit", "underspent") if spent[name]},
                "cutoff_score": subsets[0]["score"].to_pylist()[-1]
                if subsets[0].num_rows
                else None,
                "fates": _counts(every_fate["fate"]),
                "sources": _counts(subsets[0]["source"]),
            },
            checks=[
                Check(
                    "within_budget",
                    max(used) <= plan["token_budget"] and most <= (plan["row_budget"] or most),
                    {"tokens": max(used), "rows": most},
                ),
                Check(
                    "no_test_row",
                    not leaked,
                    {"leaked": sorted(leaked)[:5], "left_out": _counts(leaks["leak"])},
                ),
                Check(
                    "not_empty",
                    min(s.num_rows for s in subsets) > 0,
                    {"fates": _counts(every_fate["fate"])},
                    remedy=f"of {TOO_LONG} raise `selection.max_row_tokens`, of {DOES_NOT_FIT} the"
                    " budget",
                ),
            ],
        )

    return selected_subset


def _as_trained(chosen: pa.Table) -> pa.Table:
    """Rows with all of their text, whatever part of it selection has looked at."""
    texts = pa.array(whole_texts(chosen), pa.large_string())
    place = chosen.schema.get_field_index("text")
    return chosen.set_column(place, "text", texts)


def planned_arm(budget_plan: Artifact, method: str, budget: str) -> dict:
    """Return an arm of the plan.

    Raises
    ------
    dagster.Failure
        When the arm is infeasible, with the plan's reason.
    """
    arms = budget_plan.json("plan.json")["arms"]
    arm = next(a for a in arms if a["method"] == method and a["budget"] == budget)
    if not arm["feasible"]:
        remedy = "" if arm["method_refuses"] else "; raise the budget"
        raise dg.Failure(
            f"{method} at {budget} is infeasible: {arm['reason']}{remedy}", allow_retries=False
        )
    return arm


def _spent(
    plan: dict, tokens: list[int], fates: list[pa.Table], limit: LengthLimit
) -> dict[str, object]:
    """What came of the budget and of the limit: tokens of the draw that spent least, and why."""
    counted = [_counts(of_draw["fate"]) for of_draw in fates]
    passed_over = [counts.get(DOES_NOT_FIT, 0) for counts in counted]
    beyond = counted[0].get(TOO_LONG, 0)
    underspent = ""
    if plan["row_budget"] is None:
        underspent = why_underspent(tokens, passed_over, token_budget=plan["token_budget"])
    return {
        "tokens": min(tokens),
        "token_budget": plan["token_budget"],
        "underspent": underspent,
        "max_row_tokens": limit.tokens,
        "too_long": beyond,
        "length_limit": limit.said(beyond),
    }


def _untrainable(candidates: pa.Table) -> dict[str, str]:
    """Rows too long, and conversations that the base model cannot be trained on, and why."""
    faulty = candidates.filter(pc.not_equal(candidates["fault"], ""))  # pyright: ignore
    return dict(zip(faulty["row_id"].to_pylist(), faulty["fault"].to_pylist(), strict=True))


def _with_leaks(fates: pa.Table, leaks: pa.Table) -> pa.Table:
    """Say of rows that leak how they do."""
    place = pa.array(places_of(fates["row_id"], leaks["row_id"]) + 1)
    for name in HOW_IT_LEAKS:
        said = pa.array(["", *leaks[name].to_pylist()], pa.string())
        fates = fates.append_column(name, said.take(place))
    return fates


def _told(rows: pa.Table, chosen: Subset) -> pa.Table:
    at = rows.schema.get_field_index("source")
    rows = rows.set_column(at, "source", rows["source"].cast(pa.string()))
    for name in ("rank", "margin"):
        rows = rows.append_column(name, pa.array(getattr(chosen, name)))
    for name in ("fate", "duplicate_of"):
        rows = rows.append_column(name, pa.array(getattr(chosen, name), pa.string()))
    return rows


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {e["values"]: e["counts"] for e in column.value_counts().to_pylist()}
