"""In which precision a processor embeds: bfloat16 where it multiplies matrices in it."""

from __future__ import annotations

from typing import Literal

from selection.basics.hardware import has_bfloat16

EmbeddingPrecision = Literal["float32", "bfloat16"]
Wanted = Literal["auto", "float32", "bfloat16"]

MIN_COSINE = 0.999
"""Least cosine of a bfloat16 vector with the float32 one of the same text."""


def choose_precision(wanted: Wanted, device: str) -> EmbeddingPrecision:
    """Resolve `auto`: bfloat16 where the device has it.

    Raises
    ------
    ValueError
        When bfloat16 is asked for and the device does not have it.
    """
    if wanted == "float32":
        return "float32"
    if has_bfloat16(device):
        return "bfloat16"
    if wanted == "bfloat16":
        raise ValueError(
            f"embedding precision `bfloat16`: this {device} does not multiply in bfloat16"
            " (a CPU needs AMX or AVX512-BF16); set `auto` or `float32`"
        )
    return "float32"
