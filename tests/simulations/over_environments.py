"""Comparisons over several environments: coverage of their intervals, false alarms of their test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import special
from simulations.coverage import AGAINST, Row, shares
from simulations.errors import Null, drawn, family, nulls
from simulations.shapes import shapes

from rlbench.analysis.comparisons import LEVEL
from rlbench.analysis.intervals import effect_doubts, spreads
from rlbench.analysis.stratified import draw_splits, of_splits, smallest_stratified_p

SIZES = ((10, 10), (20, 20), (10, 20))
ENVIRONMENTS = (2, 5)
SPREADS = {"alike": 1.0, "1 to 10": 10.0}
NULLS = (
    "normal",
    "exponential",
    "80/20 mixture",
    "normal, half of them far better",
    "normal, n and 2 n in turn",
    "normal, spreads 1 and 3 in turn",
)
SPLITS = (99, 999)
"""Random splits, with the one at hand: after the first, pairs that are clear of the bar are let go."""


def effect_intervals(
    firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of the interval of each effect of samples ``[..., n]``, as ``stratified_effect`` does."""
    samples, k = [*firsts, *seconds], len(firsts)
    sizes = np.array([one.shape[-1] for one in samples])
    parts = np.stack([spreads(one) for one in samples], axis=-1) ** 2 / sizes / k**2
    variance = parts.sum(axis=-1)
    with np.errstate(invalid="ignore"):  # no spread on either side: no interval
        freedom = variance**2 / (parts**2 / (sizes - 1)).sum(axis=-1)
    half = special.stdtrit(freedom, 0.975) * np.sqrt(variance)
    means = [one.mean(axis=-1) - other.mean(axis=-1) for one, other in zip(firsts, seconds, strict=True)]
    difference = np.mean(means, axis=0)
    return difference - half, difference + half


def of_effects(samples: int, seed: int = 0) -> Iterator[Row]:
    """Simulate the interval of the difference over environments, every shape against another."""
    cases = itertools.product(shapes(), AGAINST, ENVIRONMENTS, SPREADS, SIZES)
    for index, (shape, against, k, spread, (n, m)) in enumerate(cases):
        rng = np.random.default_rng([seed, 6, index])
        factors = np.geomspace(1, SPREADS[spread], k)
        ours = [shape.scaled(factor) for factor in factors]
        theirs = [AGAINST[against](one) for one in ours]
        firsts = [one.draw(rng, (samples, n)) for one in ours]
        seconds = [one.draw(rng, (samples, m)) for one in theirs]
        truth = np.mean([one.mean - other.mean for one, other in zip(ours, theirs, strict=True)])
        low, high = effect_intervals(firsts, seconds)
        unmarked = ~np.any(list(effect_doubts(firsts, seconds).values()), axis=0)
        yield {
            "kind": shape.kind,
            "shape": shape.name,
            "against": against,
            "environments": k,
            "spreads": spread,
            "n": n,
            "m": m,
            **shares((low <= truth) & (truth <= high), unmarked),
        }


def false_alarms(
    null: Null, algorithms: int, environments: int, n: int, families: int, rng: np.random.Generator
) -> np.ndarray:
    """Say in which of ``families`` a pair of equal means is decided over environments: ``[R]``.

    As ``errors.false_alarms`` for one environment; the spread grows tenfold from the first to the last one.
    p-values are of 999 random splits in the place of 99 999, and only some dozens of pairs share them: those
    that all share would err as often as these splits happen to.
    """
    sizes, pairs, equal = family(null, algorithms, n)
    factors = np.geomspace(1, 10, environments)
    scores = [
        [factor * one for one in drawn(null, algorithms, n, families, rng)] for factor in factors
    ]  # by environment and algorithm, [R, n]
    alarm = np.zeros(families, dtype=bool)
    if smallest_stratified_p([(max(sizes), max(sizes))] * environments) > LEVEL / len(pairs):
        return alarm
    bar = LEVEL / sum(equal)
    for (one, other), alike in zip(pairs, equal, strict=True):
        if not alike:
            continue
        left = np.flatnonzero(~alarm)
        strata = [(here[one][left], here[other][left]) for here in scores]
        alarm[left] = _rejects(strata, bar, rng)
    return alarm


def _rejects(
    strata: Sequence[tuple[np.ndarray, np.ndarray]], bar: float, rng: np.random.Generator
) -> np.ndarray:
    """Say of C pairs, ``[C, n]`` and ``[C, m]`` by environment, whose p-value is at most ``bar``: ``[C]``."""
    sizes = [(one.shape[1], other.shape[1]) for one, other in strata]
    pooled = [np.concatenate(both, axis=1) for both in strata]
    values = [(one - one.mean(axis=1, keepdims=True)).T for one in pooled]  # [n + m, C]
    own = [np.repeat([[1.0, 0.0]], pair, axis=1) for pair in sizes]
    least = of_splits(own, values, sizes)[0] - 1e-10
    left, extreme = np.arange(len(least)), np.zeros(len(least), dtype=int)
    for count in np.diff([0, *SPLITS]):
        at_once = 2**16 // count
        for start in range(0, len(left), at_once):
            mine = left[start : start + at_once]
            masks = [draw_splits(rng, count, *pair) for pair in sizes]
            found = of_splits(masks, [one[:, mine] for one in values], sizes)
            extreme[mine] += np.count_nonzero(found >= least[mine], axis=0)
        left = left[extreme[left] <= bar * (SPLITS[-1] + 1) - 1]  # more only come
    found = np.zeros(len(least), dtype=bool)
    found[left] = True
    return found


def of_families(families: int, seed: int = 0) -> Iterator[Row]:
    """Simulate the family-wise error of the stratified permutation test with Holm's correction."""
    chosen = [null for null in nulls() if null.name in NULLS]
    cases = itertools.product(chosen, (2, 3, 5, 10), (3,), (3, 5, 10))
    for index, (null, algorithms, environments, n) in enumerate(cases):
        if not any(family(null, algorithms, n)[2]):
            continue
        rng = np.random.default_rng([seed, 7, index])
        alarm = false_alarms(null, algorithms, environments, n, families, rng)
        yield {
            "null": null.name,
            "exchangeable": null.exchangeable,
            "algorithms": algorithms,
            "environments": environments,
            "n": n,
            "families": families,
            "error": round(float(alarm.mean()), 4),
        }
