"""What of all that was spent do arms bear, and what is charged to none of them?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """What a step has spent.

    Attributes
    ----------
    asset, partition : what it made.
    flops, seconds : FLOPs, and seconds for which it held a device or a processor.
    current : whether what it made is what readers get; else it was lost, or made again since.
    """

    asset: str
    partition: str
    flops: float
    seconds: float
    current: bool = True


@dataclass(frozen=True)
class Borne:
    """The part of a step's cost that arms bear.

    Attributes
    ----------
    by : names of their methods.
    share : of its cost, from 0 to 1.
    rest : why nobody bears what is left; "" where nothing is.
    """

    by: frozenset[str]
    share: float
    rest: str = ""


@dataclass(frozen=True)
class Charge:
    """A part of the spending.

    Attributes
    ----------
    asset : that was made.
    by : names of the methods whose arms bear it; empty for what is charged to no arm.
    why : it is charged to none; "" for what is charged.
    flops, seconds : of all its partitions.
    """

    asset: str
    by: tuple[str, ...]
    why: str
    flops: float
    seconds: float


OUTDATED = "lost, or made again since"
"""Why nobody bears what was spent for nothing that is current."""


def divide(
    spent: Iterable[Spent],
    borne: Callable[[str, str], Borne | None],
    why: Callable[[str], str],
) -> list[Charge]:
    """Divide all that was spent into what arms bear and what none does; nothing is left out.

    Each step counts once, however many arms share it: the sums over what is returned are those
    over `spent`.

    Parameters
    ----------
    borne : for an asset and a partition, what arms bear of it; None for nothing.
    why : for an asset, why nobody bears it.

    Returns
    -------
    list of Charge
        What is charged first; then the dearest in seconds first.
    """
    sums: dict[tuple[str, tuple[str, ...], str], list[float]] = {}

    def add(one: Spent, share: float, by: Iterable[str], reason: str) -> None:
        if share <= 0:
            return
        total = sums.setdefault((one.asset, tuple(sorted(by)), reason), [0.0, 0.0])
        total[0] += share * one.flops
        total[1] += share * one.seconds

    for one in spent:
        part = borne(one.asset, one.partition) if one.current else None
        if part is None:
            add(one, 1.0, (), why(one.asset) if one.current else OUTDATED)
            continue
        add(one, part.share, part.by, "")
        add(one, 1.0 - part.share, (), part.rest)
    charges = [Charge(*what, *total) for what, total in sums.items()]
    return sorted(charges, key=lambda c: (bool(c.why), -c.seconds, c.asset))


COLUMNS = ["asset", "charged to", "FLOPs", "seconds"]


def charges_table(charges: Sequence[Charge]) -> tuple[list[str], list[list[str | float]]]:
    """What arms bear and what none does, with the sum of each, as headings and rows."""
    rows: list[list[str | float]] = []
    for charged, title in ((True, "all that arms bear"), (False, "all that no arm bears")):
        own = [one for one in charges if bool(one.by) == charged]
        for one in own:
            to = f"arms of {', '.join(one.by)}" if one.by else f"no arm: {one.why}"
            rows.append([one.asset, to, one.flops, one.seconds])
        sums = [sum((getattr(one, name) for one in own), 0.0) for name in ("flops", "seconds")]
        rows.append([title, "", *sums])
    return COLUMNS, rows


def shares_of(parts: Mapping[str, Mapping[str, float]]) -> dict[str, Borne]:
    """By asset, what the arms of some methods bear together, each step once.

    Parameters
    ----------
    parts : method to (asset to the share of its cost that an arm of it bears).
    """
    found: dict[str, Borne] = {}
    for method, own in parts.items():
        for asset, share in own.items():
            before = found.get(asset, Borne(frozenset(), 0.0))
            found[asset] = Borne(before.by | {method}, max(before.share, share))
    return found
