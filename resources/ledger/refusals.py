"""What the ledger keeps of a step that a cap does not admit, and what it tells a person."""

from datetime import UTC, datetime

import duckdb

from resources.ledger import chain
from resources.ledger.caps import Standing, remedy
from resources.ledger.continuation import spender_of
from resources.ledger.spends import Spender
from selection.budget.amounts import Amount


def refuse(
    connection: duckdb.DuckDBPyConnection,
    spender: Spender,
    amount: Amount,
    payer: str,
    stands: Standing,
) -> str:
    """Record that a step may not start; returns why not, and how to go on.

    Parameters
    ----------
    payer, stands : whose cap does not admit its share, and how it stands.
    """
    cap = stands.cap
    share = spender.shares[payer]
    needs = share * cap.charge(amount)
    wanted = cap.limit + needs - stands.left
    part = "" if share == 1 else f" ({share:.0%} of its cost, which studies of the pool share)"
    message = (
        f"{spender.asset} [{spender.partition}] was not started: it may cost {payer}"
        f" {cap.show(needs)}{part}, and {cap.show(max(0.0, stands.left))} are left of its cap of"
        f" {cap.show(cap.limit)} ({cap.show(cap.charge(stands.settled))} spent,"
        f" {cap.show(cap.charge(stands.reserved))} reserved). To go on, raise the cap with"
        f" {remedy(payer, cap, wanted * 1.001)}"
    )
    refused_at = datetime.now(UTC)
    chain.append(
        connection,
        "refuse",
        payer,
        {
            "asset": spender.asset,
            "partition": spender.partition,
            "unit": cap.unit,
            "needs": needs,
            "left": stands.left,
            "campaign": spender.campaign,
            "message": message,
            "refused_at": refused_at.isoformat(),
        },
    )
    connection.execute(
        "INSERT OR REPLACE INTO refusal (asset, partition, campaign, message, refused_at)"
        " VALUES (?, ?, ?, ?, ?)",
        [spender.asset, spender.partition, spender.campaign, message, refused_at],
    )
    return message


def refuse_to_publish(
    connection: duckdb.DuckDBPyConnection, lost: str, payer: str, stands: Standing, more: Amount
) -> str:
    """Put on record that a step has spent what it cannot reserve; returns what to say.

    Parameters
    ----------
    payer, stands, more : as `short_for` gave them.
    """
    who, cap = spender_of(connection, lost), stands.cap
    needs = who.shares[payer] * cap.charge(more)
    chain.append(
        connection,
        "refuse",
        payer,
        {
            "asset": who.asset,
            "partition": who.partition,
            "unit": cap.unit,
            "needs": needs,
            "left": stands.left,
            "continues": lost,
        },
    )
    wanted = cap.limit + needs - stands.left
    return (
        f"{who.asset} [{who.partition}] is not published: it gave no sign of life for so long that"
        f" it was recorded as lost, went on, and has spent {cap.show(needs)} more than its recorded"
        f" loss; {cap.show(max(0.0, stands.left))} are left of the cap of {payer},"
        f" {cap.show(cap.limit)}. To go on, raise the cap with"
        f" {remedy(payer, cap, wanted * 1.001)} and run again"
    )
