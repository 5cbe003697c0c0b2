"""The contrast: a second target, which rows are to be unlike.

Source: GOT-D (arXiv 2405.02774), detoxification: rows are ranked by what they lack of the toxic
text as well as by what they share with the clean one.
"""

from __future__ import annotations

import numpy as np

from selection.methods.contract.common import embeddings_of
from selection.methods.contract.protocol import FitInputs, Fitted
from selection.methods.ot.options import OtOptions
from selection.methods.ot.state import potentials_from
from selection.transport.solution import Side

CONTRAST = "contrast_"
"""How the names of its arrays, facts and receipts begin."""

CONTRAST_ROWS = f"{CONTRAST}embeddings"
"""Its rows, which scoring needs as it needs the target's: (m, D), in the dtype given."""


def contrast_embeddings(inputs: FitInputs[OtOptions], options: OtOptions) -> np.ndarray | None:
    """Give the embeddings of the contrast's rows; None where the options ask for none.

    Raises
    ------
    ValueError
        There is a weight and no contrast.
    """
    if options.contrast_weight is None:
        return None
    if inputs.contrast is None:
        raise ValueError(
            f"contrast_weight is {options.contrast_weight} and there is no contrast to weigh; give "
            "FitInputs.contrast, or leave contrast_weight out"
        )
    return np.asarray(embeddings_of(inputs.contrast, "ot"))


def contrast_side(fitted: Fitted, options: OtOptions) -> tuple[Side, ...]:
    """Give the contrast with its solve; nothing where the options ask for none.

    Raises
    ------
    ValueError
        The fit was made without a contrast.
    """
    if options.contrast_weight is None:
        return ()
    if CONTRAST_ROWS not in fitted.arrays:
        raise ValueError(
            f"contrast_weight is {options.contrast_weight} and the fit had no contrast; fit again"
        )
    return (Side(fitted.arrays[CONTRAST_ROWS], potentials_from(fitted, CONTRAST)),)
