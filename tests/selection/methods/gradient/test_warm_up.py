from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_decoder import LONGEST, make_decoder, make_rows

from selection.budget.meter import UNMETERED, BudgetExhausted
from selection.methods.gradient.warm_up import WarmUp, plan_schedule, warm_up_adapters

ROWS = make_rows(1, 22, np.random.default_rng(0), most=3 * LONGEST)
SCHEDULE = plan_schedule(22, epochs=3, batch_size=5, learning_rate=5e-3, seed=1)  # 5 steps an epoch


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    return make_decoder(tmp_path_factory.mktemp("decoder"))


def run(adapted, work: Path, *, meter=UNMETERED, advance=lambda n: None) -> WarmUp:
    work.mkdir(exist_ok=True)
    return warm_up_adapters(
        adapted,
        ROWS,
        SCHEDULE,
        longest=LONGEST,
        work=work,
        step_flops=[1.0] * 15,
        meter=meter,
        report=lambda line: None,
        advance=advance,
    )


@pytest.fixture(scope="module")
def whole(adapted, tmp_path_factory) -> WarmUp:
    return run(adapted, tmp_path_factory.mktemp("whole"))


def assert_same(one: WarmUp, other: WarmUp) -> None:
    np.testing.assert_array_equal(one.losses, other.losses)
    for arrays, others in zip(one.checkpoints, other.checkpoints, strict=True):
        for name, values in arrays.items():
            np.testing.assert_array_equal(values, others[name])


@pytest.mark.parametrize(("rows_done", "resumed"), [(3 * 5, 0), (22 + 12, 5), (44 + 21, 10)])
def test_killed_anywhere_it_goes_on_from_its_last_checkpoint_to_the_same_arrays(
    rows_done, resumed, adapted, whole, tmp_path
):
    class Killed(BaseException):
        pass

    done = 0

    def kill(n: int) -> None:
        nonlocal done
        done += n
        if done >= rows_done:
            raise Killed

    with pytest.raises(Killed):
        run(adapted, tmp_path, advance=kill)
    again = run(adapted, tmp_path)
    assert again.resumed_steps == resumed
    assert_same(again, whole)


@pytest.mark.parametrize("steps", [0, 1, 5, 7, 14])
def test_the_meter_stops_it_and_no_step_is_paid_twice(steps, adapted, whole, tmp_path):
    class Steps:
        left = steps

        def affords(self, flops: float) -> bool:
            return self.left > 0

        def charge(self, flops: float) -> None:
            if not self.left:
                raise BudgetExhausted("no steps left")
            self.left -= 1

    with pytest.raises(BudgetExhausted):
        run(adapted, tmp_path, meter=Steps())
    again = run(adapted, tmp_path)
    assert again.resumed_steps == steps
    assert_same(again, whole)


def test_it_trains_and_keeps_adams_moments(whole):
    assert whole.losses[-5:].mean() < whole.losses[:5].mean()
    for arrays in whole.checkpoints:
        assert {a.dtype for a in arrays.values()} == {np.dtype(np.float32)}
        assert (arrays["second_moment"] >= 0).all() and (arrays["first_moment"] != 0).any()


def test_the_arrays_are_those_of_a_plain_loop(adapted, whole):
    """Adam by its formula, batches without padding, gradients by backward()."""
    from torch.func import functional_call
    from torch.nn.functional import cross_entropy

    weights = adapted.initial_weights().double()
    m, v = torch.zeros_like(weights), torch.zeros_like(weights)
    model = adapted.model
    for step, some in enumerate(SCHEDULE.batches):
        flat = weights.float().requires_grad_()
        total, count = torch.zeros(()), 0
        for i in some:
            for window in ROWS[i].windows:
                ids = torch.from_numpy(window.ids)
                logits = functional_call(model, adapted.named(flat), (ids[None],)).logits[0]
                following = torch.from_numpy(window.following)
                total = total + cross_entropy(logits, following, reduction="sum")
                count += len(ids)
        (g,) = torch.autograd.grad(total / count, flat)
        g = g.double()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        corrected = (v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
        weights -= SCHEDULE.learning_rates[step] * m / (1 - 0.9 ** (step + 1)) / corrected
    last = whole.checkpoints[-1]
    np.testing.assert_allclose(last["weights"], weights, atol=2e-4)
    np.testing.assert_allclose(last["first_moment"], m, atol=1e-4)
    np.testing.assert_allclose(last["second_moment"], v, atol=1e-6)


def test_every_epoch_takes_every_row_once_in_another_order_and_the_rate_rises_and_falls():
    schedule = plan_schedule(100, epochs=4, batch_size=4, learning_rate=1.0, seed=0)
    epochs = [np.concatenate(schedule.batches[e * 25 : (e + 1) * 25]) for e in range(4)]
    assert all(sorted(epoch) == list(range(100)) for epoch in epochs)
    assert all((epochs[0] != epoch).any() for epoch in epochs[1:])
    rates = schedule.learning_rates
    assert rates.max() == 1.0 and rates.argmax() == 2 and rates.min() > 0
    assert (np.diff(rates[:3]) > 0).all() and (np.diff(rates[3:]) < 0).all()
    np.testing.assert_allclose(
        schedule.mean_rates(), [rates[e * 25 :][:25].mean() for e in range(4)]
    )


def test_one_row_and_one_step_can_be_planned_and_none_is_refused():
    assert plan_schedule(1, epochs=1, batch_size=8, learning_rate=0.5, seed=0).learning_rates == [
        0.5
    ]
    with pytest.raises(ValueError, match="pool is empty"):
        plan_schedule(0, epochs=1, batch_size=8, learning_rate=0.5, seed=0)


def test_a_loss_that_is_not_finite_is_an_error(adapted, tmp_path):
    wild = plan_schedule(22, epochs=3, batch_size=5, learning_rate=1e30, seed=1)
    with pytest.raises(ValueError, match="the warm-up's loss is nan at step"):
        warm_up_adapters(
            adapted,
            ROWS,
            wild,
            longest=LONGEST,
            work=tmp_path,
            step_flops=[1.0] * 15,
            meter=UNMETERED,
            report=lambda line: None,
            advance=lambda n: None,
        )
