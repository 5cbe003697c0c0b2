"""What may a step still spend whose spend was recorded as lost, though it was not dead?

Its loss has made room under the caps, which others may have taken since. So it reserves anew what
exceeds the loss, in a spend that names the one it continues. All spends of an attempt together are
charged what the attempt has cost, or what was recorded as lost if that is more.

Everything here happens within the caller's transaction.
"""

from datetime import UTC, datetime, timedelta

import duckdb

from resources.ledger.caps import Standing, short_of
from resources.ledger.spend_rows import NotRunning, charged_before, shares_of, state_of
from resources.ledger.spends import Spender, insert_spend
from resources.processes import Process
from selection.budget.amounts import Amount


def charged_until(connection: duckdb.DuckDBPyConnection, lost: str) -> Amount:
    """What an attempt is charged so far whose newest spend was recorded as lost.

    Raises
    ------
    NotRunning
        When that spend was not lost.
    """
    row = connection.execute(
        "SELECT flops, device_seconds FROM spend WHERE id = ? AND state = 'lost'", [lost]
    ).fetchone()
    if row is None:
        raise NotRunning(lost, state_of(connection, lost))
    return charged_before(connection, lost) + Amount(*row)


def short_for(
    connection: duckdb.DuckDBPyConnection, lost: str, total: Amount
) -> tuple[str, Standing, Amount] | None:
    """Whose cap keeps an attempt from spending so much in all, how it stands, and what it lacks."""
    more = total.beyond(charged_until(connection, lost))
    short = short_of(connection, shares_of(connection, lost), more) if more else None
    return None if short is None else (*short, more)


def carry_on(
    connection: duckdb.DuckDBPyConnection, lost: str, anew: str, total: Amount, *, lease: timedelta
) -> Amount | None:
    """Open a spend for an attempt that goes on, unless it is open.

    Parameters
    ----------
    lost, anew : its newest spend, and the one that is to continue it.
    total : what the attempt is to be able to spend in all.

    Returns
    -------
    Amount or None
        What all its spends come to now; None when a cap does not admit it.
    """
    charged = charged_until(connection, lost)
    more = total.beyond(charged)
    if state_of(connection, anew) is None:
        if short_for(connection, lost, total) is not None:
            return None
        who, now = spender_of(connection, lost), datetime.now(UTC)
        insert_spend(connection, anew, who, now, reserved=more, lease=now + lease, continues=lost)
    return charged + more


def spender_of(connection: duckdb.DuckDBPyConnection, spend: str) -> Spender:
    """Who opened a spend.

    Raises
    ------
    NotRunning
        When there is none.
    """
    row = connection.execute(
        "SELECT campaign, asset, partition, run_id, device, usd_per_device_hour, host, pid,"
        " process_started FROM spend WHERE id = ?",
        [spend],
    ).fetchone()
    if row is None:
        raise NotRunning(spend, None)
    *what, price, host, pid, started = row
    payers = shares_of(connection, spend)
    holder = Process(host, pid, started)
    return Spender(*what, payers=payers, usd_per_device_hour=price, holder=holder)
