"""How often is a verdict wrong, and how often is a real difference seen?

    python benchmarks/verdicts.py [--quick] [--json FILE]

Studies are drawn whose truth is known: losses of 11 methods and of random at four budgets, with
crossed effects of training seed and held-out example. Without any effect, the share of arms that
are told from random by themselves is the rate of false positives, and the share of studies with any
such arm left after the correction is the family-wise error. With one method ahead by EFFECT, the
share of its arms that are called better after the correction is the power. Several ways to judge
are given the same losses; `in use` is what the pipeline does. Its table is in docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import option_parser, publish
from scipy.stats import t as student_t

from selection.judging.estimates import Part, together
from selection.judging.multiplicity import holm
from selection.judging.over_targets import mean_spread
from selection.judging.seed_spread import seed_spread
from selection.reports.tables import markdown_table

METHODS, BUDGETS, EXAMPLES, LEVEL = 11, 4, 60, 0.05
SEEDS, TARGETS = (2, 3, 5), (2, 5)
FAMILIES, QUICK_FAMILIES, CHUNK = 2000, 200, 50
DRAWS_OF_MAXIMA = 20_000
LIBRARIES = ("numpy", "scipy")

# Nats per token, of the size that docs/results.md has: of an arm's loss over seeds, of an arm over
# examples, of seed and example together, and of a method's true difference over targets.
OF_SEED, OF_EXAMPLE, OF_BOTH, OF_TARGET = 0.01, 0.03, 0.02, 0.02
EFFECT, MEAN_EFFECT = 0.05, 0.09

ARM = ["seeds differ", "seeds", "way to judge", "false positives", "family-wise error", "power"]
MEAN = ["targets", "seeds", "random's seeds", "false positives"]
MEAN += ["family-wise error", "power", "error, one by one", "power, one by one"]


@dataclass(frozen=True)
class Truth:
    """How far seeds move the arms of a study.

    Attributes
    ----------
    variance_AB : of each arm over its seeds, random's first, in units of OF_SEED squared.
    shared : share of it that an effect has which arms have in common, and with whom: `study` all,
        `method` those of a method, `budget` all but random's of a budget.
    spread : standard deviation of the logarithm of each arm's own variance.
    """

    variance_AB: np.ndarray
    shared: tuple[float, str] = (0.0, "study")
    spread: float = 0.0


def truths() -> dict[str, Truth]:
    """What is simulated, by what is said of it."""
    alike = np.ones((METHODS + 1, BUDGETS))
    every_other, of_random = alike.copy(), alike.copy()
    every_other[1::2] = 4
    of_random[0] = 4
    rising = alike * np.geomspace(1, 4, BUDGETS)
    return {
        "alike in all arms": Truth(alike),
        "4 times in every other method": Truth(every_other),
        "4 times in random": Truth(of_random),
        "up to 4 times by budget": Truth(rising),
        "by chance, 2 times either way": Truth(alike, spread=np.log(2)),
        "alike, 70% shared by all arms": Truth(alike, (0.7, "study")),
        "alike, 70% shared by all but random": Truth(alike, (0.7, "budget")),
        "alike, 80% shared by a method's budgets": Truth(alike, (0.8, "method")),
        "4 times in random, 80% shared by its budgets": Truth(of_random, (0.8, "method")),
        "alike, of 4 methods at 2 budgets": Truth(alike[:5, :2]),
        "4 times in random, of 4 methods at 2 budgets": Truth(of_random[:5, :2]),
        "alike, of 1 method at 1 budget": Truth(alike[:2, :1]),
        "4 times in random, of 1 method at 1 budget": Truth(of_random[:2, :1]),
    }


@dataclass(frozen=True)
class Losses:
    """What a judgement is made of, of F studies: what `judge_arms` computes from an `Arm`.

    Attributes
    ----------
    difference_FMB : of each method's loss from random's.
    seeds_FAB : variance of the loss over each arm's seeds, random's first.
    examples_FMB : variance of the difference over the choice of examples.
    """

    difference_FMB: np.ndarray
    seeds_FAB: np.ndarray
    examples_FMB: np.ndarray


def simulate(truth: Truth, n_seeds: int, n: int, effect: float, rng: np.random.Generator) -> Losses:
    """Draw studies, in which the first method is ahead by an effect."""
    chunks = [
        _simulate(truth, n_seeds, min(CHUNK, n - start), effect, rng)
        for start in range(0, n, CHUNK)
    ]
    return Losses(*(np.concatenate(part) for part in zip(*chunks, strict=True)))


def _simulate(
    truth: Truth, n_seeds: int, n: int, effect: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    loss_FABSE = losses(truth, n_seeds, n, effect, rng)
    loss_FABS = loss_FABSE.mean(axis=-1)
    loss_FABE = loss_FABSE.mean(axis=-2)
    mean_FAB = loss_FABS.mean(axis=-1)
    paired_FMBE = loss_FABE[:, 1:] - loss_FABE[:, :1]
    return (
        mean_FAB[:, 1:] - mean_FAB[:, :1],
        loss_FABS.var(axis=-1, ddof=1),
        paired_FMBE.var(axis=-1, ddof=1) / EXAMPLES,
    )


def losses(
    truth: Truth, n_seeds: int, n: int, effect: float, rng: np.random.Generator
) -> np.ndarray:
    """Loss of every example, of shape (n, arms, budgets, seeds, examples)."""
    shape = (n, *truth.variance_AB.shape, n_seeds)
    share, among = truth.shared
    common = {
        "study": (n, 1, 1, n_seeds),
        "method": (*shape[:2], 1, n_seeds),
        "budget": (n, 1, *shape[2:]),
    }[among]
    shared = np.broadcast_to(rng.normal(size=common), shape).copy()
    if among == "budget":
        shared[:, 0] = rng.normal(size=shared[:, 0].shape)
    of_seed = np.sqrt(1 - share) * rng.normal(size=shape) + np.sqrt(share) * shared
    of_seed *= OF_SEED * np.sqrt(truth.variance_AB)[..., None]
    of_seed *= np.exp(truth.spread * rng.normal(size=(*shape[:3], 1)) / 2)
    loss = rng.normal(5.0, 0.8, (n, 1, 1, 1, EXAMPLES)) + of_seed[..., None]
    loss = loss + OF_EXAMPLE * rng.normal(size=(*shape[:3], 1, EXAMPLES))
    loss += OF_BOTH * rng.normal(size=(*shape, EXAMPLES))
    loss[:, 1] -= effect
    return loss


def by_own_seeds(found: Losses, n_seeds: int) -> Part:
    """Each arm's variance by its own seeds alone."""
    own = found.seeds_FAB / n_seeds
    return together((own[:, 1:], n_seeds - 1), (own[:, :1], n_seeds - 1))


