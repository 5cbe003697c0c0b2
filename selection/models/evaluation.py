"""How well a model predicts each example, and which label it gives it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.models.batches import length_batches, pad_right
from selection.models.examples import (
    LABEL_PREFIX,
    Example,
    cut_text,
    render_parts,
    separator_id,
)
from selection.models.packing import IGNORED_LABEL
from selection.models.rendered import Rendered
from selection.models.tokenizer import required_id, tokenize
from selection.models.windows import Window, inference, summed_nll, windows_nll

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH_TOKENS = 4096
"""Tokens of a batch, padding included. Fixed, since padding is computed on and paid for."""


@dataclass(frozen=True)
class ExampleLosses:
    """Losses of each example, in the order given.

    Attributes
    ----------
    row_id : ndarray of shape (n,), str
    nll : ndarray of shape (n,), float64
        Sum of the negative log-likelihoods of the measured tokens, in nats.
    n_tokens, n_bytes : ndarray of shape (n,), int64
        Measured tokens, and the UTF-8 bytes they stand for.
    n_truncated : ndarray of shape (n,), int64
        Tokens cut from the example to fit `max_length`.
    n_read : ndarray of shape (n,), int64
        Tokens that the model computed on.
    """

    row_id: np.ndarray
    nll: np.ndarray
    n_tokens: np.ndarray
    n_bytes: np.ndarray
    n_truncated: np.ndarray
    n_read: np.ndarray


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    *,
    max_length: int,
    batch_tokens: int = BATCH_TOKENS,
    device: str,
) -> ExampleLosses:
    """Loss of the text of plain and labelled examples, of the response or answers of others.

    Labels, the end of text and what ends an answer are not measured. The result does not depend on
    the batches.

    Parameters
    ----------
    model, tokenizer : PreTrainedModel, PreTrainedTokenizerBase
        A decoder, moved to `device`, and its tokenizer.
    max_length : int
        Longest sequence in tokens.
    batch_tokens : int
        Tokens per batch, padding included; a longer example makes a batch of its own.

    Raises
    ------
    ValueError
        Naming a row without a token to measure; without examples.
    """
    if not examples:
        raise ValueError("there is no example to evaluate")
    rendered = loss_windows(tokenizer, examples, max_length)
    parts = [row for row, _ in rendered]
    windows = [window for _, window in rendered]
    nll = windows_nll(model, windows, device=device, batch_tokens=batch_tokens)
    return ExampleLosses(
        row_id=np.array([e.row_id for e in examples], dtype=str),
        nll=nll,
        n_tokens=np.array([part.n_measured for part in parts]),
        n_bytes=np.array([len(part.measured_text.encode("utf-8")) for part in parts]),
        n_truncated=np.array([part.n_truncated for part in parts]),
        n_read=np.array([part.n_read for part in parts]),
    )


def loss_windows(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
) -> list[tuple[Rendered, Window]]:
    """Render examples as `evaluate` reads them, each with what goes through the model.

    That ends before the last measured token, which only has to be predicted: what follows cannot
    change the loss of anything before it.

    Raises
    ------
    ValueError
        As `evaluate`.
    """
    rendered = []
    for example in examples:
        row = render_parts(example, tokenizer, max_length, with_label=False)
        if row.n_measured == 0:
            raise ValueError(f"row {example.row_id} has no token to measure: it is empty")
        ids = np.array(row.ids[: row.n_read], dtype=np.int64)
        rendered.append((row, Window(ids, np.array(_measured_ids(row)[1:], dtype=np.int64))))
    return rendered


def classify(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    max_length: int,
    device: str,
) -> list[str]:
    """Label whose continuation of the text, its end of text included, is likeliest.

    The text is run once and its keys and values are shared by the labels. Ties go to the label
    that comes first in `labels`; the examples' own labels are not looked at.

    Parameters
    ----------
    labels : sequence of str
        Distinct candidates.

    Raises
    ------
    ValueError
        Without labels, with repeated ones, or when the longest leaves no room for text.
    """
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"labels must be distinct and at least one, got {list(labels)}")
    scores = label_scores(model, tokenizer, examples, labels, max_length=max_length, device=device)
    return [str(labels[int(best)]) for best in scores.argmax(axis=1)]


@dataclass(frozen=True)
class LabelPrompts:
    """Texts and candidate labels as token ids.

    Attributes
    ----------
    prefixes : of each text, up to where a label begins.
    tails : of each label, with its end of text.
    """

    prefixes: list[list[int]]
    tails: list[list[int]]

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[Example],
        labels: Sequence[str],
        max_length: int,
    ) -> LabelPrompts:
        """Render them; ValueError when the longest label leaves no room for text."""
        marker, *tails = tokenize(tokenizer, [LABEL_PREFIX, *(f" {label}" for label in labels)])
        tails = [[*tail, required_id(tokenizer.eos_token_id)] for tail in tails]
        room = max_length - 1 - len(marker) - max(map(len, tails))
        if room < 1:
            raise ValueError(f"max_length={max_length} leaves no room for text beside the labels")
        lead = separator_id(tokenizer)
        prefixes = [[lead, *cut_text(tokenizer, e.text, room)[0], *marker] for e in examples]
        return cls(prefixes, tails)

    def batches(self, batch_tokens: int) -> Iterator[np.ndarray]:
        """Places of the texts of each batch."""
        lengths = [len(prefix) for prefix in self.prefixes]
        return length_batches(lengths, max(1, batch_tokens // len(self.tails)))

    @property
    def n_fed(self) -> int:
        """Tokens that are fed for each label: all but the last one of the longest."""
        return max(map(len, self.tails)) - 1


def label_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    max_length: int,
    device: str,
    batch_tokens: int = BATCH_TOKENS,
) -> np.ndarray:
    """Log-likelihood of each label after each text, in nats, of shape (n_examples, n_labels).

    A batch is of at most `batch_tokens`, times the number of labels.
    """
    import torch

    asked = LabelPrompts.of(tokenizer, examples, labels, max_length)
    prefixes = asked.prefixes
    targets_KT = pad_right(asked.tails, IGNORED_LABEL).to(device)
    # a label's last token, the end of text, is predicted but never fed; padding is fed and ignored
    fed_KT = targets_KT[:, :-1].clamp(min=0)
    scores = np.empty((len(examples), len(labels)))
    with inference(model, device):
        for batch in asked.batches(batch_tokens):
            n, n_labels = len(batch), len(labels)
            ids = pad_right([prefixes[i] for i in batch], 0).to(device)
            length_B = torch.tensor([len(prefixes[i]) for i in batch], device=device)
            # the label's first token is predicted at the end of each prefix, not of the padding
            ends, end_B = torch.unique(length_B - 1, return_inverse=True)
            out = model(input_ids=ids, use_cache=True, logits_to_keep=ends)
            first = out.logits[torch.arange(n, device=device), end_B]
            cache = out.past_key_values
            cache.batch_repeat_interleave(n_labels)
            length_R = length_B.repeat_interleave(n_labels)
            positions = torch.arange(ids.shape[1], device=device)
            seen = (positions < length_R[:, None]).long()
            steps = torch.arange(fed_KT.shape[1], device=device)
            rest = model(
                input_ids=fed_KT.repeat(n, 1),
                past_key_values=cache,
                attention_mask=torch.cat([seen, seen.new_ones(len(seen), len(steps))], dim=1),
                position_ids=length_R[:, None] + steps,
                use_cache=True,
            ).logits
            logits = torch.cat([first.repeat_interleave(n_labels, 0)[:, None], rest], dim=1)
            scores[batch] = -summed_nll(logits, targets_KT.repeat(n, 1)).reshape(n, n_labels)
    return scores


def accuracy_and_macro_f1(true: Sequence[str], predicted: Sequence[str]) -> tuple[float, float]:
    """Share of right labels, and the mean F1 over the labels that occur on either side."""
    from sklearn.metrics import accuracy_score, f1_score

    f1 = f1_score(
        list(true),
        list(predicted),
        average="macro",
        zero_division=0.0,  # pyright: ignore[reportArgumentType]  (its stub knows "warn" only)
    )
    return float(accuracy_score(list(true), list(predicted))), float(f1)


def bits_per_byte(nll: Any, n_bytes: Any) -> float:
    """Total bits (from nats) over total bytes; comparable between tokenizers."""
    return float(np.sum(nll) / (math.log(2) * np.sum(n_bytes)))


def _measured_ids(row: Rendered) -> list[int]:
    """Give the ids up to the last measured one, -100 where nothing is measured."""
    first, end = row.measured
    measured = [
        IGNORED_LABEL if place in row.between else row.ids[place] for place in range(first, end)
    ]
    return [IGNORED_LABEL] * first + measured
