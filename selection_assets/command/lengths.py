"""In words, why a row's length kept it from a subset."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from resources.store.artifacts import Artifact
from selection.basics.tables import rows_where
from selection.subset.choose import DOES_NOT_FIT
from selection.subset.lengths import TOO_LONG


def length_words(subset: Artifact, arm: Mapping[str, Any], fate: Mapping[str, Any]) -> str:
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
    chosen = rows_where(subset.table("subset.parquet"), "draw", fate["draw"])
    before = chosen["rank"].to_numpy() < fate["rank"]
    spent = int(np.sum(chosen["n_tokens"].to_numpy()[before]))
    left = arm["token_budget"] - spent
    return (
        f"{where}: {DOES_NOT_FIT}, it has {fate['n_tokens']:,} tokens, and {left:,} of"
        f" {arm['token_budget']:,} were left when its turn came; shorter rows after it were tried"
    )
