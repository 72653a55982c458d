"""Learning curves: per seed, and their mean with its interval."""

from __future__ import annotations

import pandas as pd

from rlbench.analysis.intervals import student_t
from rlbench.analysis.scores import CELL


def seed_curves(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Give each trial's mean return at each evaluation: ``algorithm, env, seed, step, value``."""
    curves = _aggregate(evaluations, [*CELL, "seed", "step"], "episode_return")
    return curves.drop(columns=["std", "size"]).rename(columns={"mean": "value"})


def mean_curves(evaluations: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Give the mean over seeds at each step: ``algorithm, env, step, mean, low, high, n, of``.

    ``n`` is the number of trials that contribute at the step and ``of`` all trials of the cell: where
    ``n < of``, the mean is that of the trials that got so far. No interval with one trial.
    """
    curves = _aggregate(seed_curves(evaluations), [*CELL, "step"], "value").rename(columns={"size": "n"})
    low, high = student_t(
        curves["mean"].to_numpy(float), curves["std"].to_numpy(float), curves["n"].to_numpy(float)
    )
    totals = trials.groupby(CELL).size().rename("of").reset_index()
    curves = curves.assign(low=low, high=high).merge(totals, on=CELL, how="left")
    return curves[[*CELL, "step", "mean", "low", "high", "n", "of"]]


def wall_clock(
    seeds: pd.DataFrame, means: pd.DataFrame, trials: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give ``seed_curves`` and ``mean_curves`` with estimated ``seconds`` until each point was reached.

    A trial's wall-clock is spread evenly over the steps it took; a mean goes at the mean pace of its trials.
    Rows of which no time is known are left out.
    """
    known = trials[(trials["wall_seconds"] > 0) & (trials["reached_step"].fillna(0) > 0)]
    paces = known[[*CELL, "seed"]].assign(pace=known["wall_seconds"] / known["reached_step"].astype(float))
    mean_paces = paces.groupby(CELL, as_index=False)["pace"].mean()
    timed = []
    for rows, pace, keys in ((seeds, paces, [*CELL, "seed"]), (means, mean_paces, CELL)):
        joined = rows.merge(pace, on=keys)
        timed.append(joined.assign(seconds=joined["step"] * joined["pace"]).drop(columns="pace"))
    return timed[0], timed[1]


def _aggregate(frame: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Give ``mean, std, size`` of each group; a NaN shows in them, where pandas' own would drop it."""
    grouped = frame.groupby(keys, sort=True)[column].agg(["mean", "std", "size"])
    missing = frame[column].isna().groupby([frame[key] for key in keys], sort=True).any()
    for name in ("mean", "std"):
        grouped[name] = grouped[name].mask(missing)
    return grouped.reset_index()
