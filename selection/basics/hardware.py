"""What a processor can do, asked once and in one place."""

from __future__ import annotations


def has_bfloat16(device: str) -> bool:
    """Whether a torch device multiplies bfloat16 matrices in hardware; without, they are slower."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))
