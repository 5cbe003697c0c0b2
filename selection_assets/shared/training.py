"""Train one model a seed: shared by arms and reference lines."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from resources.training_processes import processes_of
from selection.arms.target import to_examples
from selection.arms.train import TrainedArm, TrainingPhase, train_arm
from selection.basics.tables import rows_where
from selection.config.study import Study
from selection.models.base import load_model, save_checkpoint
from selection.models.chat_tokens import TrainOn
from selection.models.checkpoints import weights_digest
from selection.models.examples import Example
from selection_assets.shared.decoders import read_shape
from selection_assets.stage.step import Check, Draft, Step, emptied


def training_parameters(study: Study, seeds: Sequence[int]) -> dict[str, object]:
    """Everything of the study that a training depends on."""
    return {
        "warm_up": study.warm_up,
        "fine_tuning": study.fine_tuning,
        "seeds": list(seeds),
        "train_on": study.train_on,
        "packing": study.packing,
        "accountant": study.accountant,
    }


def train_seeds(step: Step, study: Study, seeds: Sequence[int], subset: pa.Table | None) -> Draft:
    """Train every seed on its draw of the subset (all on the one draw of a method without draws).

    Parameters
    ----------
    step : whose inputs have the base model's parts and the target's examples.
    subset : row_id, draw, rank, text and turns of the warm-up rows; None for no warm-up.
    """
    device, work = step.device, step.work
    processes = processes_of(step.context)
    shape = read_shape(step.one("base_tokenizer"))
    target = step.one("target_examples").table("rows.parquet")
    examples = to_examples(target, "train", train_on=study.train_on)
    files: dict[str, object] = {}
    reports, rows = [], []
    resumed_flops = 0.0
    for number, seed in enumerate(seeds):
        drawn = _draw(subset, number) if subset is not None else None
        folder, done = work / f"seed_{seed}", work / f"seed_{seed}.json"
        # The report is written last: where it stands, an attempt before this one finished the seed.
        if done.is_file() and folder.is_dir():
            finished = json.loads(done.read_text(encoding="utf-8"))
            resumed_flops += _flops(finished)
        else:
            arm = train_arm(
                step.one("base_checkpoint").path("checkpoint"),
                _texts(drawn) if drawn is not None else [],
                examples,
                packing=study.packing,
                chats=_chats(drawn, study.train_on) if drawn is not None else [],
                warm_up_recipe=study.warm_up.recipe(seed=seed, precision=device.dtype),
                fine_tuning_recipe=study.fine_tuning.recipe(seed=seed, precision=device.dtype),
                shape=shape,
                accountant=study.accountant,
                work_dir=work / f"training_{seed}",
                device=device.name,
                processes=processes,
                progress=True,
                meter=step.meter,
            )
            phases = [phase for phase in (arm.warm_up, arm.fine_tuning) if phase is not None]
            resumed_flops += sum(phase.resumed_flops for phase in phases)
            save_checkpoint(arm.model, arm.tokenizer, emptied(folder))
            report = _report(seed, arm) | {"weights": weights_digest(arm.model)}
            done.write_text(json.dumps(report), encoding="utf-8")
        files[folder.name] = folder
        reports.append(json.loads(done.read_text(encoding="utf-8")))
        if drawn is not None:
            of_seed = pa.array([seed] * drawn.num_rows, pa.int64())
            rows.append(drawn.select(["row_id", "rank"]).append_column("seed", of_seed))
    if rows:
        files["rows.parquet"] = pa.concat_tables(rows)
    finite = all(_finite(report) for report in reports)
    loads = all(
        weights_digest(load_model(work / f"seed_{r['seed']}")) == r["weights"] for r in reports
    )
    return Draft(
        files={
            **files,
            "training.json": {
                "seeds": reports,
                "device": device.model_name,
                "processes": 1 if processes is None else processes.n,
            },
        },
        rows=sum(table.num_rows for table in rows),
        flops=sum(_flops(report) for report in reports),
        resumed_flops=resumed_flops,
        accountant=study.accountant,
        facts={"seeds": reports},
        checks=[Check("loads", loads), Check("loss_finite", finite)],
    )


def _draw(subset: pa.Table, number: int) -> pa.Table:
    draws = sorted(set(subset["draw"].to_pylist()))
    drawn = rows_where(subset, "draw", draws[number % len(draws)])
    return drawn.sort_by([("rank", "ascending")])


def _texts(rows: pa.Table) -> list[str]:
    return rows.filter(rows["turns"].is_null())["text"].to_pylist()


def _chats(rows: pa.Table, train_on: TrainOn) -> list[Example]:
    chats = rows.filter(rows["turns"].is_valid()).select(["row_id", "text", "turns"])
    return [Example(**row, train_on=train_on) for row in chats.to_pylist()]


def _report(seed: int, arm: TrainedArm) -> dict[str, float | int]:
    report: dict[str, float | int] = {"seed": seed, "warm_up_flops": 0.0}
    phases: dict[str, TrainingPhase | None] = {
        "warm_up": arm.warm_up,
        "fine_tuning": arm.fine_tuning,
    }
    for name, phase in phases.items():
        if phase is not None:
            report |= {
                f"{name}_flops": phase.flops,
                f"{name}_steps": phase.result.steps,
                f"{name}_tokens": phase.result.tokens,
                f"{name}_tokens_computed": phase.result.tokens_processed,
                f"{name}_tokens_trained": phase.result.tokens_trained,
                f"{name}_rows_cut": phase.rows_cut,
                f"{name}_final_loss": phase.result.final_loss,
            }
    return report


def _flops(report: dict[str, Any]) -> float:
    return report["warm_up_flops"] + report["fine_tuning_flops"]


def _finite(report: dict[str, Any]) -> bool:
    return all(math.isfinite(v) for name, v in report.items() if name.endswith("_loss"))
