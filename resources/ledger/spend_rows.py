"""What does the ledger have of one spend: its state, who pays, and what it goes on from?"""

import duckdb

from selection.budget.amounts import Amount

EARLIER = """
    WITH RECURSIVE earlier(id) AS (
        SELECT continues FROM spend WHERE id = ?
        UNION SELECT continues FROM spend JOIN earlier USING (id)
    )
    SELECT sum(flops), sum(device_seconds) FROM spend WHERE id IN (SELECT id FROM earlier)
"""


class NotRunning(RuntimeError):
    """A spend that is to be changed was closed before, or never opened."""

    def __init__(self, spend: str, state: str | None) -> None:
        known = (
            "does not know it. It was put in place of another one while this step ran, which stops"
            " here: what is not there counts as lost, and the next run does it again"
            if state is None
            else f"has it as {state}"
        )
        super().__init__(f"spend {spend} is not running: the ledger {known}")


def state_of(connection: duckdb.DuckDBPyConnection, spend: str) -> str | None:
    """State of a spend; None when there is none."""
    row = connection.execute("SELECT state FROM spend WHERE id = ?", [spend]).fetchone()
    return row[0] if row else None


def see_running(connection: duckdb.DuckDBPyConnection, spend: str) -> None:
    """Refuse to go on with a spend that is closed.

    Raises
    ------
    NotRunning
        When it is, or when there is none.
    """
    state = state_of(connection, spend)
    if state != "running":
        raise NotRunning(spend, state)


def shares_of(connection: duckdb.DuckDBPyConnection, spend: str) -> dict[str, float]:
    """Who pays what part of a spend."""
    found = connection.execute(
        "SELECT campaign, share FROM share WHERE spend = ? ORDER BY campaign", [spend]
    ).fetchall()
    return dict(found)


def charged_before(connection: duckdb.DuckDBPyConnection, spend: str) -> Amount:
    """What the spends that this one continues were charged: losses of the same attempt."""
    row = connection.execute(EARLIER, [spend]).fetchone()
    assert row is not None
    return Amount(*(float(value or 0.0) for value in row))


def newest(connection: duckdb.DuckDBPyConnection, spend: str) -> str:
    """The spend that goes on from this one last: itself, unless it was lost and reserved anew."""
    while row := connection.execute("SELECT id FROM spend WHERE continues = ?", [spend]).fetchone():
        spend = row[0]
    return spend
