"""A decoder small enough to retrain for every row, and rows of token chains for it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from selection.methods.gradient.lora import Adapted, adapt
from selection.models.base import new_model, tiny_config
from selection.models.windows import WindowedRow, cut_into_windows

LONGEST = 16
VOCABULARY = 40


def make_decoder(
    folder: Path,
    *,
    architecture: Literal["llama", "gpt_neox"] = "llama",
    layers: int = 1,
    rank: int = 4,
) -> Adapted:
    config = tiny_config(
        architecture,
        width=16,
        layers=layers,
        heads=2,
        ffn_width=32,
        vocabulary=VOCABULARY,
        sequence_length=LONGEST,
    )
    new_model(config, seed=0).save_pretrained(folder)
    return adapt(folder, rank=rank, seed=0, device="cpu")


def make_rows(
    kind: int, n: int, rng: np.random.Generator, *, length: int | None = None, most: int = LONGEST
) -> list[WindowedRow]:
    """Chains in which four of five tokens follow from the one before, by a rule of the kind.

    Each is read in windows of `LONGEST` tokens, of which its first is not one.
    """
    follows = np.random.default_rng(kind).permutation(VOCABULARY)
    rows = []
    for _ in range(n):
        ids = [int(rng.integers(VOCABULARY))]
        for _ in range((length or int(rng.integers(2, most + 1))) - 1):
            follow = rng.random() < 0.8
            ids.append(int(follows[ids[-1]] if follow else rng.integers(VOCABULARY)))
        windows = cut_into_windows(np.array(ids[1:]), lead=ids[0], longest=LONGEST)
        rows.append(WindowedRow(windows))
    return rows
