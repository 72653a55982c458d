"""Scores of trials, summarised per algorithm and environment with everything counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rlbench.analysis.intervals import student_t, weakness

if TYPE_CHECKING:
    from rlbench.api import ScoreContext

TRIAL = ["algorithm", "env", "seed"]
CELL = ["algorithm", "env"]


def trial_scores(
    trials: pd.DataFrame,
    evaluations: pd.DataFrame,
    compute: Callable[..., float],
    contexts: Mapping[str, ScoreContext] | None = None,
) -> pd.Series:
    """Give each trial's score, in the order of ``trials``; NaN for a trial that did not finish.

    With ``contexts``, by the trials' ``hash``, it is ``compute(evaluations, context)``.
    """
    finished = trials[trials["status"] == "finished"]
    more: list[tuple[ScoreContext, ...]] = [()] * len(finished)
    if contexts is not None:
        more = [(contexts[digest],) for digest in finished["hash"]]
    wanted = dict(zip(map(tuple, finished[TRIAL].to_numpy()), more, strict=True))
    scores = {
        key: float(compute(group, *wanted[key]))
        for key, group in evaluations.groupby(TRIAL, sort=False)
        if key in wanted
    }
    # Only of finished ones: a damaged copy goes by the name of its original.
    values = [scores.get(key, np.nan) for key in map(tuple, finished[TRIAL].to_numpy())]
    return pd.Series(values, index=finished.index, dtype="float64").reindex(trials.index).rename("score")


def summarise(trials: pd.DataFrame) -> pd.DataFrame:
    """Give one row per algorithm and environment from trials with a ``score``.

    Columns: ``algorithm, env, mean, low, high`` (95 %, Student t), ``deviation`` (sample standard deviation),
    ``n`` (trials with a score), ``of`` (all trials, however they ended), ``weak`` (why the interval may be
    too narrow; empty where it is not marked). Where nothing finished, the numbers are NaN, never 0; with
    one score, or with equal ones, there is no interval.
    """
    rows = []
    for (algorithm, env), group in trials.groupby(CELL, sort=True):
        scores = group["score"].to_numpy(dtype=float)
        scores = scores[np.isfinite(scores)]
        n = len(scores)
        rows.append(
            {
                "algorithm": algorithm,
                "env": env,
                "mean": scores.mean() if n else np.nan,
                "deviation": scores.std(ddof=1) if n > 1 else np.nan,
                "n": n,
                "of": len(group),
                "weak": weakness(scores) if n else "",
            }
        )
    summary = pd.DataFrame(rows, columns=["algorithm", "env", "mean", "deviation", "n", "of", "weak"])
    low, high = student_t(
        summary["mean"].to_numpy(float), summary["deviation"].to_numpy(float), summary["n"].to_numpy(float)
    )
    summary.insert(3, "low", low)
    summary.insert(4, "high", high)
    return summary


def typical_trials(trials: pd.DataFrame) -> list[str]:
    """Give the hash of one trial for each algorithm and environment: the one with the median score.

    That is the nearest to the median; of equally near ones, the lowest seed. Trials without a score are none.
    """
    chosen = []
    for _, group in trials[trials["score"].notna()].groupby(CELL, sort=True):
        distance = (group["score"] - group["score"].median()).abs()
        nearest = group[distance == distance.min()]
        chosen.append(str(nearest.loc[nearest["seed"].idxmin(), "hash"]))
    return chosen
