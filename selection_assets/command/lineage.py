"""`selection lineage`: what a checkpoint was made from, up to the sources."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import LedgerRow, ancestors, count_training_rows, find_materialization
from resources.store.artifacts import UNPARTITIONED
from selection.basics.brevity import some_of
from selection.reports.numbers import number


class NotInLedger(LookupError):
    """Something that no materialization of the ledger answers to."""


def find_lineage(ledger: Ledger, name: str) -> dict[str, Any]:
    """Collect all that a version was made from.

    Parameters
    ----------
    name : `asset[partition]`, an asset without partitions, or a path inside the artifact store.

    Raises
    ------
    NotInLedger
        When there is no such version.
    """
    start = _find(ledger, name)
    nodes = {node["id"]: node for node in ancestors(ledger, start)}
    return {
        "id": start,
        "name": _name(nodes[start]),
        "rows_trained": count_training_rows(ledger, nodes[start]),
        "sources": [_name(node) for node in nodes.values() if not node["upstream"]],
        "materializations": list(nodes.values()),
    }


def lineage_text(found: dict[str, Any]) -> str:
    """Lay out the ancestors as a tree; each is unfolded where it first appears."""
    nodes = {node["id"]: node for node in found["materializations"]}
    trained = found["rows_trained"]
    summary = f"{found['name']} was made from {len(nodes) - 1} materializations"
    summary += f", {len(found['sources'])} of which read nothing else"
    if trained is not None:
        summary += f"; {number(trained)} rows trained it"
    return "\n".join([*_tree(nodes, found["id"], 0, set()), "", summary])


def _tree(nodes: dict[str, LedgerRow], id_: str, depth: int, seen: set[str]) -> Iterator[str]:
    node = nodes[id_]
    indent = "  " * depth
    if id_ in seen:
        yield f"{indent}{_name(node)} (above)"
        return
    seen.add(id_)
    cost = f"{number(node['flops'])} FLOPs, {number(node['wall_seconds'])} s"
    yield (
        f"{indent}{_name(node)} version {node['version'][:8]}, {number(node['rows'])} rows,"
        f" run {node['run'][:8]}, {node['finished_at']:%Y-%m-%d %H:%M}, {cost}"
    )
    order = sorted(node["upstream"], key=lambda up: (nodes[up]["asset"], nodes[up]["partition"]))
    for upstream in order:
        yield from _tree(nodes, upstream, depth + 1, seen)


def _find(ledger: Ledger, name: str) -> str:
    named = re.fullmatch(r"(?P<asset>[^\[\]]+?)(?:\[(?P<partition>[^\[\]]+)\])?", name)
    if named:
        current = ledger.current_versions(named["asset"])
        for key, artifact in current.items():
            if named["partition"] in _spellings(key):
                return artifact.materialization
        if current:
            known = ", ".join(some_of([_spellings(key)[0] or "no partition" for key in current]))
            raise NotInLedger(f"{named['asset']} has no current {name!r}; there are: {known}")
    found = find_materialization(ledger, Path(name).resolve())
    if found is None:
        raise NotInLedger(f"{name!r} is neither an asset with a current version nor in the store")
    return found


def _spellings(partition: str) -> list[str | None]:
    """How a person may write a partition; the nicest first."""
    if partition == UNPARTITIONED:
        return [None, UNPARTITIONED]
    if "|" not in partition:
        return [partition]
    budget, method = partition.split("|")
    return [f"{method} x {budget}", partition]


def _name(node: LedgerRow) -> str:
    partition = _spellings(node["partition"])[0]
    return f"{node['asset']}[{partition}]" if partition else node["asset"]
