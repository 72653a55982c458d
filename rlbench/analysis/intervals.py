"""Intervals of a mean, and when not to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
FEWEST = 10
"""Scores below which an interval is marked as weak."""

_ROUNDING = 1e-12  # a spread below this part of the scores' size is that of equal ones in floating point
_STRONGEST_SKEW = 0.55
_SKEW_OF_MANY = 0.13  # times the root of n, where that is more
_STRONGEST_EFFECT_SKEW = 0.05
_WIDEST_GAP = 0.5  # of the range, between neighbours in order
_FEW = f"fewer than {FEWEST} seeds"
_EQUAL = "equal scores, so no spread to go by"
_GROUPS = "scores fall into two groups"
_SKEWED = "scores are skewed"


def spread(scores: np.ndarray) -> float:
    """Give the sample standard deviation of two or more scores ``[n]``: exactly 0 where all are equal."""
    return float(spreads(scores))


def spreads(scores: np.ndarray) -> np.ndarray:
    """Give the sample standard deviations of ``[..., n]`` scores: exactly 0 where all of one are equal."""
    deviations = np.std(scores, axis=-1, ddof=1)
    return np.where(deviations > _ROUNDING * np.abs(scores).max(axis=-1), deviations, 0.0)


def student_t(
    mean: np.ndarray, deviation: np.ndarray, n: np.ndarray, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of the Student-t interval of means of ``n`` values; NaN where there is none.

    ``deviation`` is the sample standard deviation (divided by ``n - 1``). There is no interval with fewer
    than two values, nor without any spread: equal values do not show that the next would be the same. Arrays
    of any one shape.
    """
    n = np.asarray(n, dtype=float)
    enough = (n >= 2) & (np.asarray(deviation) > _ROUNDING * np.abs(mean))
    safe = np.maximum(n, 2)
    half = stats.t.ppf((1 + level) / 2, safe - 1) * np.asarray(deviation) / np.sqrt(safe)
    half = np.where(enough, half, np.nan)
    return np.asarray(mean) - half, np.asarray(mean) + half


@dataclass(frozen=True)
class Effect:
    """A difference of means, its standard error and the degrees of freedom of that (Welch-Satterthwaite).

    Without an error, because a sample has fewer than two values or none has any spread, it is NaN.
    """

    difference: float
    error: float
    freedom: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Give the ends of the interval of the difference; NaN where there is none."""
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.difference - half, self.difference + half

    def equivalence_p(self, margin: float) -> float:
        """Give the larger p of the two one-sided tests that it is ``margin`` or more (Schuirmann 1987)."""
        return float(stats.t.sf((margin - abs(self.difference)) / self.error, self.freedom))


def stratified_effect(firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray]) -> Effect:
    """Give the mean over k environments of ``mean(first) - mean(second)``, from ``[n]`` values of each.

    The variances of the 2 k means add up, each with the weight ``1 / k^2``; Satterthwaite (1946) gives the
    degrees of freedom of such a sum. One environment has Welch's.
    """
    samples, k = [*firsts, *seconds], len(firsts)
    means = [float(np.mean(one) - np.mean(other)) for one, other in zip(firsts, seconds, strict=True)]
    difference = float(np.mean(means))
    if min(map(len, samples)) < 2:
        return Effect(difference, np.nan, np.nan)
    sizes = np.array(list(map(len, samples)))
    parts = np.array([spread(one) for one in samples]) ** 2 / sizes / k**2
    variance = parts.sum()
    if variance == 0:
        return Effect(difference, np.nan, np.nan)
    return Effect(difference, float(np.sqrt(variance)), float(variance**2 / (parts**2 / (sizes - 1)).sum()))


def welch(first: np.ndarray, second: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Give Welch's interval of ``mean(first) - mean(second)`` for ``[n]`` and ``[m]`` values.

    NaN where there is none: with fewer than two values on a side, or without any spread on either.
    """
    return stratified_effect([first], [second]).interval(level)


def weakness(scores: np.ndarray) -> str:
    """Say why the t interval of scores ``[n]`` may cover less than it says; empty where nothing shows."""
    return _told(doubts(np.asarray(scores, dtype=float)))


