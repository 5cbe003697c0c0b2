"""A row as the windows in which a decoder reads all of it, one after the other.

A text longer than the decoder's window is cut into stretches of that many tokens, and each stretch
is read by itself: what came before it is not seen again, and its first token is predicted from the
token that separates rows, as that of a row is. So every token is predicted once, and none is left
out. A row's loss is the mean over its tokens, not over its windows.

An example with a label, a response or turns is read as training renders it, in one window, from
which its text or prompt gives way: an answer in another window than its question would be measured
without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.models.batches import length_batches, pad_right
from selection.models.examples import Example, render_parts, separator_id
from selection.models.packing import IGNORED_LABEL
from selection.models.tokenizer import count_tokens, required_id, tokenize

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TOKENIZED_AT_ONCE = 1024


@dataclass(frozen=True)
class Window:
    """What is fed, and what follows each token of it, `IGNORED_LABEL` where that is not measured.

    Both are of shape (w,), int.
    """

    ids: np.ndarray
    following: np.ndarray


@dataclass(frozen=True)
class WindowedRow:
    """One row.

    Attributes
    ----------
    windows : in the row's order; none of a text without a token.
    n_left_out : tokens of the row that are in none.
    """

    windows: list[Window]
    n_left_out: int = 0

    @property
    def n_read(self) -> int:
        """Tokens that are fed, in all windows."""
        return sum(len(window.ids) for window in self.windows)

    @property
    def n_measured(self) -> int:
        """Tokens whose prediction is measured."""
        return sum(int((window.following != IGNORED_LABEL).sum()) for window in self.windows)


def cut_into_windows(ids: np.ndarray, *, lead: int, longest: int) -> list[Window]:
    """Cut a text's tokens, (n,) int, into windows that begin with `lead`; none for no token."""
    windows = []
    for start in range(0, len(ids), longest):
        following = ids[start : start + longest]
        windows.append(Window(np.concatenate([[lead], following[:-1]]), following))
    return windows


