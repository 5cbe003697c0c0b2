"""How well a model predicts each example, and which label it gives it."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from selection.models.tokenizer import tokenize

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    """

    row_id: np.ndarray
    nll: np.ndarray
    n_tokens: np.ndarray
    n_bytes: np.ndarray
    n_truncated: np.ndarray


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    *,
    max_length: int,
    batch_tokens: int = 4096,
    device: str,
) -> ExampleLosses:
    """Loss of the text of plain and labelled examples, of the response of generation ones.

    Labels and the end of text are not measured. The result does not depend on the batches.

    Parameters
    ----------
    model : PreTrainedModel
        A decoder; moved to `device`.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer.
    examples : sequence of Example
        At least one.
    max_length : int
        Longest sequence in tokens.
    batch_tokens : int
        Tokens per batch, padding included; a longer example makes a batch of its own.
    device : str
        A torch device.

    Raises
    ------
    ValueError
        Naming a row without a token to measure; without examples.
    """
    if not examples:
        raise ValueError("there is no example to evaluate")
    parts = [render_parts(e, tokenizer, max_length, with_label=False) for e in examples]
    for example, part in zip(examples, parts, strict=True):
        if part.measured[0] == part.measured[1]:
            raise ValueError(f"row {example.row_id} has no token to measure: it is empty")
    # what follows the measured tokens cannot change their loss
    sequences = [part.ids[: part.measured[1]] for part in parts]
    nll = np.empty(len(examples))
    with _inference(model, device):
        for batch in length_batches([len(ids) for ids in sequences], batch_tokens):
            # one step ahead of the tokens, so that they line up with the logits
            targets = [
                [IGNORED_LABEL] * (parts[i].measured[0] - 1)
                + [*sequences[i][parts[i].measured[0] :], IGNORED_LABEL]
                for i in batch
            ]
            ids = pad_right([sequences[i] for i in batch], 0).to(device)
            logits = model(input_ids=ids, use_cache=False).logits
            nll[batch] = _nll(logits, pad_right(targets, IGNORED_LABEL).to(device))
    return ExampleLosses(
        row_id=np.array([e.row_id for e in examples], dtype=str),
        nll=nll,
        n_tokens=np.array([part.measured[1] - part.measured[0] for part in parts]),
        n_bytes=np.array([len(part.measured_text.encode("utf-8")) for part in parts]),
        n_truncated=np.array([part.n_truncated for part in parts]),
    )


def classify(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    max_length: int,
    device: str,
    batch_tokens: int = 4096,
) -> list[str]:
    """Label whose continuation of the text, its end of text included, is likeliest.

    The text is run once and its keys and values are shared by the labels. Ties go to the label
    that comes first in `labels`.

    Parameters
    ----------
    model, tokenizer, examples, max_length, device
        As for `evaluate`; the examples' own labels are not looked at.
    labels : sequence of str
        Distinct candidates.
    batch_tokens : int
        Tokens per batch, times the number of labels.

    Raises
    ------
    ValueError
        Without labels, with repeated ones, or when the longest leaves no room for text.
    """
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"labels must be distinct and at least one, got {list(labels)}")
    scores = label_scores(
        model,
        tokenizer,
        examples,
        labels,
        max_length=max_length,
        device=device,
        batch_tokens=batch_tokens,
    )
    return [str(labels[int(best)]) for best in scores.argmax(axis=1)]


def label_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    max_length: int,
    device: str,
    batch_tokens: int = 4096,
) -> np.ndarray:
    """Log-likelihood of each label after each text, in nats, of shape (n_examples, n_labels)."""
    import torch

    marker, *tails = tokenize(tokenizer, [LABEL_PREFIX, *(f" {label}" for label in labels)])
    tails = [[*tail, tokenizer.eos_token_id] for tail in tails]
    room = max_length - 1 - len(marker) - max(map(len, tails))
    if room < 1:
        raise ValueError(f"max_length={max_length} leaves no room for text beside the labels")
    lead = separator_id(tokenizer)
    prefixes = [[lead, *cut_text(tokenizer, e.text, room)[0], *marker] for e in examples]
    targets_KT = pad_right(tails, IGNORED_LABEL).to(device)
    # a label's last token, the end of text, is predicted but never fed; padding is fed and ignored
    fed_KT = targets_KT[:, :-1].clamp(min=0)
    scores = np.empty((len(examples), len(labels)))
    lengths = [len(prefix) for prefix in prefixes]
    with _inference(model, device):
        for batch in length_batches(lengths, max(1, batch_tokens // len(labels))):
            n, n_labels = len(batch), len(labels)
            ids = pad_right([prefixes[i] for i in batch], 0).to(device)
            length_B = torch.tensor([lengths[i] for i in batch], device=device)
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
            scores[batch] = -_nll(logits, targets_KT.repeat(n, 1)).reshape(n, n_labels)
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


def _nll(logits: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    """Sum the loss per row, float64: logits (B, T, V) already aligned with targets (B, T)."""
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORED_LABEL,
        reduction="none",
    )
    return losses.view(targets.shape).double().sum(dim=1).cpu().numpy()


def _inference(model: PreTrainedModel, device: str) -> Any:
    """Put the model in evaluation mode on `device`; no gradients inside."""
    import torch

    model.to(device).eval()  # pyright: ignore[reportArgumentType]
    return torch.inference_mode()
