"""Intervals: values known from scipy and tables, none where there can be none, marks where they mislead."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rlbench.analysis.intervals import skew, student_t, weakness, welch


def test_student_t_agrees_with_scipy():
    x = np.array([3.0, 5.0, 9.0, 11.0])
    low, high = student_t(x.mean(), x.std(ddof=1), np.array(4))
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high))
    assert float(high) - 7 == pytest.approx(3.18245 * 3.651484 / 2, rel=1e-5)  # t(3) from the table


def test_one_score_has_no_interval():
    low, high = student_t(np.array([5.0]), np.array([np.nan]), np.array([1]))
    assert np.isnan([low, high]).all()
    assert np.isnan(welch(np.array([1.0]), np.array([2.0, 3.0]))).all()


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.normal(5, 1, 7), rng.normal(3, 4, 5)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert welch(a, b) == pytest.approx((expected.low, expected.high))


def test_no_spread_at_all_gives_no_welch_interval():
    assert np.isnan(welch(np.full(5, 500.0), np.full(5, 100.0))).all()


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.arange(9.0), "fewer than 10 seeds"),
        (np.full(12, 500.0), "equal scores"),
        (np.array([500.0] * 8 + [100.0] * 4), "two groups"),
        (np.array([*range(11), 60.0]), "skewed"),
    ],
)
def test_doubtful_scores_are_marked_with_the_reason(scores, reason):
    assert reason in weakness(scores)


def test_ten_even_scores_are_not_marked():
    assert weakness(np.arange(10.0)) == ""


def test_the_more_scores_the_more_skew_is_harmless():
    twelve = np.array([*range(11), 15.0])
    many = np.tile(twelve, 4)
    assert skew(twelve) == pytest.approx(stats.skew(twelve, bias=False))
    assert 0.6 < skew(many) < skew(twelve) < 0.7
    assert weakness(twelve) == "scores are skewed"
    assert weakness(many) == ""


def test_the_mixture_that_misleads_most_is_almost_always_marked():
    # 80 % of runs reach 500 and 20 % get stuck at 100: the plain interval of 10 covers 88 %.
    rng = np.random.default_rng(0)
    runs = np.where(rng.random((1000, 20)) < 0.8, 500.0, 100.0) + rng.normal(0, 5, (1000, 20))
    assert np.mean([bool(weakness(scores)) for scores in runs]) > 0.97


def test_scores_equal_but_for_rounding_are_equal():
    scores = np.array([0.1] * 3)
    assert scores.std(ddof=1) > 0
    assert np.isnan(student_t(scores.mean(), scores.std(ddof=1), np.array(3))).all()
    assert np.isnan(welch(scores, np.array([0.7] * 3))).all()
    assert "equal scores" in weakness(scores)
