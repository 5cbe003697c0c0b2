from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.methods.gradient.adam import preconditioned
from selection.methods.gradient.projection import BLOCK_WEIGHTS, project, random_signs, unit


def vectors(n: int, size: int, *, seed: int = 0) -> torch.Tensor:
    drawn = np.random.default_rng([n, size, seed]).normal(size=(n, size))
    return torch.from_numpy(drawn.astype(np.float32))


def test_the_projection_is_the_product_with_the_whole_matrix(figures):
    x = vectors(3, 2 * BLOCK_WEIGHTS + 100)
    blocks = [random_signs(b, dimensions=64, seed=5) for b in range(3)]
    matrix = torch.cat(blocks)[: x.shape[1]].double() / 8.0
    assert set(np.unique(matrix.numpy() * 8.0)) == {-1.0, 1.0}
    projected = project(x, dimensions=64, seed=5)
    torch.testing.assert_close(projected.double(), x.double() @ matrix, atol=1e-3, rtol=1e-4)
    figures.record("M5", entries_of_the_matrix=matrix.numel())


def test_signs_are_fair_unrelated_and_other_ones_for_another_seed_or_block():
    signs = random_signs(0, dimensions=256, seed=1)
    assert abs(float(signs.mean())) < 5 / signs.numel() ** 0.5
    for other in (random_signs(1, dimensions=256, seed=1), random_signs(0, dimensions=256, seed=2)):
        assert abs(float((signs * other).mean())) < 5 / signs.numel() ** 0.5
    columns = (signs.T @ signs / len(signs) - torch.eye(256)).abs()
    assert float(columns.max()) < 6 / len(signs) ** 0.5


def test_inner_products_are_kept_on_average_with_the_variance_of_theory():
    x, y = unit(vectors(2, 700))
    truth = float(x @ y)
    found = np.array(
        [
            float(a @ b)
            for a, b in (project(torch.stack([x, y]), dimensions=64, seed=s) for s in range(400))
        ]
    )
    assert abs(found.mean() - truth) < 4 * found.std() / 20
    assert found.std() < 1.3 * np.sqrt((1 + truth**2) / 64)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**63 - 1))
def test_a_rows_projection_does_not_depend_on_the_rows_beside_it(size, seed):
    x = vectors(4, size)
    whole = project(x, dimensions=16, seed=seed)
    alone = project(x[2:3], dimensions=16, seed=seed)
    # A rounding of sums of up to 3000 numbers of about one; the values are about ten.
    torch.testing.assert_close(alone, whole[2:3], atol=1e-4, rtol=1e-5)


def test_unit_rows_have_length_one_and_zero_stays_zero():
    lengths = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-20, 0.0]])).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 0.0, 1.0]))


def test_adams_direction_is_the_formula_weight_by_weight():
    g, m = vectors(3, 50), vectors(1, 50, seed=1)[0]
    v = vectors(1, 50, seed=2)[0].square()
    v[:5] = m[:5] = 0.0
    g[:, :5] = 0.0
    found = preconditioned(g, m, v).numpy()
    for row in range(3):
        for p in range(50):
            m_hat = 0.9 * float(m[p]) + 0.1 * float(g[row, p])
            v_hat = 0.999 * float(v[p]) + 0.001 * float(g[row, p]) ** 2
            expected = m_hat / (v_hat + 1e-8) ** 0.5
            np.testing.assert_allclose(found[row, p], expected, rtol=1e-5, atol=1e-6)


def test_adams_direction_is_the_step_that_torchs_adam_takes_where_its_corrections_vanish():
    m, g = vectors(1, 40, seed=1)[0], vectors(1, 40)
    v = vectors(1, 40, seed=2)[0].square() + 0.1
    weight = torch.zeros(40, requires_grad=True)
    optimiser = torch.optim.Adam([weight], lr=1.0, betas=(0.9, 0.999), eps=1e-12)
    late = torch.tensor(1e6)  # the corrections of the bias are 1 by then
    optimiser.state[weight] = {"step": late, "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    weight.grad = g[0].clone()
    optimiser.step()
    torch.testing.assert_close(-weight.detach(), preconditioned(g, m, v)[0], rtol=1e-4, atol=1e-5)
