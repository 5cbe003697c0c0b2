"""How fast the device is, found in a tenth of the time: tests ask what a plan makes of a rate.

Every new project measures it, and these projects are made to be small. Tests of measuring itself
measure as long as ever (`patient`).
"""

import pytest

from selection.planning import arithmetic, measuring

_PATIENTLY = {"ENOUGH": measuring.ENOUGH, "REPEATS": measuring.REPEATS}

measuring.ENOUGH, measuring.REPEATS = 0.05, 1
arithmetic.MOST_ROWS = 2_048  # else an array of 256 MB is made for it, each time


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure as patiently as the pipeline does."""
    for name, value in _PATIENTLY.items():
        monkeypatch.setattr(measuring, name, value)
