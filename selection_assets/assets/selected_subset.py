"""selected_subset[method x budget]: the rows an arm trains on, and the fate of every row."""

from dataclasses import asdict

import dagster as dg
import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection.subset.choose import Subset, choose_rows
from selection.subset.fates import DOES_NOT_FIT, TOO_LONG
from selection.subset.lengths import LengthLimit
from selection.subset.spent import why_underspent
from selection_assets.shared.choosing.barred import Barred, find_barred
from selection_assets.shared.choosing.candidates import (
    CandidatePool,
    Candidates,
    candidate_pool,
    limit_of,
)
from selection_assets.shared.choosing.fates import FATES
from selection_assets.shared.pool_rows import whole_texts
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
        """`subset.parquet` by draw and rank; `fates.parquet` of all candidates; `spent.json`."""
        method, budget = arm_of(step.partition)
        plan = planned_arm(step.one("budget_plan"), method, budget)
        # What is the same for every arm is read once: there may be thousands of sources.
        pool = step.once("pool", lambda: candidate_pool(step.inputs, study.train_on, limit))
        barred = step.once("barred", lambda: find_barred(step, pool))
        fates, subsets = [], []
        for drawn in pool.scored(step.inputs[named[method].scores_asset]):
            at = drawn.at
            chosen = choose_rows(
                row_id=pool.order[at],
                score=drawn.score,
                n_tokens=pool.n_tokens[at],
                token_budget=plan["token_budget"],
                row_budget=plan["row_budget"],
                embeddings=barred.vectors.at(barred.vector_at[at]),
                near_duplicate_cosine=study.selection.near_duplicate_cosine,
                reason=np.where(barred.reason[at] == "", drawn.excluded, barred.reason[at]),
            )
            fates.append(_fates(pool, drawn, chosen, barred))
            subsets.append(_subset(pool, drawn, chosen))
        subset, every_fate = pa.concat_tables(subsets), pa.concat_tables(fates)
        used = [int(s["n_tokens"].to_numpy().sum()) for s in subsets]
        spent = _spent(plan, used, fates, limit)
        most = max(s.num_rows for s in subsets)
        leaked = set(subset["row_id"].to_pylist()) & barred.leaking
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
                    {"leaked": sorted(leaked)[:5], "left_out": _counts(barred.leaks["leak"])},
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


def _subset(pool: CandidatePool, drawn: Candidates, chosen: Subset) -> pa.Table:
    """The rows selected, best first, with all of their text, whatever selection has looked at."""
    at = drawn.at[chosen.selected]
    rows = pool.with_texts(at)
    texts = pa.array(whole_texts(rows), pa.large_string())
    rows = rows.set_column(rows.schema.get_field_index("text"), "text", texts)
    told = {
        "n_tokens": pool.n_tokens[at],
        "draw": np.full(len(at), drawn.draw, dtype=np.int16),
        "score": drawn.score[chosen.selected],
        "rank": chosen.rank[chosen.selected],
        "margin": chosen.margin[chosen.selected],
    }
    for name, column in told.items():
        rows = rows.append_column(name, pa.array(column))
    return rows


def _fates(pool: CandidatePool, drawn: Candidates, chosen: Subset, barred: Barred) -> pa.Table:
    source, place = pool.places(drawn.at)
    repeats = np.flatnonzero(chosen.duplicate_of >= 0)
    duplicate_of = np.full(len(place), "", dtype=object)
    kept = drawn.at[chosen.duplicate_of[repeats]]
    duplicate_of[repeats] = pool.row_id.take(pa.array(kept)).to_numpy(zero_copy_only=False)
    leak = barred.leak_at[drawn.at] + 1  # of most rows nothing
    told = {
        "draw": np.full(len(place), drawn.draw),
        "source": np.array(pool.sources, dtype=object)[source],
        "place": place,
        "n_tokens": pool.n_tokens[drawn.at],
        "rank": chosen.rank,
        "margin": chosen.margin.astype(np.float32),
        "fate": chosen.fate,
        "duplicate_of": duplicate_of,
        **{
            name: np.array(["", *barred.leaks[name].to_pylist()], dtype=object)[leak]
            for name in ("leak", "leak_of")
        },
    }
    return pa.table([pa.array(told[field.name], field.type) for field in FATES], schema=FATES)


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


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {e["values"]: e["counts"] for e in column.value_counts().to_pylist()}
