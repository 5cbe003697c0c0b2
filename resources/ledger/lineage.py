"""Questions to the ledger and the artifacts, each one SQL statement with bound values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources.ledger.ledger import Ledger
from resources.store.artifacts import Artifact, CorruptArtifact

Record = dict[str, Any]

SPENT = (
    "count(*) AS steps, sum(flops) AS flops, sum(device_seconds) AS device_seconds,"
    " sum(wall_seconds) AS wall_seconds, sum(usd) AS usd"
)
"""What is not known stays NULL: the FLOPs of a lost step, money without a price."""

CURRENT = """
    SELECT m.* FROM current_version c JOIN materialization m ON m.id = c.materialization
"""

FATES = f"""
WITH current AS ({CURRENT}),
read AS (
    SELECT c.id, c.asset, c.partition, c.data_version, i.upstream
    FROM current c JOIN input i ON i.materialization = c.id
)
SELECT subset.asset, subset.partition, subset.id AS subset, f.source, f.draw, f.fate, f.score,
    f.rank, f.margin, f.duplicate_of, f.n_tokens,
    checkpoint.data_version AS checkpoint, report.data_version AS report
FROM read_parquet(?, filename = true) f
JOIN current subset ON f.filename = ? || '/' || subset.path || '/fates.parquet'
LEFT JOIN read checkpoint ON checkpoint.upstream = subset.id AND f.fate = 'selected'
    AND ends_with(checkpoint.asset, '/finetuned_checkpoint')
LEFT JOIN read report ON report.upstream = checkpoint.id
    AND ends_with(report.asset, '/eval_report')
WHERE f.row_id = ?
ORDER BY subset.asset, subset.partition, f.draw, f.source
"""

ANCESTORS = f"""
WITH RECURSIVE up(id) AS (
    SELECT CAST(? AS VARCHAR)
    UNION
    SELECT i.upstream FROM input i JOIN up ON i.materialization = up.id
),
cost AS (SELECT materialization, {SPENT} FROM spend GROUP BY materialization),
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


def totals(ledger: Ledger) -> list[Record]:
    """What each campaign spent, by the state its steps ended in."""
    return ledger.query(
        f"SELECT campaign, state, {SPENT} FROM spend GROUP BY campaign, state"
        " ORDER BY campaign, state DESC"
    )


def spending(ledger: Ledger, campaign: str | None = None) -> list[Record]:
    """What each partition of each asset cost, all attempts together.

    Parameters
    ----------
    campaign : only what this study or pool paid.
    """
    return ledger.query(
        f"SELECT asset, partition, campaign, state, accountant, {SPENT} FROM spend"
        " WHERE campaign = coalesce(?, campaign) GROUP BY ALL"
        " ORDER BY asset, partition, state, accountant",
        [campaign],
    )


def plan_errors(ledger: Ledger, campaign: str) -> list[Record]:
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


def shares(ledger: Ledger) -> list[Record]:
    """What each campaign bears of all that was spent, shared work divided among those who use it.

    The other view is `totals`: there shared work stands once, with the pool.
    """
    return ledger.query(
        "SELECT share.campaign AS bearer, spend.campaign, count(*) AS steps,"
        " sum(share * flops) AS flops, sum(share * device_seconds) AS device_seconds,"
        " sum(share * usd) AS usd FROM share JOIN spend ON spend.id = share.spend"
        " WHERE state <> 'running' GROUP BY ALL ORDER BY bearer, spend.campaign"
    )


def cap_history(ledger: Ledger, campaign: str) -> list[Record]:
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
    return [_artifact(ledger, row) for row in found]


def find_rows(ledger: Ledger, prefix: str) -> list[Record]:
    """Rows of every pool whose id starts so: row_id, source, text, licence, origins, asset."""
    return _search(ledger, "raw_corpus", "rows.parquet", "row_id", prefix)


def find_quarantined(ledger: Ledger, prefix: str) -> list[Record]:
    """Rows set aside, by the hash of their raw bytes: source, origin, reason, asset."""
    return _search(ledger, "raw_corpus", "quarantine.parquet", "raw_sha256", prefix)


def find_fates(ledger: Ledger, row_id: str) -> list[Record]:
    """Follow a row to what became of it: row, subset, checkpoint, report.

    Returns
    -------
    list of dict
        One for each current arm and draw that decided on the row: the subset's asset and partition,
        the row's fate, and the versions of the checkpoint that trained on it and of its report.
    """
    files = _files(current_artifacts(ledger, "selected_subset"), "fates.parquet")
    if not files:
        return []
    return ledger.query(FATES, [files, str(ledger.artifacts), row_id])


def find_scores(ledger: Ledger, subset: str, method: str, row_id: str) -> list[Record]:
    """The scores and receipts of a row that a subset was chosen by, one for each draw.

    Parameters
    ----------
    subset : the subset's materialization; the versions that it read count, not today's.
    """
    read = ledger.query(
        "SELECT m.asset, m.partition, m.data_version, m.path, m.id FROM input i"
        " JOIN materialization m ON m.id = i.upstream"
        " WHERE i.materialization = ? AND ends_with(m.asset, '/' || ? || '_scores')",
        [subset, method],
    )
    files = _files([_artifact(ledger, row) for row in read], "scores.parquet")
    if not files:
        return []
    return ledger.query(
        "SELECT DISTINCT * FROM read_parquet(?) WHERE row_id = ? ORDER BY draw", [files, row_id]
    )


def ancestors(ledger: Ledger, materialization: str) -> list[Record]:
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


def count_training_rows(ledger: Ledger, node: Record) -> int | None:
    """How many different rows trained a checkpoint; None for what records no rows."""
    checkpoint = _artifact(ledger, node | {"data_version": node["version"]})
    if not (checkpoint.folder / "rows.parquet").is_file():
        return None
    files = _files([checkpoint], "rows.parquet")
    found = ledger.query("SELECT count(DISTINCT row_id) AS n FROM read_parquet(?)", [files])
    return found[0]["n"]


def verify_artifact(artifact: Artifact) -> str | None:
    """Hash an artifact in full; returns what is wrong with it."""
    try:
        artifact.verify()
    except (CorruptArtifact, OSError) as error:
        return str(error)
    return None


def _search(ledger: Ledger, asset: str, file: str, column: str, prefix: str) -> list[Record]:
    artifacts = current_artifacts(ledger, asset)
    files = _files(artifacts, file)
    if not files:
        return []
    # `column` is one of the two names above, never what somebody typed.
    found = ledger.query(
        f"SELECT * FROM read_parquet(?, filename = true) WHERE starts_with({column}, ?)"
        f" ORDER BY {column}, filename",
        [files, prefix],
    )
    assets = {path: artifact.asset for path, artifact in zip(files, artifacts, strict=True)}
    return [row | {"asset": assets[row["filename"]]} for row in found]


def _files(artifacts: Sequence[Artifact], name: str) -> list[str]:
    """Paths for SQL to read, each checked against its manifest first."""
    return [str(artifact.path(name)) for artifact in artifacts]


def _artifact(ledger: Ledger, row: Record) -> Artifact:
    return Artifact(
        row["asset"],
        row["partition"],
        row["data_version"],
        ledger.artifacts / row["path"],
        row["id"],
    )
