"""Comparisons: the test agrees with scipy, the correction with the textbook, verdicts with the evidence."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis.comparisons import (
    compare_pairs,
    holm,
    permutation_p,
    seeds_for,
    seeds_needed,
    smallest_p,
    unequal_budgets,
)


def welch_t(a, b, axis):
    difference = np.abs(a.mean(axis=axis) - b.mean(axis=axis))
    error = np.sqrt(a.var(axis=axis, ddof=1) / a.shape[axis] + b.var(axis=axis, ddof=1) / b.shape[axis])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference > 0, difference / error, 0.0)


def frame(env="E", **scores):
    rows = [(name, env, seed, value) for name, values in scores.items() for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "score"])


def test_permutation_by_hand():
    # Of the 20 splits of {1..6} into threes, only {4,5,6} and its mirror are as extreme.
    assert permutation_p(np.array([4.0, 5, 6]), np.array([1.0, 2, 3])) == 2 / 20
    # Of the 6 splits of {1,2,3,10} into pairs, {3,10} and {1,2}; |mean difference| 5.
    assert permutation_p(np.array([3.0, 10.0]), np.array([1.0, 2.0])) == pytest.approx(2 / 6)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (4, 7), (9, 3), (2, 8)])
@pytest.mark.parametrize("decimals", [0, 12])
def test_exact_p_agrees_with_scipy_ties_included(n, m, decimals):
    rng = np.random.default_rng(n * 100 + m)
    a, b = rng.normal(0.8, 1, n).round(decimals), rng.normal(0, 1, m).round(decimals)
    expected = stats.permutation_test((a, b), welch_t, alternative="greater", n_resamples=np.inf).pvalue
    assert permutation_p(a, b) == pytest.approx(expected, abs=1e-12)
    assert permutation_p(b, a) == pytest.approx(expected, abs=1e-12)
    assert permutation_p(1e6 + 100 * a, 1e6 + 100 * b) == pytest.approx(expected, abs=1e-12)


def test_sampled_p_is_close_to_the_exact_one_and_repeatable():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.7, 1, 15), rng.normal(0, 1, 15)  # 155 million splits
    p = permutation_p(a, b)
    assert p == permutation_p(a, b)
    assert p == pytest.approx(stats.ttest_ind(a, b).pvalue, rel=0.15)
    assert permutation_p(a, a) == 1.0


def test_equal_scores_are_no_evidence():
    assert permutation_p(np.full(5, 500.0), np.full(5, 500.0)) == 1.0


def test_false_alarms_stay_below_the_level():
    rng = np.random.default_rng(0)
    alarms = [permutation_p(*rng.exponential(size=(2, 5))) <= 0.05 for _ in range(2000)]
    assert np.mean(alarms) <= 0.065


@pytest.mark.parametrize("seeds", [(20, 4), (4, 20)])
def test_unequal_sizes_and_variances_do_not_make_false_alarms_common(seeds):
    # Raw means permuted: 42 % false alarms here. Studentised: 11 %, as 4 seeds are far from many.
    rng = np.random.default_rng(0)
    n, m = seeds
    alarms = [
        permutation_p(rng.normal(0, 1 if n > m else 10, n), rng.normal(0, 10 if n > m else 1, m)) <= 0.05
        for _ in range(400)
    ]
    assert np.mean(alarms) <= 0.16


def test_splits_without_any_variance_are_the_most_extreme():
    assert permutation_p(np.array([1.0] * 3), np.array([0.0] * 4)) == pytest.approx(1 / 35)
    assert permutation_p(np.array([0.1] * 3), np.array([0.1] * 4)) == 1.0


@pytest.mark.parametrize(("n", "m", "p"), [(3, 3, 0.1), (5, 5, 2 / 252), (3, 4, 1 / 35), (2, 5, 1 / 21)])
def test_the_smallest_attainable_p(n, m, p):
    assert smallest_p(n, m) == pytest.approx(p)
    extreme = permutation_p(np.arange(n) + 1000.0, np.arange(m) * 1.0)
    assert extreme >= smallest_p(n, m) - 1e-12
    if n <= m:
        assert extreme == pytest.approx(smallest_p(n, m))


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_a_clear_difference_is_decided_and_puts_the_better_first():
    row = compare_pairs(frame(dqn=[1, 2, 3, 4, 5], a2c=[11, 12, 13, 14, 15])).iloc[0]
    assert (row["first"], row["second"], row["verdict"]) == ("a2c", "dqn", "better")
    assert row["difference"] == 10
    assert row["low"] < 10 < row["high"]
    assert row["p_corrected"] == pytest.approx(2 / 252)
    assert math.isnan(row["seeds_needed"])


def test_lower_can_be_better():
    row = compare_pairs(frame(slow=[11, 12, 13, 14, 15], fast=[1, 2, 3, 4, 5]), higher_is_better=False).iloc[
        0
    ]
    assert (row["first"], row["verdict"]) == ("fast", "better")


def test_an_unclear_difference_says_how_many_seeds_it_would_take():
    row = compare_pairs(frame(a=[1, 2, 3, 4, 5], b=[1.5, 2.5, 3.5, 4.5, 5.5])).iloc[0]
    assert row["verdict"] == "undecided"
    # d^2 = 0.25 / 2.5; 2 (1.96 + 0.8416)^2 / 0.1 = 157
    assert row["seeds_needed"] == 157


def test_three_seeds_cannot_decide_anything_and_it_says_so():
    row = compare_pairs(frame(a=[1, 2, 3], b=[101, 102, 103])).iloc[0]
    assert row["verdict"] == "cannot be decided"
    assert row["seeds_needed"] == 4  # 2 / 70 is the first attainable p below 5 %


def test_one_seed_is_not_a_test_and_does_not_count_in_the_correction():
    table = compare_pairs(frame(a=[1, 2, 3, 4, 5], b=[11, 12, 13, 14, 15], c=[7]))
    assert table["tests"].tolist() == [1, 1, 1]
    lone = table[(table["first"] == "c") | (table["second"] == "c")]
    assert (lone["verdict"] == "cannot be decided").all()
    assert lone[["p", "p_corrected", "low", "high"]].isna().all(axis=None)


def test_the_correction_is_over_all_pairs_of_all_environments():
    scores = dict(zip("abc", np.arange(15.0).reshape(3, 5), strict=True))
    table = compare_pairs(pd.concat([frame("E", **scores), frame("F", **scores)]))
    assert table["tests"].tolist() == [6] * 6
    assert (table["p_corrected"] >= table["p"]).all()


def test_failed_trials_have_no_score_to_compare():
    table = compare_pairs(frame(a=[1, 2, np.nan], b=[3, 4, 5], c=[np.nan, np.nan, np.nan]))
    assert len(table) == 1
    assert (table["n_first"] + table["n_second"]).tolist() == [5]


def test_nothing_to_compare_is_an_empty_table():
    assert compare_pairs(frame(a=[1, 2])).empty


def test_seeds_needed_has_its_stated_power_in_simulation():
    a, b = np.array([-1.0, 0, 1]) + 1, np.array([-1.0, 0, 1])  # d = 1
    n = int(seeds_needed(a, b, 0.05))
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(2, 2000, n))
    rejected = stats.ttest_ind(samples[0] + 1, samples[1], axis=1).pvalue <= 0.05
    assert 0.74 <= rejected.mean() <= 0.86


def test_seeds_needed_are_more_than_those_that_did_not_suffice():
    a, b = np.array([0.0, 1, 2, 3, 4]) + 4, np.array([0.0, 1, 2, 3, 4])  # d = 2.5: 3 by the formula
    assert seeds_needed(a, b, 0.05) == 6


def test_equal_scores_do_not_tell_how_many_seeds_are_needed():
    assert math.isnan(seeds_needed(np.array([0.1] * 3), np.array([0.7] * 3), 0.05))


NONE = [np.nan] * 6


@pytest.mark.parametrize("sign", [1, -1])
def test_the_survivors_of_a_fragile_algorithm_do_not_beat_a_stable_one(sign):
    fragile, stable = sign * np.array([101.0, 102, 103, 104]), sign * np.arange(10.0)
    table = frame(fragile=[*fragile, *NONE], stable=stable)
    row = compare_pairs(table, higher_is_better=sign > 0).iloc[0]
    assert (row["first"], row["verdict"]) == ("fragile", "undecided")
    assert row["reason"] == "6 of 10 trials of fragile have no score"
    assert row[["n_first", "of_first", "n_second", "of_second"]].tolist() == [4, 10, 10, 10]
    assert math.isnan(row["seeds_needed"])  # more seeds are not what is missing


@pytest.mark.parametrize("sign", [1, -1])
def test_missing_trials_of_the_loser_might_have_been_its_best(sign):
    fragile, stable = sign * np.arange(4.0), sign * (np.arange(10.0) + 101)
    row = compare_pairs(frame(fragile=[*fragile, *NONE], stable=stable), sign > 0).iloc[0]
    assert (row["first"], row["verdict"]) == ("stable", "undecided")


def test_a_claim_that_missing_trials_cannot_turn_is_made_with_the_larger_p():
    row = compare_pairs(frame(a=np.arange(20.0) + 100, b=[*np.arange(19.0), np.nan])).iloc[0]
    assert (row["verdict"], row["reason"], row["of_second"]) == ("better", "", 20)
    assert row["p"] >= permutation_p(np.arange(20.0) + 100, np.arange(19.0))


def test_a_pair_that_the_scores_alone_leave_open_is_not_blamed_on_missing_trials():
    row = compare_pairs(frame(a=[1, 2, 3, 4, 5], b=[1.5, 2.5, 3.5, 4.5, 5.5, np.nan])).iloc[0]
    assert (row["verdict"], row["reason"]) == ("undecided", "")


def test_different_budgets_are_not_compared():
    table = frame(a=[1, 2, 3], b=[4, 5, 6], c=[7, 8, 9])
    table = table.assign(steps=[300] * 6 + [600] * 3, evaluation_points=10, evaluation_episodes=5)
    pairs = compare_pairs(table)
    assert pairs[["first", "second"]].to_numpy().tolist() == [["b", "a"]]
    assert unequal_budgets(table) == ["E"]
    assert unequal_budgets(table.assign(steps=300)) == []


def test_scores_that_overflow_decide_nothing():
    huge = np.full(3, 1.7e308)
    assert permutation_p(huge, -huge) >= smallest_p(3, 3)


def test_where_no_number_of_seeds_attains_the_level_none_is_named():
    assert seeds_for(1.0, 1.0, 1e-9, 10, lambda n: 1e-5) == math.inf
