"""How much memory and disk will selecting take at most, and which setting makes it less?

Figures of a row are those of `benchmarks/pool.py`, rounded up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selection.config.study import Study
from selection.planning.arms import PoolSize, cost_inputs

PROCESS = 0.8e9
"""Bytes of a process that has Dagster, Arrow and torch, and a piece of rows in hand."""

WORKER = 0.4e9
"""Bytes of a process beside it that computes blocks."""

READING = 2.0
"""Times what rows of a source may take: as they are read, and as they are sorted."""

TEXT_COPIES = 4.0
"""Of a small source's texts, all of which are held while it is read."""

CHOOSING = 450.0
"""Bytes of a row of the pool while an arm's rows are chosen: its id, score, tokens and fate."""

VECTOR_COPIES = 2.0
"""Of the vectors on disk: block by block, and as they are published."""

ON_DISK = 350.0
"""Bytes of a row on disk: its id in several files, its counts, what leaks are told by."""

SCORES_ON_DISK = 150.0
"""Bytes of a row's score in one draw of a method, with its receipts, while it is published."""

GB = 1e9


@dataclass(frozen=True)
class Need:
    """Memory at the peak of one step, with all that is there besides.

    Attributes
    ----------
    step : in words.
    bytes : float
    remedy : what makes it less, as a sentence's end.
    """

    step: str
    bytes: float
    remedy: str


def memory_needs(
    study: Study, size: PoolSize, text_bytes: float, *, memory_mib: int, workers: int
) -> list[Need]:
    """What each kind of step needs, the largest first.

    Parameters
    ----------
    text_bytes : of the pool's texts.
    memory_mib : of the pool.
    workers : processes that compute blocks; with one it is the step's own.
    """
    there = PROCESS + (WORKER * workers if workers > 1 else 0.0)
    reading = READING * min(memory_mib * 2**20, TEXT_COPIES * text_bytes)
    needs = [
        Need("reading a source", PROCESS + reading, "set a smaller `memory_mib` of the pool"),
        Need("choosing rows", there + CHOOSING * size.rows, "select from a part of the pool"),
    ]
    for name, named in study.named_methods.items():
        held = named.method.memory(cost_inputs(size, named.options))
        less = f"set a smaller `{held.less_by}` of {name}, or " if held.less_by else ""
        needs.append(Need(name, there + held.bytes, f"{less}leave {name} out"))
    return sorted(needs, key=lambda need: -need.bytes)


def disk_needs(study: Study, size: PoolSize, text_bytes: float) -> dict[str, float]:
    """Bytes that a selection's versions take, from the rows that are read on.

    Returns
    -------
    dict
        `vectors`, each method's scores by its name, and `rest`.
    """
    draws = {
        name: len(study.seeds) if named.draws_per_seed else 1
        for name, named in study.named_methods.items()
    }
    return {
        "vectors": VECTOR_COPIES * 2.0 * size.width * size.rows,
        **{name: SCORES_ON_DISK * size.rows * n for name, n in draws.items()},
        "rest": text_bytes + ON_DISK * size.rows,
    }


def too_large(needs: Sequence[Need], memory: float, *, workers: int) -> str:
    """Say why a machine's memory is too small, and what to do; "" where it is not.

    Parameters
    ----------
    needs : the largest first.
    memory : bytes of the machine.
    """
    most = needs[0]
    if most.bytes <= memory:
        return ""
    fewer = WORKER * workers if workers > 1 else 0.0
    one = "set `engine: {kind: local, workers: 1}` in project.yaml, or " if fewer else ""
    remedy = one if most.bytes - fewer <= memory else ""
    return (
        f"{most.step} takes about {most.bytes / GB:.1f} GB of memory, with all that is there"
        f" besides, and this machine has {memory / GB:.1f} GB: {remedy}{most.remedy}"
    )
