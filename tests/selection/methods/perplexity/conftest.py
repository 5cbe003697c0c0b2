"""What the perplexity method prepares, once for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest
from perplexity_chain import (
    OPTIONS,
    make_selector,
    run,
)

from selection.methods.contract.preparation import Selector


@pytest.fixture(scope="module")
def selector(tmp_path_factory) -> Selector:
    return make_selector(tmp_path_factory.mktemp("models") / "selector")


@pytest.fixture(scope="module")
def made(selector, tmp_path_factory) -> dict[str, Any]:
    return run(selector, tmp_path_factory.mktemp("work"), OPTIONS)
