"""Questions about one row of the artifacts, each one SQL statement with bound values.

Which assets hold rows, and in which files, the floor above says.
"""

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import CURRENT, Record, current_artifacts, files_of

FOLLOW = f"""
WITH current AS ({CURRENT}),
read AS (
    SELECT c.id, c.asset, c.data_version, i.upstream
    FROM current c JOIN input i ON i.materialization = c.id
)
SELECT holder.asset, holder.partition, holder.id AS holder, f.* EXCLUDE (row_id, filename),
    reader.data_version AS reader, last.data_version AS last_reader
FROM read_parquet(?, filename = true) f
JOIN current holder ON f.filename = ? || '/' || holder.path || '/' || ?
LEFT JOIN read reader ON reader.upstream = holder.id AND ends_with(reader.asset, '/' || ?)
LEFT JOIN read last ON last.upstream = reader.id AND ends_with(last.asset, '/' || ?)
WHERE f.row_id = ?
ORDER BY holder.asset, holder.partition, f.draw, f.source
"""


def search_rows(ledger: Ledger, asset: str, file: str, column: str, prefix: str) -> list[Record]:
    """Rows of an asset's current versions of which a column starts so, each with its `asset`.

    Parameters
    ----------
    asset : its name in any study or pool.
    column : of the Parquet file; one of the names written in the code.
    """
    artifacts = current_artifacts(ledger, asset)
    files = files_of(artifacts, file)
    if not files:
        return []
    found = ledger.query(
        f"SELECT * FROM read_parquet(?, filename = true) WHERE starts_with({column}, ?)"
        f" ORDER BY {column}, filename",
        [files, prefix],
    )
    assets = {path: artifact.asset for path, artifact in zip(files, artifacts, strict=True)}
    return [row | {"asset": assets[row["filename"]]} for row in found]


def follow_row(
    ledger: Ledger, row_id: str, *, asset: str, file: str, readers: tuple[str, str]
) -> list[Record]:
    """Follow a row from the versions that hold it to what was made of them.

    Parameters
    ----------
    asset, file : what holds rows with `row_id`, `draw` and `source`.
    readers : name of an asset that reads that one, and of one that reads it in turn.

    Returns
    -------
    list of dict
        One for each current version that holds the row, and draw: its asset and partition, its
        materialization `holder`, the file's columns, and the versions of its `reader` and
        `last_reader`.
    """
    files = files_of(current_artifacts(ledger, asset), file)
    if not files:
        return []
    return ledger.query(FOLLOW, [files, str(ledger.artifacts), file, *readers, row_id])


def rows_read(
    ledger: Ledger, materialization: str, asset: str, file: str, row_id: str
) -> list[Record]:
    """What a version read of a row, from an input's file, by draw.

    Parameters
    ----------
    materialization : the reader; the versions that it read count, not today's.
    asset : name of the input.
    """
    read = ledger.query(
        "SELECT m.asset, m.partition, m.data_version, m.path, m.id FROM input i"
        " JOIN materialization m ON m.id = i.upstream"
        " WHERE i.materialization = ? AND ends_with(m.asset, '/' || ?)",
        [materialization, asset],
    )
    files = files_of([ledger.artifact(row) for row in read], file)
    if not files:
        return []
    return ledger.query(
        "SELECT DISTINCT * FROM read_parquet(?) WHERE row_id = ? ORDER BY draw", [files, row_id]
    )
