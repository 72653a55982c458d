"""Scores of many environments in one number, with intervals, in vectorised numpy.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS 2021. Scores
are normalised: 0 is a random policy, 1 the reference. Environments count alike, however many runs they have;
with as many runs everywhere each number is by that paper's definition.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from rlbench.analysis.intervals import LEVEL, skew
from rlbench.analysis.scores import CELL

RESAMPLES = 10_000
FEWEST_RUNS = 40
"""Runs on any environment below which an interval over environments is marked as weak."""

_STRONGEST_SKEW = 0.07
_AT_ONCE = 2**16  # numbers that are held at a time: they fit in the cache


@dataclass(frozen=True)
class Runs:
    """Runs of one algorithm, environment after environment: ``values [..., N]``, ``sizes [m]``."""

    values: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, scores: Sequence[np.ndarray]) -> Runs:
        """Take the scores ``[n]`` of every environment; raises ``ValueError`` where there are none."""
        if not scores or not all(len(one) for one in scores):
            raise ValueError("every environment needs a score, and there must be one")
        return cls(np.concatenate(scores).astype(float), np.array([len(one) for one in scores]))

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each environment's runs begin, ``[m]``."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def weights(self) -> np.ndarray:
        """What each run counts, ``[N]``; their sum is 1."""
        return np.repeat(1 / (len(self.sizes) * self.sizes), self.sizes)

    @cached_property
    def even(self) -> bool:
        """Whether every environment has as many runs."""
        return bool((self.sizes == self.sizes[0]).all())

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Give the mean over environments of the mean over runs of ``[..., N]``."""
        return np.asarray(values.mean(axis=-1) if self.even else values @ self.weights)

    def by_environment(self) -> np.ndarray:
        """Give each environment's mean, ``[..., m]``."""
        return np.add.reduceat(self.values, self.starts, axis=-1) / self.sizes

    def resampled(self, rng: np.random.Generator, resamples: int) -> Runs:
        """Draw as many runs of every environment with replacement: ``values [R, N]``."""
        draws = rng.random((resamples, len(self.values)))
        draws *= np.repeat(self.sizes, self.sizes)
        rows = draws.astype(np.intp)
        rows += np.repeat(self.starts, self.sizes)
        return Runs(self.values.take(rows), self.sizes)


Statistic = Callable[[Runs], np.ndarray]
"""``values [..., N]`` to ``[...]`` or, for a profile, ``[..., k]``."""


def mean(runs: Runs) -> np.ndarray:
    """Give the mean over environments of the mean over runs (Agarwal et al., section 4)."""
    return runs.averaged(runs.values)


def median(runs: Runs) -> np.ndarray:
    """Give the median over environments of the mean over runs: half of the environments do not move it."""
    return np.asarray(np.median(runs.by_environment(), axis=-1))


def iqm(runs: Runs) -> np.ndarray:
    """Give the interquartile mean: of all runs without the lowest and the highest quarter (section 4.3).

    Of N runs that count alike, ``floor(N / 4)`` go on either side, as in ``scipy.stats.trim_mean``; of others
    as many as make up that share of the weight, the last of them in part.
    """
    total = runs.values.shape[-1]
    cut = total // 4
    if runs.even:
        if cut == 0:
            return runs.values.mean(axis=-1)
        ordered = np.sort(runs.values, axis=-1)  # vectorised, unlike partitions at two places
        return ordered[..., cut : total - cut].mean(axis=-1)
    order = np.argsort(runs.values, axis=-1)
    weights, share = runs.weights[order], cut / total
    until = np.cumsum(weights, axis=-1)
    kept = np.clip(np.minimum(until, 1 - share) - np.maximum(until - weights, share), 0, None)
    return (np.take_along_axis(runs.values, order, -1) * kept).sum(axis=-1) / kept.sum(axis=-1)


def optimality_gap(runs: Runs) -> np.ndarray:
    """Give by how much runs fall short of 1 on average; what exceeds it does not make up for the rest."""
    return 1.0 - runs.averaged(np.minimum(runs.values, 1.0))


