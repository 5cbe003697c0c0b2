"""Draws that depend on a row and a seed, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


def keyed_uniform(row_id: Iterable[str], *, seed: int, purpose: str) -> np.ndarray:
    """Uniform numbers in [0, 1) that depend on (purpose, seed, row id) and on nothing else.

    A random generator's stream would tie a row's number to its place in the batch; a keyed hash
    gives the same draw whatever the order, the batches or the shards.

    Parameters
    ----------
    row_id : iterable of str
    seed : int
        Any integer of 64 bits, signed.
    purpose : str
        At most 16 bytes; draws for different purposes are independent.

    Returns
    -------
    np.ndarray of shape (n,), float64
    """
    base = blake2b(
        key=seed.to_bytes(8, "little", signed=True), person=purpose.encode(), digest_size=8
    )
    digests = bytearray()
    for one in row_id:
        keyed = base.copy()
        keyed.update(one.encode())
        digests += keyed.digest()
    # 53 bits: exactly what a double holds in [0, 1).
    return (np.frombuffer(bytes(digests), dtype="<u8") >> np.uint64(11)) * 2.0**-53


def keyed_gumbel(row_id: Iterable[str], *, seed: int, purpose: str) -> np.ndarray:
    """Standard Gumbel numbers of rows, keyed as those of `keyed_uniform`.

    The k largest of log w_i + G_i are k rows drawn one after another, each with a probability
    proportional to its weight among the rows that are left (Efraimidis and Spirakis, 2006, in the
    logarithmic form of Kool et al., arXiv 1903.06059, section 2.3).

    Returns
    -------
    np.ndarray of shape (n,), float64
        Finite, from -3.7 to 36.8.
    """
    uniform = keyed_uniform(row_id, seed=seed, purpose=purpose)
    # The draw can be 0, whose logarithm is not finite; half of its step stands for it.
    return -np.log(-np.log(np.maximum(uniform, 2.0**-54)))
