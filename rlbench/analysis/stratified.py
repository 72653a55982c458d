"""The permutation test of the difference of two algorithms over several environments together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rlbench.analysis.comparisons import EXACT_SPLITS, RESAMPLES, subset_sums, welch_parts
from rlbench.analysis.intervals import spread

_AT_ONCE = 2_000  # random splits that are held at a time
_ROUNDING = 1e-12  # of sums of scores whose largest is 1

Strata = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]
"""The scores of two algorithms, ``[n]`` and ``[m]``, on one environment after the other."""


def stratified_p(problems: Sequence[Strata], seed: int = 0) -> np.ndarray:
    """Give the two-sided p-value of the stratified permutation test of each pair: ``[P]``.

    Labels are exchanged within each environment, independently of the others, and the statistic is the
    effect over all of them, studentised as in ``stratified_effect``: ``comparisons.permutation_p`` on more
    than one environment (Lehmann and Romano 2005, section 15.2, on tests that are exact because exchanges
    change nothing; Chung and Romano 2013). Each sample has two scores or more. Every combination of splits is
    counted where there are at most 10^6, else 99 999 random ones and the one at hand, seeded; they depend on
    nothing but the numbers of scores.
    """
    pooled = [_pooled(problem) for problem in problems]
    p = np.ones(len(problems))
    drawn = []
    for index, (values, sizes) in enumerate(zip(pooled, map(sizes_of, problems), strict=True)):
        if not any(one.any() for one in values):
            continue  # no score differs from another
        if combinations(sizes) <= EXACT_SPLITS:
            p[index] = _exact(values, sizes)
        else:
            drawn.append(index)
    p[drawn] = _random([(pooled[index], sizes_of(problems[index])) for index in drawn], seed)
    return p


def combinations(sizes: Sequence[tuple[int, int]]) -> int:
    """Give how many ways there are to split the scores of all environments."""
    return math.prod(math.comb(n + m, n) for n, m in sizes)


def smallest_stratified_p(sizes: Sequence[tuple[int, int]]) -> float:
    """Give the smallest p-value that the stratified test can attain with ``(n, m)`` scores by environment."""
    splits = combinations(sizes)
    if splits > EXACT_SPLITS:
        return 1 / (RESAMPLES + 1)
    return (2 if all(n == m for n, m in sizes) else 1) / splits  # equal groups: a split and its mirror tie


def sizes_of(problem: Strata) -> list[tuple[int, int]]:
    """Give the numbers of scores of both on each environment."""
    return [(len(one), len(other)) for one, other in zip(*problem, strict=True)]


def _pooled(problem: Strata) -> list[np.ndarray]:
    """Give both algorithms' scores on each environment ``[n + m]``, centred there, and in one scale."""
    values = [np.concatenate(both).astype(float) for both in zip(*problem, strict=True)]
    values = [one - one.mean() if spread(one) else np.zeros(len(one)) for one in values]
    scale = max(np.abs(one).max() for one in values)
    return [one / scale for one in values] if scale else values


def _exact(values: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]) -> float:
    differences, variances = np.zeros(1), np.zeros(1)
    observed = [0.0, 0.0]
    for one, (n, m) in zip(values, sizes, strict=True):
        of_all = (n, m, one.sum(), (one**2).sum())
        own = welch_parts(one[:n].sum(), (one[:n] ** 2).sum(), *of_all)
        observed = [observed[0] + float(own[0]), observed[1] + float(own[1])]
        split = welch_parts(subset_sums(one, n), subset_sums(one**2, n), *of_all)
        differences = np.add.outer(differences, split[0]).ravel()
        variances = np.add.outer(variances, split[1]).ravel()
    least = _extremity(*map(np.asarray, observed)) - 1e-10  # sums in another order differ a little
    return float(np.mean(_extremity(differences, variances) >= least))


def _random(problems: Sequence[tuple[list[np.ndarray], list[tuple[int, int]]]], seed: int) -> np.ndarray:
    """Give the p-values by random splits, which problems share where they have as many scores."""
    extreme = np.zeros(len(problems), dtype=int)
    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for index, (_, counts) in enumerate(problems):
        groups.setdefault(tuple(counts), []).append(index)
    values = {
        sizes: [np.stack([problems[one][0][k] for one in mine], axis=1) for k in range(len(sizes))]
        for sizes, mine in groups.items()
    }
    least = {sizes: of_splits(_as_they_are(sizes), values[sizes], sizes) - 1e-10 for sizes in groups}
    rngs = {
        (k, pair): np.random.default_rng([seed, k, *pair]) for sizes in groups for k, pair in enumerate(sizes)
    }
    for start in range(0, RESAMPLES, _AT_ONCE):
        count = min(_AT_ONCE, RESAMPLES - start)
        masks = {key: draw_splits(rng, count, *key[1]) for key, rng in rngs.items()}
        for sizes, mine in groups.items():
            found = of_splits([masks[key] for key in enumerate(sizes)], values[sizes], sizes)
            extreme[mine] += np.count_nonzero(found >= least[sizes], axis=0)
    return (extreme + 1) / (RESAMPLES + 1)


def _as_they_are(sizes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Give the split at hand as a mask ``[1, n + m]`` for each environment."""
    return [np.repeat([[1.0, 0.0]], pair, axis=1) for pair in sizes]


def draw_splits(rng: np.random.Generator, count: int, n: int, m: int) -> np.ndarray:
    """Draw which ``n`` of ``n + m`` scores go to the first, each choice as likely: ``[count, n + m]``."""
    keys = rng.random((count, n + m))
    return (keys <= np.partition(keys, n - 1, axis=1)[:, n - 1 : n]).astype(float)


def of_splits(
    masks: Sequence[np.ndarray], values: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Give the statistic ``[R, P]`` of P pairs in each of R splits.

    ``masks [R, n + m]`` say who goes to the first, ``values [n + m, P]`` are centred: with the sum ``s`` of
    the first's and ``q`` of their squares, ``welch_parts`` are ``s (1/n + 1/m)`` and linear in ``s^2, q``.
    """
    difference: np.ndarray | float = 0.0
    variance: np.ndarray | float = 0.0
    for mask, scores, (n, m) in zip(masks, values, sizes, strict=True):
        sums = mask @ scores
        difference += (1 / n + 1 / m) * sums
        one, other = 1 / (n * (n - 1)), 1 / (m * (m - 1))
        sums *= sums
        variance += other * (scores**2).sum(axis=0) - (one / n + other / m) * sums
        if n != m:
            variance += (one - other) * (mask @ scores**2)
    return _extremity(np.asarray(difference), np.maximum(variance, 0))


def _extremity(differences: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Give t^2 / (1 + t^2) of the studentised effect; 0 where there is no effect, but for rounding."""
    squares = np.where(np.abs(differences) < _ROUNDING, 0.0, differences) ** 2
    return np.divide(squares, squares + variances, out=np.zeros_like(squares), where=squares > 0)
