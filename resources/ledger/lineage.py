"""Questions to the ledger and the artifacts, each one SQL statement with bound values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources.ledger.ledger import Ledger
from resources.store.artifacts import Artifact

LedgerRow = dict[str, Any]

SUMS = (
    "count(*) AS steps, sum(flops) AS flops, sum(device_seconds) AS device_seconds,"
    " sum(wall_seconds) AS wall_seconds, sum(usd) AS usd"
)
"""What is not known stays NULL: the FLOPs of a lost step, money without a price."""

CURRENT = """
    SELECT m.* FROM current_version c JOIN materialization m ON m.id = c.materialization
"""

ANCESTORS = f"""
WITH RECURSIVE up(id) AS (
    SELECT CAST(? AS VARCHAR)
    UNION
    SELECT i.upstream FROM input i JOIN up ON i.materialization = up.id
),
cost AS (SELECT materialization, {SUMS} FROM spend GROUP BY materialization),
edge AS (
    SELECT materialization, list(upstream ORDER BY upstream) AS upstream
    FROM input GROUP BY materialization
)
SELECT up.id, m.asset, m.partition, m.data_version AS version, m.rows, m.run_id AS run,
    m.finished_at, m.path, cost.flops, cost.device_seconds, cost.wall_seconds, cost.usd,
    coalesce(edge.upstream, []) AS upstream
FROM up LEFT JOIN materialization m ON m.id = up.id
LEFT JOIN cost ON cost.materialization = up.id
LEFT JOIN edge ON edge.materialization = up.id
ORDER BY m.asset, m.partition, up.id
"""


def totals(ledger: Ledger) -> list[LedgerRow]:
    """What each campaign spent, by the state its steps ended in."""
    return ledger.query(
        f"SELECT campaign, state, {SUMS} FROM spend GROUP BY campaign, state"
        " ORDER BY campaign, state DESC"
    )


def spending(ledger: Ledger, campaign: str | None = None) -> list[LedgerRow]:
    """What each partition of each asset cost, all attempts together.

    Parameters
    ----------
    campaign : only what this study or pool paid.
    """
    return ledger.query(
        f"SELECT asset, partition, campaign, state, accountant, {SUMS} FROM spend"
        " WHERE campaign = coalesce(?, campaign) GROUP BY ALL"
        " ORDER BY asset, partition, state, accountant",
        [campaign],
    )


def plan_errors(ledger: Ledger, campaign: str) -> list[LedgerRow]:
    """What was expected of each asset that a campaign pays for, and what it took.

    Returns
    -------
    list of dict
        asset, steps, planned_flops, flops, planned_seconds, device_seconds: sums over its settled
        steps that had a forecast; `flops_error` and `seconds_error` are shares of the forecast,
        None where there was none.
    """
    return ledger.query(
        "SELECT asset, count(*) AS steps, sum(planned_flops) AS planned_flops,"
        " sum(flops) AS flops,"
        " sum(planned_seconds) AS planned_seconds,"
        " sum(device_seconds) FILTER (planned_seconds IS NOT NULL) AS device_seconds,"
        " sum(flops) FILTER (planned_flops > 0) / nullif(sum(planned_flops), 0) - 1"
        " AS flops_error,"
        " sum(device_seconds) FILTER (planned_seconds > 0) / nullif(sum(planned_seconds), 0) - 1"
        " AS seconds_error"
        " FROM spend WHERE state = 'settled' AND materialization IS NOT NULL AND resumed_flops = 0"
        " AND planned_flops IS NOT NULL AND id IN (SELECT spend FROM share WHERE campaign = ?)"
        " GROUP BY asset ORDER BY asset",
        [campaign],
    )


def shares(ledger: Ledger) -> list[LedgerRow]:
    """What each campaign bears of all that was spent, shared work divided among those who use it.

    The other view is `totals`: there shared work stands once, with the pool.
    """
    return ledger.query(
        "SELECT share.campaign AS bearer, spend.campaign, count(*) AS steps,"
        " sum(share * flops) AS flops, sum(share * device_seconds) AS device_seconds,"
        " sum(share * usd) AS usd FROM share JOIN spend ON spend.id = share.spend"
        " WHERE state <> 'running' GROUP BY ALL ORDER BY bearer, spend.campaign"
    )


def cap_history(ledger: Ledger, campaign: str) -> list[LedgerRow]:
    """Every change of a campaign's cap: when, to what, by whom and why."""
    return ledger.query(
        "SELECT made_at, body->>'unit' AS unit, (body->>'amount')::DOUBLE AS amount,"
        " body->>'actor' AS actor, body->>'reason' AS reason FROM entry"
        " WHERE kind = 'cap' AND subject = ? ORDER BY seq",
        [campaign],
    )


