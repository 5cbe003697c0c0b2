"""eval_report[method x budget]: held-out loss before and after, and how near the rows came."""

import dagster as dg
import numpy as np

from selection.arms.distances import distances_to_target
from selection.config.study import Study
from selection.judging.result import ArmSeconds
from selection.judging.underspent import underspent_notes
from selection.reports.plots.evaluation import before_after, distance_bars
from selection.reports.tables import markdown_table
from selection_assets.charging.seconds import TimedStudy
from selection_assets.shared.decoders import read_shape
from selection_assets.shared.evaluation import evaluate_folders, harness_outside, harness_table
from selection_assets.shared.pool_rows import pool_vectors
from selection_assets.shared.target_rows import steering_rows
from selection_assets.stage.inputs import base_parts, of_study, one_of, whole_pool_embeddings
from selection_assets.stage.keys import arm_of, arm_partitions, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step

TOKENS = ("warm_up_tokens_computed", "warm_up_tokens_trained", "warm_up_rows_cut")
"""Of a seed's training: what is paid for, beside what is learnt from."""
SPENT = ("tokens", "token_budget", "underspent", "length_limit")
"""Of the arm's selection: what it has spent, and which rows it could not take."""


def build_eval_report(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "eval_report"),
        campaign=study.name,
        ins={
            "finetuned_checkpoint": of_study(study, "finetuned_checkpoint"),
            "selected_subset": of_study(study, "selected_subset"),
            "zero_shot": one_of(study, "reference_report", "zero_shot"),
            "base_tokenizer": base_parts(study)["base_tokenizer"],
            "target_examples": of_study(study, "target_examples"),
            "target_embeddings": of_study(study, "target_embeddings"),
            "corpus_embeddings": whole_pool_embeddings(study),
        },
        parameters={
            "evaluation": study.evaluation,
            "seeds": study.seeds,
            "train_on": study.train_on,
        },
        partitions=arm_partitions(study),
        outside=lambda _: harness_outside(study),
        costly=True,
        metered=True,
        payers=[study],
        checks={"loss_finite": "Every held-out loss is a finite number."},
        kinds={"pytorch"},
    )
    def eval_report(step: Step) -> Draft:
        """`report.json`, `report.md`, two pictures, and `examples.parquet` with every loss."""
        method, budget = arm_of(step.partition)
        trained, selected = step.one("finetuned_checkpoint"), step.one("selected_subset")
        folders = {seed: trained.path(f"seed_{seed}") for seed in study.seeds}
        evaluated = evaluate_folders(step, study, folders)
        distances = _distances(step, study)
        before, after = step.one("zero_shot").json("report.json"), evaluated.summary
        arm, spent = selected.json("arm.json"), selected.json("spent.json")
        training = trained.json("training.json")["seeds"]
        report = {
            "method": method,
            "budget": budget,
            "rows": selected.table("subset.parquet", ["draw"])["draw"].to_pylist().count(0),
            "selection_flops": arm["selection_flops"],
            "training_flops": max(seed["warm_up_flops"] for seed in training),
            "fine_tuning_flops": max(seed["fine_tuning_flops"] for seed in training),
            **{name: spent[name] for name in SPENT},
            "training_tokens": {name: max(s[name] for s in training) for name in TOKENS},
            "total_flops": arm["total_flops"],
            "accountant": arm["accountant"],
            "model_parameters": read_shape(step.one("base_tokenizer")).parameters,
            "before": before,
            "after": after,
            "ot_distance": distances,
        }
        pictures = {
            "before_after.png": before_after(before["loss"], after["loss_by_seed"], study.seeds),
            "distances.png": distance_bars(distances, highlight="subset"),
        }
        text = _markdown(report)
        timed = TimedStudy.look_up(study, step.workspace.ledger)
        took = timed.seconds_of(method, budget, report["training_flops"])
        return Draft(
            files={
                "report.json": report,
                "report.md": text,
                "examples.parquet": evaluated.losses,
                **pictures,
            },
            rows=evaluated.losses.num_rows,
            flops=evaluated.flops,
            accountant=study.accountant,
            facts={
                "report": dg.MetadataValue.md(text),
                "loss": after["loss"],
                # No part of the report, which is the same each time that it is made.
                **({} if took is None else {"arm_seconds": took.total, **_seconds(took)}),
                **pictures,
            },
            checks=[Check("loss_finite", bool(np.isfinite(after["loss"])))],
        )

    return eval_report


def _seconds(took: ArmSeconds) -> dict[str, float]:
    return {f"arm_{part}_seconds": seconds for part, seconds in vars(took).items()}


def _distances(step: Step, study: Study) -> dict[str, float]:
    target = steering_rows(step.one("target_examples"), step.one("target_embeddings")).embeddings
    assert target is not None
    row_id, vectors = pool_vectors(step.inputs["corpus_embeddings"])
    subset = step.one("selected_subset").table("subset.parquet", ["row_id", "draw"]).to_pylist()
    chosen = {row["row_id"] for row in subset if row["draw"] == 0}
    return distances_to_target(
        row_id.to_numpy(), vectors, chosen, target, max_rows=study.evaluation.distance_rows
    )


def _spent(report: dict) -> str:
    said = f"Its rows have {report['tokens']:,} of {report['token_budget']:,} tokens."
    if report["underspent"]:
        said = underspent_notes([report])[0]
    return f"{said} {report['length_limit']}"


def _markdown(report: dict) -> str:
    before, after = report["before"], report["after"]
    names = [n for n in ("loss", "bits_per_byte", "accuracy", "macro_f1") if n in after]
    rows = [[name, before[name], after[name]] for name in names]
    low, high = after["loss_low"], after["loss_high"]
    tasks = []
    if "harness" in after:
        tasks = [harness_table(before.get("harness"), after["harness"])]
    tokens = [[name, value] for name, value in report["training_tokens"].items()]
    if after["n_truncated_examples"]:
        tokens.append(["examples of the target cut", after["n_truncated_examples"]])
    costs = [[n, report[n]] for n in ("selection_flops", "training_flops", "total_flops", "rows")]
    return "\n\n".join(
        [
            f"## {report['method']} at {report['budget']}",
            markdown_table(["target, held out", "zero-shot", "after"], rows),
            f"Loss after training lies in [{low:.4f}, {high:.4f}] over examples and seeds.",
            *tasks,
            _spent(report),
            markdown_table(["cost", "value"], costs),
            markdown_table(["training, dearest seed", "value"], tokens),
            markdown_table(
                ["OT distance to the target", "value"], list(report["ot_distance"].items())
            ),
        ]
    )
