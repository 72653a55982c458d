"""Summaries: everything counted, nothing invented."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlbench.analysis.metrics import final
from rlbench.analysis.scores import summarise, trial_scores, typical_trials


def trials(*rows):
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "status", "score"])


def test_mean_interval_and_counts_by_hand():
    frame = trials(
        ("a", "E", 0, "finished", 1.0), ("a", "E", 1, "finished", 3.0), ("a", "E", 2, "failed", np.nan)
    )
    row = summarise(frame).iloc[0]
    assert (row["mean"], row["n"], row["of"]) == (2.0, 2, 3)
    assert row["high"] - row["mean"] == pytest.approx(12.7062, rel=1e-5)  # t(1) at 97.5 % x 1.4142 / sqrt 2
    assert row["weak"] == "fewer than 10 seeds"


def test_one_score_has_a_mean_and_no_interval():
    row = summarise(trials(("a", "E", 0, "finished", 5.0))).iloc[0]
    assert row["mean"] == 5.0
    assert np.isnan([row["low"], row["high"], row["deviation"]]).all()


def test_a_cell_where_all_failed_shows_nothing_rather_than_0():
    row = summarise(trials(("a", "E", 0, "failed", np.nan), ("a", "E", 1, "diverged", np.nan))).iloc[0]
    assert np.isnan([row["mean"], row["low"], row["high"]]).all()
    assert (row["n"], row["of"], row["weak"]) == (0, 2, "")


def test_no_trials_give_an_empty_table():
    assert summarise(trials()).empty


def test_scores_belong_to_finished_trials_alone():
    frame = trials(
        ("a", "E", 0, "finished", None), ("a", "E", 1, "diverged", None), ("a", "E", 2, "finished", None)
    )
    evaluations = pd.DataFrame(
        {"algorithm": "a", "env": "E", "seed": [1, 0], "step": 10, "episode_return": [7.0, 9.0]}
    )
    scores = trial_scores(frame, evaluations, final)
    assert scores.iloc[0] == 9.0
    assert scores.iloc[1:].isna().all()


def test_the_typical_trial_has_the_median_score_and_of_equals_the_lowest_seed():
    rows = [
        ("a", "X", 0, 9.0),
        ("a", "X", 1, 5.0),
        ("a", "X", 2, 1.0),
        ("a", "Y", 4, 3.0),
        ("a", "Y", 3, 1.0),
        ("b", "X", 7, np.nan),
        ("c", "X", 5, 2.0),
        ("c", "X", 6, np.nan),
    ]
    trials = pd.DataFrame(rows, columns=["algorithm", "env", "seed", "score"])
    trials["hash"] = [f"{row[0]}{row[1]}{row[2]}" for row in rows]
    assert typical_trials(trials) == ["aX1", "aY3", "cX5"]
    assert typical_trials(trials[:0]) == []
