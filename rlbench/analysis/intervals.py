"""Intervals of a mean, and when not to trust them."""

from __future__ import annotations

import numpy as np
from scipy import stats

LEVEL = 0.95
FEWEST = 10
"""Scores below which an interval is marked as weak."""

_ROUNDING = 1e-12  # a spread below this part of the scores' size is that of equal ones in floating point
_STRONGEST_SKEW = 1.0
_WIDEST_GAP = 0.5  # of the range, between neighbours in order


def spread(scores: np.ndarray) -> float:
    """Give the sample standard deviation of two or more scores ``[n]``: exactly 0 where all are equal."""
    deviation = float(np.std(scores, ddof=1))
    return deviation if deviation > _ROUNDING * float(np.abs(scores).max()) else 0.0


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
    """Say why the t interval of these scores ``[n]`` may cover less than it says; empty where nothing shows.

    The reasons: fewer than ten scores; all of them equal; two groups, where the widest gap between neighbours
    exceeds half the range and leaves two or more scores on either side; skew, where the adjusted
    Fisher-Pearson coefficient exceeds 1.
    """
    reasons = []
    n = len(scores)
    if n < FEWEST:
        reasons.append(f"fewer than {FEWEST} seeds")
    if n >= 3:
        ordered = np.sort(scores)
        if spread(ordered) == 0:
            reasons.append("equal scores, so no spread to go by")
        else:
            gap = int(np.argmax(np.diff(ordered)))  # scores up to this one are below the gap
            wide = ordered[gap + 1] - ordered[gap] > _WIDEST_GAP * (ordered[-1] - ordered[0])
            if wide and 2 <= gap + 1 <= n - 2:
                reasons.append("scores fall into two groups")
            elif abs(stats.skew(ordered, bias=False)) > _STRONGEST_SKEW:
                reasons.append("scores are skewed")
    return "; ".join(reasons)
