"""Scores: from one trial's evaluations to one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

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