def profile(thresholds: np.ndarray) -> Statistic:
    """Give the performance profile: the share of runs above each of rising ``thresholds [k]`` (sec. 4.2)."""

    def share(runs: Runs) -> np.ndarray:
        above = np.searchsorted(thresholds, runs.values)  # how many thresholds each run is above
        places = above.reshape(-1, above.shape[-1])
        places = places + (len(thresholds) + 1) * np.arange(len(places))[:, None]
        weights = None if runs.even else np.broadcast_to(runs.weights, places.shape).ravel()
        size = (*above.shape[:-1], len(thresholds) + 1)
        counts = np.bincount(places.ravel(), weights, math.prod(size)).reshape(size)
        sums = counts[..., ::-1].cumsum(axis=-1)[..., -2::-1]
        return np.asarray(sums / above.shape[-1] if runs.even else sums)

    return share


def probability_of_improvement(first: Runs, second: Runs) -> np.ndarray:
    """Give P(first > second) for a run of each on an environment drawn at random, ties counted half.

    ``values [..., N]`` and ``[..., K]`` of the same environments give ``[...]``: the Mann-Whitney statistic,
    averaged over environments (section 4.3).
    """
    shares = [
        np.sign(one[..., :, None] - other[..., None, :]).mean(axis=(-2, -1))
        for one, other in zip(_split(first), _split(second), strict=True)
    ]
    return np.asarray(0.5 + 0.5 * np.mean(shares, axis=0))


def _split(runs: Runs) -> list[np.ndarray]:
    return np.split(runs.values, runs.starts[1:], axis=-1)