def current_artifacts(ledger: Ledger, name: str = "") -> list[Artifact]:
    """Every current version, or those of the assets called `name` in any study or pool."""
    found = ledger.query(
        f"SELECT asset, partition, data_version, path, id FROM ({CURRENT})"
        " WHERE ? = '' OR ends_with(asset, '/' || ?) ORDER BY asset, partition",
        [name, name],
    )
    return [ledger.artifact(row) for row in found]


def ancestors(ledger: Ledger, materialization: str) -> list[LedgerRow]:
    """Everything that a materialization was made from, itself included, with what each cost.

    Raises
    ------
    LookupError
        When the ledger names an input that it does not hold.
    """
    found = ledger.query(ANCESTORS, [materialization])
    orphans = [row["id"] for row in found if row["asset"] is None]
    if orphans:
        raise LookupError(f"the ledger names {orphans[0]} as an input but does not hold it")
    return found


def read_by(ledger: Ledger, made: Artifact) -> list[Artifact]:
    """Return the versions that one was made from directly, be they current or not."""
    found = ledger.query(
        "SELECT m.asset, m.partition, m.data_version, m.path, m.id FROM input i"
        " JOIN materialization m ON m.id = i.upstream WHERE i.materialization = ?"
        " ORDER BY m.asset, m.partition",
        [made.materialization],
    )
    return [ledger.artifact(row) for row in found]


def inputs_called(ledger: Ledger, made: Artifact, name: str) -> dict[str, Artifact]:
    """Return by partition the versions of assets called so that one was made from directly."""
    return {a.partition: a for a in read_by(ledger, made) if a.asset.endswith(f"/{name}")}


def find_materialization(ledger: Ledger, folder: Path) -> str | None:
    """Id of the version that a folder, or a folder inside it, belongs to; a current one first."""
    if not folder.is_relative_to(ledger.artifacts):
        return None
    found = ledger.query(
        "SELECT m.id FROM materialization m LEFT JOIN current_version c"
        " ON c.materialization = m.id WHERE starts_with(? || '/', m.path || '/')"
        " ORDER BY c.materialization IS NULL, m.finished_at DESC LIMIT 1",
        [folder.relative_to(ledger.artifacts).as_posix()],
    )
    return found[0]["id"] if found else None


def count_training_rows(ledger: Ledger, node: LedgerRow) -> int | None:
    """How many different rows trained a checkpoint; None for what records no rows."""
    checkpoint = ledger.artifact(node | {"data_version": node["version"]})
    if "rows.parquet" not in checkpoint.files():
        return None
    files = files_of([checkpoint], "rows.parquet")
    found = ledger.query("SELECT count(DISTINCT row_id) AS n FROM read_parquet(?)", [files])
    return found[0]["n"]


def files_of(artifacts: Sequence[Artifact], name: str) -> list[str]:
    """Paths for SQL to read, each checked against its manifest first."""
    return [str(artifact.path(name)) for artifact in artifacts]


def spent_by_step(ledger: Ledger, campaigns: Sequence[str]) -> list[LedgerRow]:
    """What some campaigns' steps that are over have spent, by what they made.

    Returns
    -------
    list of dict
        asset, partition, current (whether it was spent for a version that is current), flops,
        seconds, devices (names).
    """
    return ledger.query(
        "SELECT asset, partition, coalesce(state = 'settled' AND materialization IN"
        " (SELECT materialization FROM current_version), false) AS current,"
        " coalesce(sum(flops), 0) AS flops, coalesce(sum(device_seconds), 0) AS seconds,"
        " list(DISTINCT device ORDER BY device) AS devices"
        " FROM spend WHERE state <> 'running' AND list_contains(?, campaign)"
        " GROUP BY ALL ORDER BY asset, partition, current",
        [list(campaigns)],
    )


def cost_to_make(ledger: Ledger, assets: Sequence[str]) -> list[LedgerRow]:
    """What making each current version of some assets took, by the last time that it was made.

    Returns
    -------
    list of dict
        asset, partition, flops, seconds. What an interrupted attempt had done counts at the rate
        of the one that finished; None where that did nothing by itself, and of steps whose
        seconds were not yet counted when they ran, which have the device "none".
    """
    return ledger.query(
        "SELECT asset, partition, flops + coalesce(resumed_flops, 0) AS flops,"
        " CASE WHEN device = 'none' THEN NULL"
        " WHEN coalesce(resumed_flops, 0) = 0 THEN device_seconds WHEN flops > 0"
        " THEN device_seconds * (flops + resumed_flops) / flops END AS seconds"
        " FROM spend WHERE state = 'settled' AND list_contains(?, asset) AND materialization IN"
        " (SELECT materialization FROM current_version)"
        " QUALIFY row_number() OVER (PARTITION BY materialization ORDER BY ended_at DESC) = 1"
        " ORDER BY asset, partition",
        [list(assets)],
    )
