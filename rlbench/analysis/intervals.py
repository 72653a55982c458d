"""Intervals of a mean, and when not to trust them."""

from __future__ import annotations

import numpy as np
from scipy import stats

LEVEL = 0.95
FEWEST = 10
"""Scores below which an interval is marked as weak."""

_ROUNDING = 1e-12  # a spread below this part of the scores' size is that of equal ones in floating point
_STRONGEST_SKEW = 0.55
_SKEW_OF_MANY = 0.13  # times the root of n, where that is more
_WIDEST_GAP = 0.5  # of the range, between neighbours in order
_FEW = f"fewer than {FEWEST} seeds"


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


def welch(first: np.ndarray, second: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Give Welch's interval of ``mean(first) - mean(second)`` for ``[n]`` and ``[m]`` values.

    NaN where there is none: with fewer than two values on a side, or without any spread on either.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return np.nan, np.nan
    a, b = spread(first) ** 2 / n, spread(second) ** 2 / m
    if a + b == 0:
        return np.nan, np.nan
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))  # Welch-Satterthwaite
    half = stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(a + b)
    difference = np.mean(first) - np.mean(second)
    return float(difference - half), float(difference + half)


def weakness(scores: np.ndarray) -> str:
    """Say why the t interval of scores ``[n]`` may cover less than it says; empty where nothing shows."""
    return "; ".join(reason for reason, holds in doubts(np.asarray(scores, dtype=float)).items() if holds)


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
        "equal scores, so no spread to go by": equal,
        "scores fall into two groups": groups,
        "scores are skewed": skewed & ~groups & ~equal & ~few,  # of few any may look so
    }


def skew(scores: np.ndarray) -> np.ndarray:
    """Give the adjusted Fisher-Pearson coefficient of samples ``[..., n]``; 0 where all scores are equal."""
    n = scores.shape[-1]
    away = scores - scores.mean(axis=-1, keepdims=True)
    away /= np.maximum(np.abs(away).max(axis=-1, keepdims=True), np.finfo(float).tiny)
    squares = away * away
    second, third = squares.mean(axis=-1), (squares * away).mean(axis=-1)
    return np.asarray(np.sqrt(n * (n - 1)) / (n - 2) * third / np.maximum(second, np.finfo(float).eps) ** 1.5)
