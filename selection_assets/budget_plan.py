"""budget_plan: what every arm would cost, before anything expensive runs."""

from dataclasses import asdict

import dagster as dg
import pyarrow as pa

from resources.artifacts import Artifact
from selection.arms.plan import PoolSize, epoch_flops, plan_arms
from selection.config.study import Study
from selection.embedding.embedder import load_embedder, token_lengths
from selection.models.base import load_tokenizer
from selection.models.tokenizer import count_tokens
from selection.reports import markdown_table
from selection_assets.base_tokenizer import read_shape
from selection_assets.draft import Check, Draft
from selection_assets.inputs import embedder_model, of_study, whole_pool
from selection_assets.keys import study_key
from selection_assets.pool_rows import iterate_sources
from selection_assets.stage import Stage, stage

COLUMNS = (
    "method",
    "budget",
    "total_flops",
    "selection_flops",
    "training_flops",
    "rows",
    "feasible",
    "reason",
)


def build_budget_plan(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "budget_plan"),
        campaign=study.name,
        also_code=["selection.methods"],  # whose costs it asks
        ins={
            "raw_corpus": whole_pool(study),
            "target_examples": of_study(study, "target_examples"),
            "base_tokenizer": of_study(study, "base_tokenizer"),
            "embedder": embedder_model(study),
        },
        parameters={
            "methods": study.methods,
            "budgets": [budget.model_dump() for budget in study.budgets],
            "seeds": study.seeds,
            "cap_flops": study.cap_flops,
            "accountant": study.accountant,
            "warm_up": study.warm_up,
        },
        checks={"an_arm_is_feasible": "At least one arm besides random can be afforded."},
    )
    def budget_plan(
        context: dg.AssetExecutionContext,
        raw_corpus: dict[str, Artifact],
        target_examples: Artifact,
        base_tokenizer: Artifact,
        embedder: Artifact,
    ) -> Draft:
        """`plan.json`, and `tokens.parquet`: the base model's tokens in each row of the pool."""
        tokenizer = load_tokenizer(base_tokenizer.path("tokenizer"))
        model = load_embedder(embedder.path("embedder"))
        counts, embedding_flops = [], 0.0
        for source, rows in iterate_sources(raw_corpus):
            counts.append(
                pa.table(
                    {
                        "source": [source] * len(rows.row_id),
                        "row_id": rows.row_id,
                        "n_tokens": count_tokens(tokenizer, rows.text),
                    }
                )
            )
            embedding_flops += model.flops(token_lengths(model, rows.text))
        tokens = pa.concat_tables(counts)
        target = target_examples.table("rows.parquet", ["split", "text"])
        target_texts = target["text"].to_pylist()
        shape = read_shape(base_tokenizer)
        size = PoolSize(
            rows=tokens.num_rows,
            tokens=sum(tokens["n_tokens"].to_pylist()),
            target_rows=target["split"].to_pylist().count("dev"),
            embedding_flops=embedding_flops,
            target_embedding_flops=model.flops(token_lengths(model, target_texts)),
            width=model.width,
        )
        arms = [asdict(arm) for arm in plan_arms(study, shape, size)]
        table = markdown_table(COLUMNS, [[arm[name] for name in COLUMNS] for arm in arms])
        feasible = [arm["method"] for arm in arms if arm["feasible"]]
        return Draft(
            files={
                "plan.json": {
                    "arms": arms,
                    "pool": asdict(size),
                    "epoch_flops": epoch_flops(study, shape, size),
                },
                "tokens.parquet": tokens,
                "plan.md": table,
            },
            rows=len(arms),
            facts={
                "plan": dg.MetadataValue.md(table),
                "epoch_flops": epoch_flops(study, shape, size),
                "pool_tokens": size.tokens,
            },
            checks=[
                Check(
                    "an_arm_is_feasible",
                    any(method != "random" for method in feasible)
                    or set(study.methods) == {"random"},
                    {"feasible": feasible},
                )
            ],
        )

    return budget_plan
