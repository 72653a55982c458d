"""Learning curves: means over seeds with their intervals and the number of seeds behind each point."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlbench.analysis.curves import mean_curves, seed_curves, wall_clock

EVALUATIONS = pd.DataFrame(
    [
        ("a", "E", 0, 10, 1.0),
        ("a", "E", 0, 10, 3.0),
        ("a", "E", 0, 20, 6.0),
        ("a", "E", 0, 20, 6.0),
        ("a", "E", 1, 10, 4.0),
        ("a", "E", 1, 10, 4.0),
    ],
    columns=["algorithm", "env", "seed", "step", "episode_return"],
)
TRIALS = pd.DataFrame({"algorithm": "a", "env": "E", "seed": [0, 1, 2]})


def test_each_seed_has_its_curve():
    curves = seed_curves(EVALUATIONS)
    assert curves[["seed", "step", "value"]].to_numpy().tolist() == [[0, 10, 2], [0, 20, 6], [1, 10, 4]]


def test_the_mean_says_how_many_seeds_it_stands_on():
    curves = mean_curves(EVALUATIONS, TRIALS)
    assert curves[["step", "mean", "n", "of"]].to_numpy().tolist() == [[10, 3, 2, 3], [20, 6, 1, 3]]
    assert curves["low"].iloc[0] < 3 < curves["high"].iloc[0]
    assert np.isnan(curves[["low", "high"]].iloc[1]).all()  # one seed: no interval


def test_a_seed_is_one_value_however_many_episodes_it_has():
    more = pd.concat([EVALUATIONS, EVALUATIONS[EVALUATIONS.seed == 1]])
    pd.testing.assert_frame_equal(mean_curves(more, TRIALS), mean_curves(EVALUATIONS, TRIALS))


def test_nan_shows_in_the_curve():
    broken = EVALUATIONS.copy()
    broken.loc[0, "episode_return"] = np.nan
    curves = mean_curves(broken, TRIALS)
    assert np.isnan(curves["mean"].iloc[0])
    assert curves["mean"].iloc[1] == 6.0


def test_no_evaluations_give_empty_curves():
    assert mean_curves(EVALUATIONS.iloc[:0], TRIALS.iloc[:0]).empty


def test_wall_clock_is_spread_evenly_over_the_steps_a_trial_took():
    seeds = pd.DataFrame(
        {"algorithm": "a", "env": "E", "seed": [0, 0, 1, 2], "step": [50, 100, 50, 100], "value": 1.0}
    )
    means = pd.DataFrame({"algorithm": ["a", "a", "b"], "env": "E", "step": [50, 100, 100], "mean": 1.0})
    trials = pd.DataFrame(
        {
            "algorithm": ["a", "a", "a", "b"],
            "env": "E",
            "seed": [0, 1, 2, 0],
            "wall_seconds": [10.0, 15.0, float("nan"), 5.0],
            "reached_step": pd.array([100, 50, 100, None], dtype="Int64"),
        }
    )
    timed, timed_means = wall_clock(seeds, means, trials)
    assert timed[["seed", "step", "seconds"]].to_numpy().tolist() == [[0, 50, 5], [0, 100, 10], [1, 50, 15]]
    assert timed_means[["algorithm", "step", "seconds"]].to_numpy().tolist() == [
        ["a", 50, 50 * (0.1 + 0.3) / 2],
        ["a", 100, 100 * (0.1 + 0.3) / 2],
    ]
    assert list(timed_means.columns) == [*means.columns, "seconds"]
