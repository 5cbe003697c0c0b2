"""Values as Dagster's event log accepts them."""

import math
from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np

from selection.reports.pictures import picture


def metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Cast numpy scalars and tuples, and show PNG bytes as pictures.

    Dagster refuses numpy's numbers only when the event is written, after the work.

    Raises
    ------
    ValueError
        For NaN and infinite numbers, which Dagster would store silently.
    """
    return {name: _value(name, value) for name, value in values.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return dg.MarkdownMetadataValue(picture(value, name))
    if isinstance(value, dg.MetadataValue):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"metadata {name!r} is {value}")
    if isinstance(value, tuple | list):
        return [_value(name, item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _value(name, item) for key, item in value.items()}
    return value
