"""What a method declares of itself, and that nothing else goes unnoticed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pydantic import BaseModel

from selection.methods import REGISTRY
from selection.methods.contract.cost import MethodCost
from selection.methods.contract.protocol import Fitted, Method, ScoreInputs, Scores, checked_scores
from selection.methods.contract.values import Rows
from selection.methods.perplexity.options import PerplexityOptions

ROWS = Rows(np.array(["a", "b"]), ["one", "two"], np.array([1, 1]))


class NoOptions(BaseModel):
    """Of the method below."""


class Careless(Method[NoOptions]):
    """A method that does more than it declares."""

    name = "careless"
    cost_parts = {"tally": "fit"}  # noqa: RUF012
    receipts = frozenset({"length"})

    def score(self, fitted: Fitted, inputs: ScoreInputs[NoOptions]) -> Scores:
        return Scores(np.zeros((1, 2)), {"length": np.ones(2), "mood": np.zeros(2)})


def test_a_part_of_the_cost_is_done_by_the_step_that_the_method_declares():
    cost = Careless().charges(NoOptions(), {"tally": 2.0})
    assert cost.phases == {"embedding": 0.0, "fit": 2.0, "score": 0.0}
    assert cost.flops == 2.0 and cost.preparation_flops == 0.0


def test_a_part_of_the_cost_that_nobody_declares_is_refused_by_its_name_and_the_method_s():
    with pytest.raises(ValueError, match=r"'careless' counts a part 'nap' .*declared: tally"):
        Careless().charges(NoOptions(), {"tally": 2.0, "nap": 1.0})


def test_a_part_declared_for_a_step_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"'m' declares its part 'rest' for the step 'sleep'"):
        MethodCost("m", "by hand", {"rest": 1.0}, {"rest": "sleep"}, frozenset())


def test_a_receipt_that_nobody_declares_is_refused_by_its_name_and_the_method_s():
    given = ScoreInputs(ROWS, ROWS, NoOptions(), seeds=(0,))
    with pytest.raises(ValueError, match=r"'careless' gives a receipt 'mood' .*declared: length"):
        checked_scores(Careless(), Fitted(), given)


def test_methods_that_need_the_device_say_so_and_no_others():
    needing = {name for name, method in REGISTRY.items() if method.needs_device}
    assert needing == {"embedding", "ot", "perplexity", "gradient"}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_preparation_waits_for_the_device_where_it_runs_the_selector(name):
    method = REGISTRY[name]
    for preparation in method.preparations(method.options()):
        assert preparation.needs_device == preparation.needs_selector


def test_a_method_s_needs_do_not_depend_on_whether_its_selector_is_tuned():
    method = REGISTRY["perplexity"]
    (reading,) = method.preparations(PerplexityOptions(epochs=0))
    assert reading.needs_device and method.needs_device


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_no_receipt_has_the_name_of_a_column_that_all_scores_have(name):
    assert not REGISTRY[name].receipts & {"row_id", "draw", "score"}
    assert not any(re.fullmatch(r"\d+", receipt) for receipt in REGISTRY[name].receipts)