def bootstrap(
    statistic: Callable[..., np.ndarray],
    *samples: Runs,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of the stratified percentile bootstrap interval of ``statistic(*samples)``.

    Runs are drawn with replacement within each environment, independently for each sample (section 4.1;
    Efron and Tibshirani 1993, section 13.3).
    """
    return percentiles(resampled(statistic, *samples, resamples=resamples, seed=seed), level)


def resampled(
    statistic: Callable[..., np.ndarray], *samples: Runs, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Give ``statistic(*samples)`` of each resample, ``[R, ...]``, drawn as in ``bootstrap``."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            statistic(*(sample.resampled(rng, count) for sample in samples))
            for count in _portions(resamples, sum(sample.values.shape[-1] for sample in samples))
        ]
    )


def percentiles(found: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of the percentile interval of resampled values ``[R, ...]``."""
    low, high = np.percentile(found, [50 * (1 - level), 50 * (1 + level)], axis=0)
    return low, high


def interval(
    statistic: Statistic, runs: Runs, resamples: int = RESAMPLES
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Give the ends of ``bootstrap``'s intervals, and why each may be too narrow, as ``weaknesses`` does.

    Ends are NaN where all resamples are equal: equal runs do not show that the next would be the same, and a
    single run shows no spread at all.
    """
    found = resampled(statistic, runs, resamples=resamples)
    return *without_points(percentiles(found)), weaknesses(int(runs.sizes.min()), found)


def without_points(ends: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of intervals, NaN where they are one point."""
    point = np.isclose(*ends, rtol=1e-12, atol=1e-12)
    return np.where(point, np.nan, ends[0]), np.where(point, np.nan, ends[1])


def suite_doubts(fewest: int, found: np.ndarray) -> dict[str, np.ndarray]:
    """Say which reasons to mark a bootstrap interval as weak hold: reason to ``[...]``.

    ``fewest`` runs on any of the environments, ``found [R, ...]`` resampled values. The reasons: fewer than
    forty runs, as percentile intervals are narrower than Student's; resampled values that are all equal, or
    skewed, with a coefficient above 0.07. ``docs/coverage.md`` has the simulation that chose the numbers.
    """
    equal = found.min(axis=0) == found.max(axis=0)
    skewed = np.abs(skew(np.moveaxis(found, 0, -1))) > _STRONGEST_SKEW
    return {
        f"fewer than {FEWEST_RUNS} seeds": np.full(equal.shape, fewest < FEWEST_RUNS),
        "equal values, so no spread to go by": equal,
        "resampled values are skewed": skewed & ~equal,
    }


def weaknesses(fewest: int, found: np.ndarray) -> list[str]:
    """Give the reasons of ``suite_doubts`` in words, for each interval; empty where nothing shows."""
    reasons = suite_doubts(fewest, found)
    held = np.stack([np.ravel(holds) for holds in reasons.values()], axis=-1)
    return ["; ".join(itertools.compress(reasons, row)) for row in held]


def _portions(resamples: int, size: int) -> Iterator[int]:
    most = max(1, _AT_ONCE // size)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)


STATISTICS: dict[str, Statistic] = {
    "iqm": iqm, "mean": mean, "median": median, "optimality_gap": optimality_gap,
}  # fmt: skip


def every_statistic(runs: Runs) -> np.ndarray:
    """Give all of ``STATISTICS``, ``[..., 4]``: each resample serves them all."""
    return np.stack([statistic(runs) for statistic in STATISTICS.values()], axis=-1)


@dataclass(frozen=True)
class Member:
    """One algorithm in a suite: its normalised ``scores [n]`` by environment, of all its trials there."""

    algorithm: str
    scores: Mapping[str, np.ndarray]
    of: int

    @property
    def lacks(self) -> list[str]:
        """The environments on which it has no score."""
        return [env for env, scores in self.scores.items() if not len(scores)]

    @property
    def runs(self) -> Runs:
        """Its scores for a statistic; raises ``ValueError`` where it lacks an environment."""
        return Runs.of(list(self.scores.values()))


def members(trials: pd.DataFrame) -> list[Member]:
    """Give the algorithms of the suite: of all environments with a normalised score of any algorithm.

    ``trials`` has ``algorithm, env, normalised``, in any order. Empty with fewer than two environments.
    """
    known = trials[np.isfinite(trials["normalised"].to_numpy(float))]
    suite = sorted(known["env"].unique())
    if len(suite) < 2:
        return []
    scores = {key: np.sort(group.to_numpy(float)) for key, group in known.groupby(CELL)["normalised"]}
    counts = trials[trials["env"].isin(suite)].groupby("algorithm", sort=True).size()
    return [
        Member(str(algorithm), {env: scores.get((algorithm, env), np.empty(0)) for env in suite}, int(of))
        for algorithm, of in counts.items()
    ]


def summarise_suite(trials: pd.DataFrame) -> pd.DataFrame:
    """Give each algorithm's statistics over all environments that have normalised scores.

    ``trials`` has ``algorithm, env, normalised``. Columns: ``algorithm, statistic, value, low, high`` (95 %,
    stratified bootstrap; NaN where resampling changes nothing), ``environments`` of the suite, ``n`` trials
    with a score of ``of``, ``lacks``: the environments on which an algorithm has no score, and hence no
    value; ``weak``: why the interval may be too narrow. The suite is the same for all, so that an algorithm
    more changes nobody's numbers. Empty with fewer than two environments.
    """
    rows = []
    for member in members(trials):
        values = lows = highs = np.full(len(STATISTICS), np.nan)
        weak = [""] * len(STATISTICS)
        if not member.lacks:
            values, (lows, highs, weak) = every_statistic(member.runs), interval(every_statistic, member.runs)
        for name, value, low, high, why in zip(STATISTICS, values, lows, highs, weak, strict=True):
            rows.append(
                {
                    "algorithm": member.algorithm,
                    "statistic": name,
                    "value": float(value),
                    "low": float(low),
                    "high": float(high),
                    "environments": len(member.scores),
                    "n": sum(map(len, member.scores.values())),
                    "of": member.of,
                    "lacks": ", ".join(member.lacks),
                    "weak": why,
                }
            )
    columns = [
        "algorithm", "statistic", "value", "low", "high", "environments", "n", "of", "lacks", "weak",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
