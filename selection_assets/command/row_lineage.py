"""What does the ledger know of a row: in the pool, in quarantine, in subsets and in scores?"""

from collections.abc import Collection, Iterator, Mapping

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import CURRENT, LedgerRow, current_artifacts, files_of
from resources.store.artifacts import Artifact
from selection.subset.fates import SELECTED

OF_A_ROW = f"""
WITH current AS ({CURRENT}),
read AS (
    SELECT c.id, c.asset, c.data_version, i.upstream
    FROM current c JOIN input i ON i.materialization = c.id
)
SELECT subset.asset, subset.partition, subset.id AS subset, f.* EXCLUDE (place, filename),
    checkpoint.data_version AS checkpoint, report.data_version AS report
FROM read_parquet(?, filename = true) f
JOIN current subset ON f.filename = ? || '/' || subset.path || '/fates.parquet'
LEFT JOIN read checkpoint ON checkpoint.upstream = subset.id AND f.fate = ?
    AND ends_with(checkpoint.asset, '/finetuned_checkpoint')
LEFT JOIN read report ON report.upstream = checkpoint.id AND ends_with(report.asset, '/eval_report')
WHERE f.source = ? AND f.place = ?
"""
IN_ORDER = ("asset", "partition", "draw", "source")


def find_rows(ledger: Ledger, prefix: str) -> list[LedgerRow]:
    """Rows of every pool whose id starts so: row_id, source, text, licence, origins, asset."""
    return _search(ledger, "rows.parquet", "row_id", prefix)


def find_quarantined(ledger: Ledger, prefix: str) -> list[LedgerRow]:
    """Rows set aside, by the hash of their raw bytes: source, origin, reason, asset."""
    return _search(ledger, "quarantine.parquet", "raw_sha256", prefix)


def find_fates(ledger: Ledger, row_id: str) -> list[LedgerRow]:
    """Follow a row to what became of it: row, subset, checkpoint, report.

    Returns
    -------
    list of dict
        One for each current arm and draw that decided on the row: the subset's asset and partition,
        the row's fate, and the versions of the checkpoint that trained on it and of its report.
    """
    subsets = {
        subset.materialization: str(subset.path("fates.parquet"))
        for subset in current_artifacts(ledger, "selected_subset")
    }
    found: list[LedgerRow] = []
    told = _telling_places(ledger, subsets)
    for (source, place), ids in _places(ledger, told, row_id).items():
        files = [subsets[id_] for id_ in ids]
        found += ledger.query(OF_A_ROW, [files, str(ledger.artifacts), SELECTED, source, place])
    return sorted(found, key=lambda row: [row[name] for name in IN_ORDER])


def find_scores(
    ledger: Ledger, methods: Mapping[str, str], row_id: str
) -> dict[str, list[LedgerRow]]:
    """The scores and receipts of a row that subsets were chosen by.

    Parameters
    ----------
    methods : of each subset, by its materialization; the versions that it read count, not today's.

    Returns
    -------
    dict of list of dict
        By subset, one for each draw and each `partition`, the source that has the row.
    """
    of_subset: dict[str, list[Artifact]] = {subset: [] for subset in methods}
    for subset, artifact in _read_by_each(ledger, list(methods), "_scores"):
        if artifact.asset.endswith(f"/{methods[subset]}_scores"):
            of_subset[subset].append(artifact)
    # The budgets of a method read the same scores: these are looked through once.
    found: dict[tuple[Artifact, ...], list[LedgerRow]] = {(): []}
    for artifacts in map(tuple, of_subset.values()):
        if artifacts not in found:
            files = files_of(artifacts, "scores.parquet")
            rows = ledger.query(
                "SELECT DISTINCT * FROM read_parquet(?, filename = true) WHERE row_id = ?"
                " ORDER BY draw, filename",
                [files, row_id],
            )
            source = dict(zip(files, (a.partition for a in artifacts), strict=True))
            for row in rows:
                row["partition"] = source[row.pop("filename")]
            found[artifacts] = rows
    return {subset: found[tuple(artifacts)] for subset, artifacts in of_subset.items()}


def _telling_places(ledger: Ledger, subsets: Mapping[str, str]) -> list[str]:
    """Subsets whose fates name rows by their places, as earlier versions of this program did not.

    Those are of arms that cannot run any more, or of studies that are gone.
    """
    if not subsets:
        return []
    found = ledger.query(
        "SELECT DISTINCT file_name FROM parquet_schema(?) WHERE name = 'place'",
        [list(subsets.values())],
    )
    told = {row["file_name"] for row in found}
    return [subset for subset, file in subsets.items() if file in told]


def _places(ledger: Ledger, subsets: list[str], row_id: str) -> dict[tuple[str, int], list[str]]:
    """Where a row stands in the sources that subsets were chosen from, each with these subsets.

    Mostly all have read the same rows; where a source has changed since, a row has moved.
    """
    readers: dict[Artifact, list[str]] = {}
    for subset, artifact in _read_by_each(ledger, subsets, "/raw_corpus"):
        readers.setdefault(artifact, []).append(subset)
    if not readers:
        return {}
    files = dict(zip(files_of(list(readers), "rows.parquet"), readers, strict=True))
    found = ledger.query(
        "SELECT filename, source, file_row_number AS place"
        " FROM read_parquet(?, filename = true, file_row_number = true) WHERE row_id = ?",
        [list(files), row_id],
    )
    places: dict[tuple[str, int], list[str]] = {}
    for row in found:
        of_file = readers[files[row["filename"]]]
        places.setdefault((row["source"], row["place"]), []).extend(of_file)
    return places


def _read_by_each(
    ledger: Ledger, subsets: list[str], ending: str
) -> Iterator[tuple[str, Artifact]]:
    """Each subset with each version that it read of the assets whose names end so."""
    read = ledger.query(
        "SELECT i.materialization AS subset, m.asset, m.partition, m.data_version, m.path, m.id"
        " FROM input i JOIN materialization m ON m.id = i.upstream"
        " WHERE list_contains(?, i.materialization) AND ends_with(m.asset, ?)"
        " ORDER BY m.asset, m.partition",
        [subsets, ending],
    )
    for row in read:
        yield row["subset"], ledger.artifact(row)


def find_texts(ledger: Ledger, target: Artifact, row_ids: Collection[str]) -> dict[str, str]:
    """The texts of some examples of a target, by row id."""
    found = ledger.query(
        "SELECT row_id, text FROM read_parquet(?) WHERE list_contains(?, row_id)",
        [files_of([target], "rows.parquet"), list(row_ids)],
    )
    return {row["row_id"]: row["text"] for row in found}


def count_tokens_before(ledger: Ledger, subset: Artifact, draw: int, rank: int) -> int:
    """How many tokens of a subset had been selected when the turn of a rank came."""
    found = ledger.query(
        "SELECT coalesce(sum(n_tokens), 0) AS n FROM read_parquet(?) WHERE draw = ? AND rank < ?",
        [files_of([subset], "subset.parquet"), draw, rank],
    )
    return found[0]["n"]


def _search(ledger: Ledger, file: str, column: str, prefix: str) -> list[LedgerRow]:
    """Rows of the sources of which a column, named in the code, starts so, each with its asset."""
    artifacts = current_artifacts(ledger, "raw_corpus")
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
