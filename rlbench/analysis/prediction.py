"""What one more run gives, and how often a run of one algorithm scores more than one of another.

Everything here goes by the order of the scores alone, so it holds whatever their distribution: they may pile
up at a limit or fall into two groups. Runs that failed or diverged are outcomes, each worse than any score.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from rlbench.analysis.intervals import LEVEL
from rlbench.analysis.scores import CELL

CONFIDENCE = 0.95
"""Of the share of runs that a floor is stated for."""

_WITHOUT_SCORE = ("failed", "diverged")
_COLUMNS = [*CELL, "n", "failed", "of", "low", "high", "level", "floor", "share"]


def order_statistics(n: int, level: float = LEVEL) -> tuple[int, float]:
    """Give which of ``n`` ordered outcomes predict the next one: ``(rank from either end, their level)``.

    One more outcome falls between the j-th smallest and the j-th largest of n with probability
    ``(n + 1 - 2 j) / (n + 1)``, more where there are ties (Wilks 1941). The narrowest pair that reaches
    ``level`` is given; fewer than 39 outcomes cannot reach 95 %, and their range predicts at a lower level.
    """
    rank = max(1, int((1 - level) * (n + 1) / 2 + 1e-9))
    return rank, (n + 1 - 2 * rank) / (n + 1)


def share_above(n: int, rank: int, confidence: float = CONFIDENCE) -> float:
    """Give the share of all runs that, with this confidence, lie at or above the ``rank``-th worst of ``n``.

    A one-sided tolerance limit (Wilks 1941): the share above it follows Beta(n + 1 - rank, rank) where no two
    outcomes are equal, and is larger otherwise.
    """
    return float(stats.beta.ppf(1 - confidence, n + 1 - rank, rank))


def predict(trials: pd.DataFrame, higher_is_better: bool = True) -> pd.DataFrame:
    """Say what one more run of each algorithm on each environment gives, from trials with ``score, status``.

    Columns: ``algorithm, env``; ``n`` trials with a score, ``failed`` that failed or diverged, ``of`` all;
    ``low, high``, between which one more run falls with probability ``level``; ``floor``, the worst score,
    which with 95 % confidence at least ``share`` of all runs reach. An end is infinite where it stands for
    runs that fail. NaN with fewer than two outcomes, and where nothing has a score. Unfinished and damaged
    trials are not outcomes.
    """
    rows = []
    for cell, group in trials.groupby(CELL, sort=True):
        outcomes = _outcomes(group, higher_is_better)
        scores = outcomes[np.isfinite(outcomes)]
        n, failed = len(scores), len(outcomes) - len(scores)
        low = high = level = floor = share = np.nan
        if n and n + failed > 1:
            rank, level = order_statistics(n + failed)
            low, high = np.sort(outcomes)[[rank - 1, -rank]]
            floor = scores.min() if higher_is_better else scores.max()
            share = share_above(n + failed, failed + 1)
        rows.append((*cell, n, failed, len(group), low, high, level, floor, share))
    return pd.DataFrame(rows, columns=_COLUMNS)


def superiority(first: np.ndarray, second: np.ndarray) -> float:
    """Give how often a run of the first scores more than one of the second, ties half: ``[n], [m]``.

    The common-language effect size of Vargha and Delaney (2000): 0.5 for none, 1 where every run of the first
    is above every run of the second. Outcomes may be infinite.
    """
    above = first[:, None] > second[None, :]
    equal = first[:, None] == second[None, :]
    return float(np.mean(above + 0.5 * equal))


def superiority_interval(
    value: np.ndarray | float, pairs: int, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Give the interval of a probability of superiority, estimated from ``pairs = min(n, m)`` pairs of runs.

    The estimate is an average of means over that many independent pairs (Hoeffding 1963, section 5b), so it
    varies no more than the frequency of heads in as many tosses of a coin. The interval is Clopper and
    Pearson's (1934) for such a frequency: too wide rather than too narrow, whatever the distributions.
    """
    wins, losses = np.asarray(value) * pairs, (1 - np.asarray(value)) * pairs
    low = stats.beta.ppf((1 - level) / 2, wins, losses + 1)
    high = stats.beta.ppf((1 + level) / 2, wins + 1, losses)
    return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)  # without a win or a loss: the very end


def with_effect_sizes(
    pairs: pd.DataFrame, trials: pd.DataFrame, higher_is_better: bool = True
) -> pd.DataFrame:
    """Add ``superiority, superiority_low, superiority_high`` to comparisons as ``compare_pairs`` gives them.

    How often a run of ``first`` is better than one of ``second``, with its 95 % interval; runs that failed or
    diverged lose against any score and tie with each other.
    """
    outcomes = {cell: _outcomes(group, higher_is_better) for cell, group in trials.groupby(CELL, sort=True)}
    found = []
    for row in pairs.itertuples():
        first, second = outcomes[row.first, row.env], outcomes[row.second, row.env]
        value = superiority(first, second) if higher_is_better else superiority(second, first)
        found.append((value, *superiority_interval(value, min(len(first), len(second)))))
    columns = ["superiority", "superiority_low", "superiority_high"]
    return pairs.join(pd.DataFrame(found, columns=columns, index=pairs.index, dtype="float64"))


def _outcomes(trials: pd.DataFrame, higher_is_better: bool) -> np.ndarray:
    """Give the scores of one cell's trials, and infinity on the bad side for each that failed or diverged."""
    scores = trials["score"].to_numpy(float)
    failed = trials["status"].isin(_WITHOUT_SCORE).to_numpy()
    worst = -np.inf if higher_is_better else np.inf
    return np.concatenate([scores[np.isfinite(scores)], np.full(failed.sum(), worst)])
