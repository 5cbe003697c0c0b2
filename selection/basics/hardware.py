"""What a processor can do, asked once and in one place."""

from __future__ import annotations

import os

BFLOAT16_VARIABLE = "SELECTION_BFLOAT16"


def has_bfloat16(device: str) -> bool:
    """Whether a torch device multiplies bfloat16 matrices in hardware; without, they are slower.

    ``$SELECTION_BFLOAT16`` may answer in its place: `no` hides it, as on an older processor; `yes`
    claims it, which at worst is slow; `auto`, like no value, asks the hardware.

    Parameters
    ----------
    device : torch's name of it, such as ``cpu`` or ``cuda:0``.

    Raises
    ------
    ValueError
        When the variable holds anything else.
    """
    said = os.environ.get(BFLOAT16_VARIABLE, "auto")
    if said not in ("no", "yes", "auto"):
        raise ValueError(f"${BFLOAT16_VARIABLE} is {said!r}; it must be no, yes or auto")
    return _in_hardware(device) if said == "auto" else said == "yes"


def _in_hardware(device: str) -> bool:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))
