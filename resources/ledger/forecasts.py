"""What the newest plan of each study expects of its steps, within the caller's transaction.

A step that no plan foresees does not start, so a plan is kept beside the artifacts as well: for the
day on which the ledger is lost.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from resources.ledger import chain
from resources.store.sealed import read_sealed, write_sealed

KEPT = ".forecasts"
"""In the artifacts' folder."""

Forecast = Mapping[tuple[str, str], tuple[float, float | None]]
"""(asset, partition) to FLOPs and seconds."""


def foresee(
    connection: duckdb.DuckDBPyConnection, campaign: str, expected: Forecast, artifacts: Path
) -> None:
    """Put a forecast in place of the campaign's last one, with an entry; the same again is none."""
    if forecasts(connection, campaign) == expected:
        return
    steps = [[*step, *amount] for step, amount in sorted(expected.items())]
    chain.append(connection, "foresee", campaign, {"steps": steps})
    connection.execute("DELETE FROM forecast WHERE campaign = ?", [campaign])
    if steps:
        connection.executemany(
            "INSERT INTO forecast VALUES (?, ?, ?, ?, ?)", [[campaign, *step] for step in steps]
        )
    (artifacts / KEPT).mkdir(mode=0o700, exist_ok=True)
    write_sealed(artifacts / KEPT / f"{campaign}.json", {"campaign": campaign, "steps": steps})


def forecasts(
    connection: duckdb.DuckDBPyConnection, campaign: str
) -> dict[tuple[str, str], tuple[float, float | None]]:
    """(asset, partition) of every step that the newest plan foresees: FLOPs and seconds."""
    found = connection.execute(
        "SELECT asset, partition, flops, seconds FROM forecast WHERE campaign = ?"
        " ORDER BY asset, partition",
        [campaign],
    ).fetchall()
    return {(row[0], row[1]): (row[2], row[3]) for row in found}


def kept_forecasts(artifacts: Path) -> Iterator[Path]:
    """Files of the plans that are kept."""
    yield from sorted((artifacts / KEPT).glob("*.json"))


def read_forecast(file: Path) -> tuple[str, list[list]]:
    """Campaign and steps of a plan that is kept.

    Raises
    ------
    resources.store.sealed.BrokenSeal
        When it was changed.
    """
    values = read_sealed(file)
    return values["campaign"], values["steps"]
