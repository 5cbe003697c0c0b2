"""The page of an exported model: what it was trained on, from what, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selection.config.decoders import Decoder, PretrainedBase
from selection.export.card import Origins, front_matter, tables_of_origins
from selection.export.rows import ExportRow
from selection.reports.escaping import escape
from selection.reports.tables import markdown_table

MEASURES = ("loss", "bits_per_byte", "accuracy", "macro_f1")


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a trained model.

    Attributes
    ----------
    seed : of its training.
    base : the model that it began as.
    report : of its arm (`report.json` of `eval_report`); None where there is none.
    """

    seed: int
    base: Decoder
    report: Mapping[str, Any] | None


def model_card(rows: Sequence[ExportRow], origins: Origins, facts: ModelFacts) -> str:
    """Write the page.

    Parameters
    ----------
    rows : that it was trained on, before the target.
    """
    from huggingface_hub import ModelCardData

    title = f"{origins.study}: {origins.method} at {origins.budget}, seed {facts.seed}"
    matter: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["selection-assets"],
    }
    if isinstance(facts.base, PretrainedBase) and facts.base.revision is not None:
        matter["base_model"] = facts.base.model
    measured = _measured(facts.report)
    if measured:
        matter |= {"model_name": title, "eval_results": _results(origins, facts.report)}
    tokens = sum(row.n_tokens for row in rows)
    said = (
        f"{_base(facts.base)}, trained on the {len(rows):,} rows ({tokens:,} tokens) that"
        f" {origins.method} selected for the target of the study {origins.study}, and then on the"
        " target's own training rows."
    )
    parts = [f"# {escape(title)}", escape(said)]
    if measured:
        parts += [
            "## How well it does",
            "Measured on the target's held-out rows; over all seeds of the arm.",
            markdown_table(["", "before", "after"], measured),
        ]
    parts += tables_of_origins(rows, origins)
    return front_matter(ModelCardData(**matter)) + "\n\n".join(parts) + "\n"


def _base(base: Decoder) -> str:
    if isinstance(base, PretrainedBase):
        at = f" at revision {base.revision}" if base.revision else ""
        return f"{base.model}{at}"
    return f"A small {base.architecture} that was pre-trained on a general sample of the pool"


def _measured(report: Mapping[str, Any] | None) -> list[list[str | float]]:
    if report is None:
        return []
    before, after = report["before"], report["after"]
    return [[name, before[name], after[name]] for name in MEASURES if name in after]


def _results(origins: Origins, report: Mapping[str, Any] | None) -> list[Any]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-generation",
            dataset_type="target",
            dataset_name=f"target of {origins.study}",
            dataset_split="test",
            metric_type=str(name),
            metric_value=after,
        )
        for name, _, after in _measured(report)
    ]
