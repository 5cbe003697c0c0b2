"""Numbers read well; a picture carries its own bytes."""

import base64
import html
import re

import numpy as np
import pytest

from selection.reports.numbers import number
from selection.reports.pictures import picture


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (270_679, "270,679"),
        (np.int64(12), "12"),
        (4_593_000_000_000_000_000, "4.59e18"),
        (1.23e12, "1.23e12"),
        (6.20412, "6.2041"),
        (np.float32(0.5), "0.5000"),
        (-0.0213, "-0.0213"),
        (412.345, "412.35"),
        (12_345.6, "12,345.60"),
        (0.0, "0"),
        (2.5e-7, "2.50e-7"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers_are_written_for_people(value, shown):
    assert number(value) == shown


def test_a_picture_carries_its_own_bytes_and_an_escaped_description():
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    found = re.fullmatch(r"!\[(.*)\]\(data:image/png;base64,(.*)\)", picture(png, "a [b] <c>"))
    assert found is not None
    assert base64.b64decode(found[2]) == png
    assert html.unescape(found[1]) == "a [b] <c>"
    with pytest.raises(ValueError, match="is not a PNG"):
        picture(b"GIF89a", "a")