def effect_weakness(firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray]) -> str:
    """Say why the interval of a ``stratified_effect`` may cover less than it says; empty as ``weakness``."""
    return _told(effect_doubts(firsts, seconds))


def _told(reasons: dict[str, np.ndarray]) -> str:
    return "; ".join(reason for reason, holds in reasons.items() if holds)


def doubts(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Say which reasons to mark its t interval each sample of ``[..., n]`` gives: reason to ``[...]``.

    The reasons: fewer than ten scores; all of them equal; two groups, where the widest gap between neighbours
    exceeds half the range and leaves two or more scores on either side; from ten scores on skew, where the
    adjusted Fisher-Pearson coefficient exceeds 0.55 and 0.13 sqrt(n). That grows with n as in Cochran's rule
    of thumb n > 25 G1^2 (1977, section 2.15); ``docs/coverage.md`` has the simulation that chose the numbers.
    """
    n = scores.shape[-1]
    few = np.full(scores.shape[:-1], n < FEWEST)
    if n < 3:
        return {_FEW: few}
    ordered = np.sort(scores, axis=-1)
    equal = spreads(ordered) == 0
    gaps = np.diff(ordered, axis=-1)
    widest = np.argmax(gaps, axis=-1)
    wide = np.max(gaps, axis=-1) > _WIDEST_GAP * (ordered[..., -1] - ordered[..., 0])
    groups = wide & (widest >= 1) & (widest <= n - 3) & ~equal  # scores up to the widest are below the gap
    skewed = np.abs(skew(ordered)) > max(_STRONGEST_SKEW, _SKEW_OF_MANY * np.sqrt(n))
    return {
        _FEW: few,
        _EQUAL: equal,
        _GROUPS: groups,
        _SKEWED: skewed & ~groups & ~equal & ~few,  # of few any may look so
    }


def effect_doubts(firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Say which reasons to mark its interval a stratified effect of samples ``[..., n]`` gives.

    Of many samples some always look odd, and what counts is what that does to their sum: its skew, by the
    third moments of the means, which add up as their variances do, above 0.05; or one sample of two groups
    that has more than half of the variance. Fewer than ten scores in any sample and a side without any spread
    are reasons, too. ``docs/coverage.md`` has the simulation that chose the numbers.
    """
    samples = [*firsts, *seconds]
    shape = samples[0].shape[:-1]
    few = np.full(shape, min(one.shape[-1] for one in samples) < FEWEST)
    if min(one.shape[-1] for one in samples) < 3:
        return {_FEW: few}
    sizes = np.array([one.shape[-1] for one in samples])
    parts = np.stack([spreads(one) for one in samples], axis=-1) ** 2 / sizes  # [..., 2 k]
    halves = np.split(parts, 2, axis=-1)
    equal = np.any([half.sum(axis=-1) == 0 for half in halves], axis=0)
    variance = np.maximum(parts.sum(axis=-1), np.finfo(float).tiny)
    signs = np.repeat([1, -1], len(firsts))
    third = np.stack([skew(one) for one in samples], axis=-1) * signs * parts**1.5 / np.sqrt(sizes)
    grouped = np.stack([doubts(one)[_GROUPS] for one in samples], axis=-1)
    groups = (grouped & (parts > variance[..., None] / 2)).any(axis=-1)
    skewed = np.abs(third.sum(axis=-1)) > _STRONGEST_EFFECT_SKEW * variance**1.5
    return {_FEW: few, _EQUAL: equal, _GROUPS: groups, _SKEWED: skewed & ~groups & ~equal & ~few}


def skew(scores: np.ndarray) -> np.ndarray:
    """Give the adjusted Fisher-Pearson coefficient of samples ``[..., n]``; 0 where all scores are equal."""
    n = scores.shape[-1]
    away = scores - scores.mean(axis=-1, keepdims=True)
    away /= np.maximum(np.abs(away).max(axis=-1, keepdims=True), np.finfo(float).tiny)
    squares = away * away
    second, third = squares.mean(axis=-1), (squares * away).mean(axis=-1)
    return np.asarray(np.sqrt(n * (n - 1)) / (n - 2) * third / np.maximum(second, np.finfo(float).eps) ** 1.5)
