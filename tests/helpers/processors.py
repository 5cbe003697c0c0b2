"""Both kinds of processor, whichever the tests run on: with bfloat16 products and without."""

import pytest

from selection.basics.hardware import BFLOAT16_VARIABLE

BFLOAT16 = {"hidden": "no", "shown": "yes"}
"""What a test says of the processor, and how the variable says it."""


@pytest.fixture(params=BFLOAT16)
def bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run once with bfloat16 hidden (False), and once with it claimed (True)."""
    monkeypatch.setenv(BFLOAT16_VARIABLE, BFLOAT16[request.param])
    return request.param == "shown"


@pytest.fixture
def shown_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what only bfloat16 does: a processor without it gives the same result, but slowly."""
    monkeypatch.setenv(BFLOAT16_VARIABLE, "yes")
