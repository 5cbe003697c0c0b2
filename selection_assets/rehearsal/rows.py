"""Do the rows of a target fit the model's window, and does evaluating one of them work?"""

from collections.abc import Iterator, Sequence
from typing import Any

from selection.models.base import new_model, tiny_config
from selection.models.chat_tokens import TrainOn
from selection.models.evaluation import classify, evaluate
from selection.models.examples import Example, render_parts
from selection.models.tokenizer import train_tokenizer
from selection_assets.rehearsal.finding import Finding
from selection_assets.rehearsal.targets import SeenTarget, examples_of

SHOWN = 3
"""Rows that a message names."""


def try_rows(
    target: SeenTarget,
    tokenizer: Any,
    *,
    vocabulary: int,
    window: int,
    field: str,
    train_on: TrainOn | None,
) -> list[Finding]:
    """Render every row of the target, and evaluate the shortest one.

    Parameters
    ----------
    tokenizer : None for a model that is made here. One like its own is then trained on these very
        rows: its own will read them as more tokens, not fewer.
    vocabulary : rows of the model's embeddings; of no use without a tokenizer.
    window : tokens of the longest sequence.
    field : of the study: `base_model` or `selector`.
    train_on : of the model that is trained; None for one that methods read with.
    """
    examples, wrong, records = [], [], target.records
    for record, read in zip(records, examples_of(records, train_on), strict=True):
        (wrong if isinstance(read, str) else examples).append(
            read if isinstance(read, str) else (record.origin, read)
        )
    findings = []
    if wrong:
        problem = f"{_some(wrong)}; correct the rows, or `target.columns`"
        findings.append(
            Finding(f"{field}: rendering", f"{len(records):,} rows of the target", problem)
        )
    if not examples:
        return findings
    if tokenizer is None:
        size = max(vocabulary, 300)
        tokenizer = train_tokenizer((example.text for _, example in examples), vocab_size=size)
        vocabulary = len(tokenizer)
    seen = f"{len(examples):,} rows of the target, {window:,} tokens at most"
    fitting, unfit = [], []
    for origin, example in examples:
        try:
            fitting.append((len(render_parts(example, tokenizer, window).ids), example))
        except ValueError as error:
            unfit.append(f"{origin}: {str(error).partition(': ')[2].partition(';')[0]}")
    if unfit and (target.drawn or not fitting):
        problem = (
            f"{len(unfit):,} of {len(examples):,} rows do not fit, nothing would be left to learn"
            f" from: {_some(unfit)}; raise `{field}.sequence_length`, or leave these rows out"
        )
        findings.append(Finding(f"{field}: rendering", seen, problem))
    elif not wrong:
        findings.append(Finding(f"{field}: rendering", seen))
    if fitting:
        _, shortest = min(fitting, key=lambda found: found[0])
        labels = sorted({example.label for _, example in examples if example.label is not None})
        problem = "; ".join(_evaluation_problems(shortest, labels, tokenizer, vocabulary, window))
        findings.append(Finding(f"{field}: evaluation", "one of them, with a small model", problem))
    return findings


def _evaluation_problems(
    example: Example, labels: list[str], tokenizer: Any, vocabulary: int, window: int
) -> Iterator[str]:
    """Evaluate a row with a model of the same vocabulary and window, and next to no weights."""
    sizes = {"width": 16, "layers": 1, "heads": 1, "ffn_width": 16}
    config = tiny_config("llama", vocabulary=vocabulary, sequence_length=window, **sizes)
    try:
        model = new_model(config, seed=0)
        evaluate(model, tokenizer, [example], max_length=window, device="cpu")
        if labels:
            classify(model, tokenizer, [example], labels, max_length=window, device="cpu")
    except (ValueError, IndexError, RuntimeError) as error:
        yield f"{type(error).__name__}: {error}"


def _some(said: Sequence[str]) -> str:
    more = f" and {len(said) - SHOWN:,} more" if len(said) > SHOWN else ""
    return "; ".join(said[:SHOWN]) + more