def window_lengths(n_tokens: np.ndarray, longest: int) -> np.ndarray:
    """Tokens fed in each window of rows of so many tokens, (n,) int; int64, row after row.

    Parameters
    ----------
    n_tokens : of what is predicted, by which `cut_into_windows` cuts.
    """
    tokens = np.asarray(n_tokens, dtype=np.int64)
    of_row = -(-tokens // longest)
    widths = np.full(int(of_row.sum()), longest, dtype=np.int64)
    some = of_row > 0
    lasts = np.cumsum(of_row)[some] - 1
    widths[lasts] = tokens[some] - longest * (of_row[some] - 1)
    return widths


def window_texts(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, longest: int, *, with_end: bool
) -> list[WindowedRow]:
    """Cut plain texts into windows, tokenized many at a time.

    Parameters
    ----------
    with_end : whether the end of text is predicted too, as in training.
    """
    lead = separator_id(tokenizer)
    end = [required_id(tokenizer.eos_token_id)] if with_end else []
    rows = []
    for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
        for ids in tokenize(tokenizer, texts[start : start + _TOKENIZED_AT_ONCE]):
            whole = np.array([*ids, *end], dtype=np.int64)
            rows.append(WindowedRow(cut_into_windows(whole, lead=lead, longest=longest)))
    return rows


def window_examples(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, longest: int
) -> list[WindowedRow]:
    """Cut examples into windows, with what is trained on of them measured.

    Raises
    ------
    ValueError
        As `selection.models.examples.render_parts`.
    """
    texts = [e.text for e in examples if is_plain(e)]
    plain = iter(window_texts(texts, tokenizer, longest, with_end=True))
    return [next(plain) if is_plain(e) else _rendered(e, tokenizer, longest) for e in examples]


def training_windows(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, longest: int
) -> tuple[list[tuple[list[int], list[int]]], float]:
    """Cut examples into windows for `selection.models.training.train`.

    It feeds the last token of a window too, and so has room for one less.

    Returns
    -------
    dataset : list of (ids, loss_mask)
    share : of the examples' tokens that is in it.

    Raises
    ------
    ValueError
        As `selection.models.examples.render_parts`.
    """
    texts = [e.text for e in examples if is_plain(e)]
    plain = iter(window_texts(texts, tokenizer, longest - 1, with_end=True))
    dataset, left_out = [], 0
    for example in examples:
        if is_plain(example):
            for window in next(plain).windows:
                ids = [int(window.ids[0]), *window.following.tolist()]
                dataset.append((ids, [0] + [1] * len(window.following)))
        else:
            rendered = render_parts(example, tokenizer, longest)
            dataset.append((rendered.ids, rendered.loss_mask))
            left_out += rendered.n_truncated
    return dataset, share_of(sum(len(ids) - 1 for ids, _ in dataset), left_out)


def training_widths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Tokens of each of the `training_windows` of examples of these `read_lengths`."""
    return window_lengths(lengths, longest - 1) + 1


def read_lengths(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, longest: int
) -> np.ndarray:
    """Tokens that `window_examples` feeds of each example, int64 of shape (n,)."""
    counts = iter(count_tokens(tokenizer, [e.text for e in examples if is_plain(e)]).tolist())
    lengths = [
        next(counts) if is_plain(e) else len(render_parts(e, tokenizer, longest).ids) - 1
        for e in examples
    ]
    return np.array(lengths, dtype=np.int64)


def is_plain(example: Example) -> bool:
    """Whether an example is nothing but its text."""
    return example.turns is None and example.response is None and example.label is None


def share_of(n_read: int, n_left_out: int) -> float:
    """Share of the tokens that are read; 1 where there are none."""
    return n_read / (n_read + n_left_out) if n_read else 1.0


def windows_nll(
    model: PreTrainedModel,
    windows: Sequence[Window],
    *,
    device: str,
    batch_tokens: int,
    shortest_share: float = 0.0,
) -> np.ndarray:
    """Sum the negative log-likelihoods measured in each window: nats, float64 of shape (n,).

    Padding is on the right, where causal attention never looks.

    Parameters
    ----------
    model : PreTrainedModel
        A decoder; moved to `device`, in evaluation mode from then on.
    batch_tokens, shortest_share : as in `selection.models.batches.length_batches`.
    """
    nll = np.zeros(len(windows))
    lengths = [len(window.ids) for window in windows]
    with inference(model, device):
        for batch in length_batches(lengths, batch_tokens, shortest_share=shortest_share):
            ids = pad_right([windows[i].ids for i in batch], 0).to(device)
            following = pad_right([windows[i].following for i in batch], IGNORED_LABEL).to(device)
            nll[batch] = summed_nll(model(input_ids=ids, use_cache=False).logits, following)
    return nll


def summed_nll(logits: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    """Sum the loss per row, float64: logits (B, T, V) already aligned with targets (B, T)."""
    import torch
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(
        logits.flatten(0, 1).to(torch.promote_types(logits.dtype, torch.float32)),
        targets.flatten(),
        ignore_index=IGNORED_LABEL,
        reduction="none",
    )
    return losses.view(targets.shape).double().sum(dim=1).cpu().numpy()


def inference(model: PreTrainedModel, device: str) -> Any:
    """Put the model in evaluation mode on `device`; no gradients inside."""
    import torch

    model.to(device).eval()  # pyright: ignore[reportArgumentType]
    return torch.inference_mode()


def _rendered(example: Example, tokenizer: PreTrainedTokenizerBase, longest: int) -> WindowedRow:
    rendered = render_parts(example, tokenizer, longest)
    ids, mask = np.array(rendered.ids, dtype=np.int64), np.array(rendered.loss_mask, dtype=bool)
    following = np.where(mask, ids, IGNORED_LABEL)[1:]
    return WindowedRow([Window(ids[:-1], following)], rendered.n_truncated)
