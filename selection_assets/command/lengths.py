"""In words, why a row's length kept it from a subset."""

from collections.abc import Mapping
from typing import Any

from resources.ledger.ledger import Ledger
from resources.store.artifacts import Artifact
from selection.subset.fates import DOES_NOT_FIT, TOO_LONG
from selection_assets.command.row_lineage import count_tokens_before


def length_words(
    ledger: Ledger, subset: Artifact, arm: Mapping[str, Any], fate: Mapping[str, Any]
) -> str:
    """Say it of a row that was too long or did not fit; "" for another fate.

    Parameters
    ----------
    arm : content of the subset's `arm.json`.
    fate : the row's line of `fates.parquet`.
    """
    where = f"{subset.asset.split('/')[0]}, {arm['method']} at {arm['budget']}"
    if fate["draw"]:
        where += f", draw {fate['draw']}"
    if fate["fate"] == TOO_LONG:
        limit = subset.json("spent.json")["max_row_tokens"]
        return (
            f"{where}: {TOO_LONG}, it has more tokens than the {limit:,} that a row may have"
            " (`selection.max_row_tokens`)"
        )
    if fate["fate"] != DOES_NOT_FIT:
        return ""
    left = arm["token_budget"] - count_tokens_before(ledger, subset, fate["draw"], fate["rank"])
    return (
        f"{where}: {DOES_NOT_FIT}, it has {fate['n_tokens']:,} tokens, and {left:,} of"
        f" {arm['token_budget']:,} were left when its turn came; shorter rows after it were tried"
    )
