"""What one more run gives: levels that hold whatever the distribution, and runs that fail as outcomes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from rlbench.analysis.prediction import (
    order_statistics,
    predict,
    share_above,
    superiority,
    superiority_interval,
    with_effect_sizes,
)

SHAPES = {
    "normal": lambda rng, size: rng.normal(size=size),
    "skewed": lambda rng, size: rng.exponential(size=size),
    "at the limit": lambda rng, size: np.minimum(rng.normal(1, 1, size), 1.0),
    "two groups": lambda rng, size: np.where(rng.random(size) < 0.8, 500.0, 100.0),
    "heavy tails": lambda rng, size: rng.standard_cauchy(size),
}
AROUND_ZERO = {
    "normal": lambda rng, size: rng.normal(size=size),
    "ten times as wide": lambda rng, size: 10 * rng.normal(size=size),
    "skewed": lambda rng, size: rng.exponential(size=size) - 1,
    "at the limit": lambda rng, size: np.minimum(rng.normal(1, 1, size), 1.0),
    "two groups": lambda rng, size: np.where(rng.random(size) < 0.8, 1.0, -1.0),
    "rare failures": lambda rng, size: np.where(rng.random(size) < 0.97, 1.0, -1.0),
    "all the same": lambda rng, size: np.zeros(size),
}


def trials(scores, env="E", algorithm="a", status="finished"):
    statuses = [status] * len(scores) if isinstance(status, str) else status
    return pd.DataFrame({"algorithm": algorithm, "env": env, "score": scores, "status": statuses})


def only(frame):
    (row,) = frame.to_dict("records")
    return row


@pytest.mark.parametrize(
    ("n", "rank", "level"), [(2, 1, 1 / 3), (5, 1, 4 / 6), (10, 1, 9 / 11), (39, 1, 0.95), (79, 2, 0.95)]
)
def test_the_range_predicts_until_there_are_enough_runs_for_95_percent(n, rank, level):
    assert order_statistics(n) == (rank, pytest.approx(level))


@pytest.mark.parametrize("n", [3, 10, 40, 100])
@pytest.mark.parametrize("shape", ["normal", "skewed", "heavy tails"])
def test_one_more_run_falls_inside_as_often_as_stated(n, shape):
    runs = SHAPES[shape](np.random.default_rng(n), (20_000, n + 1))
    rank, level = order_statistics(n)
    seen = np.sort(runs[:, :n], axis=1)
    inside = (seen[:, rank - 1] <= runs[:, n]) & (runs[:, n] <= seen[:, -rank])
    assert inside.mean() == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 20_000))


@pytest.mark.parametrize("n", [3, 10, 40])
@pytest.mark.parametrize("shape", ["at the limit", "two groups"])
def test_ties_only_make_it_more_often(n, shape):
    runs = SHAPES[shape](np.random.default_rng(n), (20_000, n + 1))
    rank, level = order_statistics(n)
    seen = np.sort(runs[:, :n], axis=1)
    inside = (seen[:, rank - 1] <= runs[:, n]) & (runs[:, n] <= seen[:, -rank])
    assert inside.mean() > level


def test_the_share_above_the_worst_is_wilks_by_hand():
    assert share_above(59, 1) > 0.95 > share_above(58, 1)  # the 59 runs of Wilks's formula, 0.95^59 < 0.05
    assert share_above(10, 1) == pytest.approx(0.05**0.1)


@pytest.mark.parametrize(("n", "rank"), [(5, 1), (10, 1), (10, 3), (30, 2)])
def test_the_share_above_holds_with_95_percent_confidence(n, rank):
    uniform = np.sort(np.random.default_rng(n + rank).random((20_000, n)), axis=1)
    really_above = 1 - uniform[:, rank - 1]
    assert np.mean(really_above >= share_above(n, rank)) == pytest.approx(0.95, abs=0.007)


def test_a_prediction_by_hand():
    row = only(predict(trials([3.0, 1.0, 2.0, 5.0])))
    assert (row["low"], row["high"], row["level"]) == (1.0, 5.0, pytest.approx(3 / 5))
    assert (row["floor"], row["share"]) == (1.0, pytest.approx(0.05**0.25))
    assert (row["n"], row["failed"], row["of"]) == (4, 0, 4)


def test_runs_that_fail_are_outcomes_below_every_score():
    frame = trials([3.0, 5.0, np.nan, np.nan], status=["finished", "finished", "failed", "diverged"])
    row = only(predict(frame))
    assert (row["low"], row["high"], row["level"]) == (-np.inf, 5.0, pytest.approx(3 / 5))
    assert (row["n"], row["failed"], row["of"]) == (2, 2, 4)
    assert row["floor"] == 3.0
    assert row["share"] == share_above(4, 3)  # at least so many runs neither fail nor score less than 3


def test_where_less_is_better_the_worst_is_the_largest():
    frame = trials([100.0, 300.0, np.nan], status=["finished", "finished", "failed"])
    row = only(predict(frame, higher_is_better=False))
    assert (row["low"], row["high"], row["floor"]) == (100.0, np.inf, 300.0)


def test_what_has_not_ended_is_no_outcome():
    frame = trials([3.0, 5.0, np.nan, np.nan], status=["finished", "finished", "unfinished", "damaged"])
    row = only(predict(frame))
    assert (row["level"], row["of"]) == (pytest.approx(1 / 3), 4)


@pytest.mark.parametrize("scores", [[7.0], [np.nan, np.nan]])
def test_one_run_or_none_with_a_score_predicts_nothing(scores):
    row = only(predict(trials(scores)))
    assert all(math.isnan(row[name]) for name in ("low", "high", "level", "floor", "share"))


def test_superiority_by_hand():
    assert superiority(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == (1 + 0.5 + 1 + 1) / 4
    assert superiority(np.array([-np.inf, 3.0]), np.array([-np.inf])) == 0.75


def test_the_interval_of_superiority_is_clopper_and_pearsons():
    assert superiority_interval(1.0, 10) == (pytest.approx(0.025**0.1), 1.0)
    assert superiority_interval(0.0, 10) == (0.0, pytest.approx(1 - 0.025**0.1))
    low, high = superiority_interval(0.5, 10)
    assert low == pytest.approx(0.187, abs=5e-4)
    assert low + high == pytest.approx(1)


@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_the_interval_of_superiority_covers_whatever_the_shapes(n):
    rng = np.random.default_rng(n)
    for first, second in itertools.product(AROUND_ZERO.values(), repeat=2):
        many, sorted_many = first(rng, 20_000) + 0.5, np.sort(second(rng, 20_000))
        below, up_to = (np.searchsorted(sorted_many, many, side) for side in ("left", "right"))
        truth = (below + up_to).mean() / 40_000
        one, other = first(rng, (1000, n, 1)) + 0.5, second(rng, (1000, 1, n))
        low, high = superiority_interval(((one > other) + 0.5 * (one == other)).mean(axis=(1, 2)), n)
        assert np.mean((low <= truth) & (truth <= high)) >= 0.93


def test_effect_sizes_stand_beside_comparisons_and_count_failed_runs():
    frame = pd.concat(
        [
            trials([4.0, 5.0, np.nan], algorithm="a", status=["finished", "finished", "failed"]),
            trials([1.0, 2.0, 3.0], algorithm="b"),
        ]
    )
    pairs = pd.DataFrame({"env": ["E"], "first": ["a"], "second": ["b"]}, index=[7])
    row = only(with_effect_sizes(pairs, frame))
    assert row["superiority"] == pytest.approx(6 / 9)
    assert (row["superiority_low"], row["superiority_high"]) == superiority_interval(6 / 9, 3)
    less = only(with_effect_sizes(pairs, frame, higher_is_better=False))
    assert less["superiority"] == 0.0
    assert with_effect_sizes(pairs[:0], frame).empty