def by_all_seeds(found: Losses, n_seeds: int) -> Part:
    """One variance for all arms of the study."""
    mean = found.seeds_FAB.mean(axis=(1, 2), keepdims=True)
    spread = np.broadcast_to(2 * mean / n_seeds, found.difference_FMB.shape)
    return spread, found.seeds_FAB[0].size * (n_seeds - 1)


def by_the_larger(found: Losses, n_seeds: int) -> Part:
    """As the pipeline does it."""
    _, n_arms, n_budgets = found.seeds_FAB.shape
    seeds_M, seeds_B = np.full(n_arms - 1, n_seeds), np.full(n_budgets, n_seeds)
    parts = [
        seed_spread(found.seeds_FAB[:, 1:, b], seeds_M, found.seeds_FAB[:, 0], seeds_B, at=b)
        for b in range(n_budgets)
    ]
    variance, freedom = zip(*parts, strict=True)
    return np.stack(variance, axis=-1), np.stack(freedom, axis=-1)


def p_values(found: Losses, of_seeds: Part) -> np.ndarray:
    """Two-sided p-value of every arm, of shape (F, arms but random's)."""
    variance, freedom = together(of_seeds, (found.examples_FMB, EXAMPLES - 1))
    return _two_sided(found.difference_FMB, variance, freedom)


