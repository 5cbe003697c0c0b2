from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_decoder import LONGEST, make_decoder, make_rows

from selection.costs import ModelShape
from selection.methods.gradient.lora import adapter_weights
from selection.methods.gradient.row_gradients import row_gradients
from selection.methods.gradient.tokens import padded_widths
from selection.models.packing import IGNORED_LABEL
from selection.models.windows import Window, WindowedRow


@pytest.fixture(scope="module", params=["llama", "gpt_neox"])
def adapted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return make_decoder(folder, architecture=request.param, layers=2)


@pytest.fixture
def weights(adapted) -> torch.Tensor:
    """Away from the start, where half of the adapters are zero and so are many gradients."""
    noise = torch.randn(adapted.size, generator=torch.Generator().manual_seed(3))
    return adapted.initial_weights() + 0.1 * noise


def one_by_one(adapted, weights, rows) -> torch.Tensor:
    """A window at a time, no padding, autograd of the mean over all tokens of a row."""
    model, own = adapted.model, adapted.initial_weights()
    parameters = dict(model.named_parameters())

    def put(flat):
        with torch.no_grad():
            for name, values in adapted.named(flat).items():
                parameters[name].copy_(values)

    put(weights)
    found = []
    for row in rows:
        model.zero_grad()
        losses = []
        for window in row.windows:
            logits = model(input_ids=torch.tensor(window.ids)[None], use_cache=False).logits[0]
            following = torch.tensor(window.following)
            chosen = following != IGNORED_LABEL
            losses.append(-logits.log_softmax(-1)[chosen].gather(1, following[chosen][:, None]))
        torch.cat(losses).mean().backward()
        found.append(adapted.flat({name: parameters[name].grad for name in adapted.shapes}))
    put(own)
    return torch.stack(found)


def test_gradients_of_many_rows_are_those_of_one_row_at_a_time(adapted, weights, figures):
    rows = make_rows(1, 12, np.random.default_rng(0), most=4 * LONGEST)
    assert {1, 2, 3} <= {len(row.windows) for row in rows}
    [short, *_] = (place for place, row in enumerate(rows) if len(row.windows) == 1)
    [window] = rows[short].windows
    response_only = window.following.copy()
    response_only[: len(response_only) // 2] = IGNORED_LABEL
    rows[short] = WindowedRow([Window(window.ids, response_only)])
    found = row_gradients(adapted, weights, rows, longest=LONGEST)
    expected = one_by_one(adapted, weights, rows)
    assert ((found - expected).norm(dim=1) < 1e-5 * expected.norm(dim=1)).all()
    figures.record("M4", gradients_compared=len(rows), weights_of_each=found.shape[1])


def test_gradients_do_not_depend_on_batches_or_order(adapted, weights):
    rows = make_rows(1, 12, np.random.default_rng(1), most=3 * LONGEST)
    whole = row_gradients(adapted, weights, rows, longest=LONGEST)
    order = np.random.default_rng(2).permutation(12)
    other = row_gradients(
        adapted, weights, [rows[i] for i in order], longest=LONGEST, batch_tokens=1
    )
    torch.testing.assert_close(other, whole[torch.from_numpy(order)], atol=1e-6, rtol=1e-4)


def test_the_adapters_are_counted_before_the_model_is_loaded(adapted):
    shape = ModelShape.from_config(adapted.model.config)
    assert adapter_weights(shape, rank=4) == adapted.size == adapted.initial_weights().numel()


def test_flat_vectors_and_named_weights_are_each_others_inverse(adapted, weights):
    named = adapted.named(weights)
    assert list(named) == sorted(named)
    torch.testing.assert_close(adapted.flat(named), weights, atol=0, rtol=0)


def test_a_row_whose_gradient_is_not_finite_is_named(adapted, weights):
    broken = torch.full_like(weights, float("nan"))
    with pytest.raises(ValueError, match="row 0 of 2 is not finite"):
        row_gradients(adapted, broken, make_rows(1, 2, np.random.default_rng(0)), longest=LONGEST)


def test_widths_are_the_next_multiple_of_eight_and_no_longer_than_the_longest():
    lengths = np.array([1, 8, 9, 17, 20])
    np.testing.assert_array_equal(padded_widths(lengths, 20), [8, 8, 16, 20, 20])
