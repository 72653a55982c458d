"""What a suite of environments says beyond one number: profiles, improvements, curves of the aggregate.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS 2021. All of
it is for algorithms with a score on every environment, and none of it depends on which others there are.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd

from rlbench.analysis.aggregates import (
    RESAMPLES,
    Runs,
    interval,
    iqm,
    members,
    percentiles,
    probability_of_improvement,
    profile,
    weaknesses,
    without_points,
)
from rlbench.analysis.scores import TRIAL

CURVE_RESAMPLES = 2_000  # at every point of a curve
_PER_UNIT = 50  # thresholds of a profile between 0 and 1
_LOWEST, _HIGHEST = -1, 2  # what a profile shows at most; scores beyond are below or above all of it


def profiles(trials: pd.DataFrame) -> pd.DataFrame:
    """Give the share of each algorithm's runs above each threshold.

    Columns: ``algorithm, threshold, share, low, high, weak``; ``trials`` as for
    ``aggregates.summarise_suite``. Thresholds are multiples of 0.02 over the range of all scores, with 0 and
    1, and at most from -1 to 2. The band is pointwise, 95 %, by the stratified bootstrap; NaN where
    resampling changes nothing; ``weak`` says why it may be too narrow there.
    """
    complete = [member for member in members(trials) if not member.lacks]
    columns = ["algorithm", "threshold", "share", "low", "high", "weak"]
    if not complete:
        return pd.DataFrame(columns=columns)
    thresholds = _thresholds(np.concatenate([member.runs.values for member in complete]))
    statistic = profile(thresholds)
    frames = []
    for member in complete:
        low, high, weak = interval(statistic, member.runs)
        shares = {"share": statistic(member.runs), "low": low, "high": high, "weak": weak}
        frames.append(pd.DataFrame({"algorithm": member.algorithm, "threshold": thresholds, **shares}))
    return pd.concat(frames, ignore_index=True)[columns]


def _thresholds(values: np.ndarray) -> np.ndarray:
    """Give the thresholds for these scores ``[N]``: the first is below all of them where that is in range."""
    units = np.clip(values, _LOWEST, _HIGHEST) * _PER_UNIT
    first = max(_LOWEST * _PER_UNIT, min(0, math.ceil(units.min()) - 1))
    return np.arange(first, max(_PER_UNIT, math.ceil(units.max())) + 1) / _PER_UNIT


def improvements(trials: pd.DataFrame) -> pd.DataFrame:
    """Give how likely a run of ``first`` beats one of ``second`` on an environment drawn at random.

    Columns: ``first, second, probability, low, high, environments, weak``, a row for every ordered pair; ties
    count half. 95 %, stratified bootstrap of both; NaN where resampling changes nothing; ``weak`` says why an
    interval may be too narrow.
    """
    complete = [member for member in members(trials) if not member.lacks]
    runs = [member.runs for member in complete]
    pairs = list(itertools.combinations(range(len(runs)), 2))
    rows = []
    for (one, other), drawn in zip(pairs, _resampled(runs, pairs), strict=True):
        low, high = without_points(percentiles(drawn))
        value = float(probability_of_improvement(runs[one], runs[other]))
        names, size = (complete[one].algorithm, complete[other].algorithm), len(runs[one].sizes)
        [weak] = weaknesses(int(min(runs[one].sizes.min(), runs[other].sizes.min())), drawn)
        rows.append((*names, value, float(low), float(high), size, weak))
        rows.append((*names[::-1], 1 - value, 1 - float(high), 1 - float(low), size, weak))
    columns = ["first", "second", "probability", "low", "high", "environments", "weak"]
    return pd.DataFrame(sorted(rows), columns=columns)


def _resampled(runs: list[Runs], pairs: list[tuple[int, int]]) -> np.ndarray:
    """Give the probability of improvement of each of P pairs in each of R resamples, ``[P, R]``.

    A resample is how often each run was drawn: with the signs of all differences ``[n, m]`` of an environment
    its share of wins is a product of matrices. The two of a pair are drawn independently.
    """
    found = np.zeros((len(pairs), RESAMPLES))
    environments = len(runs[0].sizes) if runs else 0
    parts = [np.split(one.values, one.starts[1:]) for one in runs]
    for place in range(environments):
        drawn = {
            (role, size): _counts(size, np.random.default_rng([role, place, size]))
            for role in (0, 1)
            for size in {len(part[place]) for part in parts}
        }
        for index, (one, other) in enumerate(pairs):
            first, second = parts[one][place], parts[other][place]
            signs = np.sign(first[:, None] - second[None, :])
            sums = ((drawn[0, len(first)] @ signs) * drawn[1, len(second)]).sum(axis=-1)
            found[index] += sums / signs.size
    return 0.5 + 0.5 * found / max(1, environments)


def _counts(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``size`` runs with replacement, and say how often each came: ``[R, size]``."""
    places = rng.integers(0, size, (RESAMPLES, size)) + size * np.arange(RESAMPLES)[:, None]
    return np.bincount(places.ravel(), minlength=RESAMPLES * size).reshape(RESAMPLES, size).astype(float)