def _two_sided(difference: np.ndarray, variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    p = 2 * student_t.sf(np.abs(difference) / np.sqrt(variance), freedom)
    return p.reshape(len(p), -1)


def by_holm(p_FN: np.ndarray) -> np.ndarray:
    """Corrected p-values of each family."""
    return np.apply_along_axis(holm, 1, p_FN)


def by_maximum(
    n_methods: int, n_budgets: int, n_seeds: int, rng: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """Correct by the distribution of the largest of all t, which share random (Dunnett 1955).

    With equal variances the differences of a budget are correlated by a half, and all have the
    variance of their budget, known on as many degrees of freedom as the methods' seeds have.
    """
    freedom = n_methods * (n_seeds - 1)
    size = (DRAWS_OF_MAXIMA, n_methods, n_budgets)
    of_random = rng.normal(size=(DRAWS_OF_MAXIMA, 1, n_budgets))
    scale = np.sqrt(rng.chisquare(freedom, size=of_random.shape) / freedom)
    t = np.abs(rng.normal(size=size) - of_random) / np.sqrt(2) / scale
    largest = np.sort(t.max(axis=(1, 2)))

    def corrected(p_FN: np.ndarray) -> np.ndarray:
        below = np.searchsorted(largest, student_t.isf(p_FN / 2, freedom))
        return 1 - below / DRAWS_OF_MAXIMA

    return corrected


WAYS: Mapping[str, Callable[[Losses, int], Part]] = {
    "own seeds, Holm": by_own_seeds,
    "all seeds, Holm": by_all_seeds,
    "in use, Holm": by_the_larger,
    "in use, max-t": by_the_larger,
}


def arms(n: int, rng: np.random.Generator) -> Iterator[list[Any]]:
    """Rows of the first table: studies of one target."""
    for said, truth in truths().items():
        for n_seeds in SEEDS:
            null = simulate(truth, n_seeds, n, 0.0, rng)
            ahead = simulate(truth, n_seeds, n, EFFECT, rng)
            _, n_methods, n_budgets = null.difference_FMB.shape
            by_max = by_maximum(n_methods, n_budgets, n_seeds, rng)
            for name, way in WAYS.items():
                correct = by_max if name.endswith("max-t") else by_holm
                p_FN = p_values(null, way(null, n_seeds))
                false = (correct(p_FN) < LEVEL).any(axis=1).mean()
                seen = correct(p_values(ahead, way(ahead, n_seeds))) < LEVEL
                power = seen.reshape(ahead.difference_FMB.shape)[:, 0].mean()
                yield [said, n_seeds, name, (p_FN < LEVEL).mean(), false, power]


def means(n: int, rng: np.random.Generator) -> Iterator[list[Any]]:
    """Rows of the second: means over targets, of all methods at all budgets."""
    for n_targets in TARGETS:
        for n_seeds in SEEDS:
            for shared in (False, True):
                p_FN = _mean_p(n, n_targets, n_seeds, shared, 0.0, rng)
                ahead = _mean_p(n, n_targets, n_seeds, shared, MEAN_EFFECT, rng)
                left, seen = by_holm(p_FN) < LEVEL, by_holm(ahead) < LEVEL
                alone = [(p_FN < LEVEL).any(axis=1).mean(), (ahead[:, :BUDGETS] < LEVEL).mean()]
                errors = [(p_FN < LEVEL).mean(), left.any(axis=1).mean()]
                said = "shared by targets" if shared else "each target's own"
                yield [n_targets, n_seeds, said, *errors, seen[:, :BUDGETS].mean(), *alone]


def _mean_p(
    n: int, n_targets: int, n_seeds: int, shared: bool, effect: float, rng: np.random.Generator
) -> np.ndarray:
    """P-values of the means, of shape (n, methods times budgets), the first method's first."""
    shape = (n, METHODS + 1, BUDGETS, n_targets, n_seeds)
    of_seed = OF_SEED * rng.normal(size=shape)
    if shared:
        of_seed[:, 0] = of_seed[:, 0, :, :1]  # random draws the same rows for all targets of a pool
    loss = of_seed + OF_TARGET * rng.normal(size=(*shape[:4], 1))
    loss[:, 1] -= effect
    difference_FMBT = (loss[:, 1:] - loss[:, :1]).mean(axis=-1)
    variance_FAB = loss.mean(axis=-2).var(axis=-1, ddof=1)
    of_seeds, _ = by_the_larger(Losses(difference_FMBT, variance_FAB, np.zeros(0)), n_seeds)
    return _two_sided(difference_FMBT.mean(axis=-1), *mean_spread(difference_FMBT, of_seeds))


def main() -> None:
    """Simulate, print both tables and, with --json, write them."""
    given = option_parser(__doc__).parse_args()
    n, rng = QUICK_FAMILIES if given.quick else FAMILIES, np.random.default_rng(0)
    tables = {"arms": list(arms(n, rng)), "means": list(means(n, rng))}
    for header, rows in zip((ARM, MEAN), tables.values(), strict=True):
        print(markdown_table(header, rows), end="\n\n")
    details = {
        name: [dict(zip(header, row, strict=True)) for row in rows]
        for header, (name, rows) in zip((ARM, MEAN), tables.items(), strict=True)
    }
    in_use = [row for row in tables["arms"] if row[2] == "in use, Holm"]
    figures = {"families": n, "largest family-wise error in use": max(row[4] for row in in_use)}
    publish(figures, LIBRARIES, given.json, details=details)


if __name__ == "__main__":
    main()
