"""Scores: from one trial's evaluations to one number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rlbench.api import ScoreContext

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.95
"""The normalised return that counts as solved: this far from a random policy to the reference."""

_LAST_PART = 10  # the last tenth of the evaluation points


def final(evaluations: pd.DataFrame) -> float:
    """Give the mean return over the last 10 % of evaluation points (rounded down, at least the last one).

    ``evaluations`` has the columns ``step`` and ``episode_return``, one row an episode; NaN if it is empty.
    """
    steps = evaluations["step"].unique()
    steps.sort()
    last = steps[-max(1, len(steps) // _LAST_PART) :]
    # A NaN among the returns must show: pandas' own mean would drop it.
    return float(evaluations.loc[evaluations["step"].isin(last), "episode_return"].to_numpy().mean())


def area_under_curve(evaluations: pd.DataFrame) -> float:
    """Give the area under the learning curve per step: the mean return over the training budget.

    The curve runs in straight lines (trapezoid rule) through each evaluation's mean return, from the first
    evaluation to the last; what comes before the first is not measured and not counted. With one evaluation
    it is that one's mean. ``evaluations`` as in :func:`final`.
    """
    steps, means = _curve(evaluations)
    if len(steps) < 2:
        return float(means[0]) if len(means) else math.nan
    return float(np.trapezoid(means, steps) / (steps[-1] - steps[0]))


def steps_to_threshold(evaluations: pd.DataFrame, context: ScoreContext) -> float:
    """Give the step of the first evaluation whose mean return is 95 % of the way from random to reference.

    A trial that never gets there counts with its whole budget: its time is censored there, and the mean over
    trials is a restricted mean (Royston and Parmar 2013). That needs no guess about what would have come
    later, and holds for this budget alone. NaN without a reference, and for a solver, which takes no steps.
    """
    solved = _solved(evaluations, context)
    if solved is None:
        return math.nan
    steps, reached = solved
    return float(steps[np.argmax(reached)] if reached.any() else context.trial["steps"])


def threshold_reached(evaluations: pd.DataFrame, context: ScoreContext) -> float:
    """Give 1 if some evaluation reached the threshold of :func:`steps_to_threshold`, else 0; NaN as there."""
    solved = _solved(evaluations, context)
    return math.nan if solved is None else float(solved[1].any())


def _solved(evaluations: pd.DataFrame, context: ScoreContext) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the steps of the evaluations and which of them reach the threshold: ``[P]`` each."""
    steps, means = _curve(evaluations)
    if context.reference is None or context.trial.get("kind") == "solver" or np.isnan(means).any():
        return None
    reference = context.reference
    normalised = (means - reference.random) / (reference.reference - reference.random)
    return steps, normalised >= THRESHOLD


def _curve(evaluations: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Give the evaluations' steps in order and their mean returns, ``[P]`` each; a NaN return shows."""
    steps, rows = np.unique(evaluations["step"].to_numpy(), return_inverse=True)
    sums = np.bincount(rows, weights=evaluations["episode_return"].to_numpy(float), minlength=len(steps))
    return steps, sums / np.bincount(rows, minlength=len(steps))