def aggregate_curves(curves: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Give each algorithm's interquartile mean over the suite as training goes on.

    ``curves`` has ``algorithm, env, seed, step, value``, the normalised mean return of each trial at each
    evaluation; ``trials`` also the ``steps`` of each trial's budget. Columns: ``algorithm``; ``share`` of the
    budget; ``steps`` where an algorithm has one budget everywhere, else NaN; ``value, low, high`` (95 %,
    stratified bootstrap, 2 000 resamples); ``environments``; ``n`` trials with a score, which alone count,
    ``of`` all; ``weak``: why the band may be too narrow there. An algorithm's grid is that of its fewest
    evaluation points; others are interpolated linearly.
    """
    frames = []
    for member in members(trials):
        if member.lacks:
            continue
        mine = trials[(trials["algorithm"] == member.algorithm) & trials["env"].isin(list(member.scores))]
        mine = mine[np.isfinite(mine["normalised"].to_numpy(float))]
        shares, values = _on_one_grid(curves.merge(mine[[*TRIAL, "steps"]], on=TRIAL))
        sizes = np.array([len(scores) for scores in member.scores.values()])
        value, low, high, weak = zip(*(_point(Runs(at_once, sizes)) for at_once in values.T), strict=True)
        budgets = mine["steps"].unique()
        frames.append(
            pd.DataFrame(
                {
                    "algorithm": member.algorithm,
                    "share": shares,
                    "steps": (shares * float(budgets[0])).round() if len(budgets) == 1 else np.nan,
                    "value": value,
                    "low": low,
                    "high": high,
                    "environments": len(sizes),
                    "n": len(mine),
                    "of": member.of,
                    "weak": weak,
                }
            )
        )
    columns = [
        "algorithm", "share", "steps", "value", "low", "high", "environments", "n", "of", "weak",
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _point(runs: Runs) -> tuple[float, float, float, str]:
    """Give the interquartile mean, its interval and why that is weak; NaN where a return is not finite."""
    if not np.isfinite(runs.values).all():
        return np.nan, np.nan, np.nan, ""
    low, high, [weak] = interval(iqm, runs, resamples=CURVE_RESAMPLES)
    return float(iqm(runs)), float(low), float(high), weak


def _on_one_grid(curves: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Give a grid of shares of the budget ``[G]`` and the values there ``[N, G]``, environments in order."""
    ordered = curves.sort_values(["env", "seed", "step"], kind="stable")
    trials = [group for _, group in ordered.groupby(["env", "seed"], sort=True)]
    fewest = min(map(len, trials))
    shares = np.arange(1, fewest + 1) / fewest
    at = [(group["step"] / group["steps"]).to_numpy(float) for group in trials]
    values = [group["value"].to_numpy(float) for group in trials]
    return shares, np.array([np.interp(shares, *one) for one in zip(at, values, strict=True)])
