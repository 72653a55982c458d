"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from rlbench.reports.numbers import (
    MISSING,
    count,
    decimals_for,
    duration,
    interval,
    number,
    outcome,
    p_value,
    weak,
)


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([494.31, 22.0], 1), ([0.7413], 3), ([-76.6], 2), ([12_345.0], 0), ([0.0], 0), ([math.nan], 0), ([], 0)],
)
def test_decimals_fit_the_largest_value(values, decimals):
    assert decimals_for(values) == decimals


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234.56, "1,234.6"),
        (-0.52, "−0.5"),
        (-0.04, "0.0"),
        (math.nan, MISSING),
        (None, MISSING),
        (math.inf, "∞"),
    ],
)
def test_numbers(value, shown):
    assert number(value, 1) == shown


def test_an_interval_that_is_not_there_is_a_dash():
    assert interval(1.0, 2.0, 1) == "1.0 to 2.0"
    assert interval(math.nan, math.nan, 1) == MISSING


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0004, "p < 0.001"), (0.0079, "p = 0.0079"), (0.05, "p = 0.05"), (0.5, "p = 0.50")]
)
def test_p_values(value, shown):
    assert p_value(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(3.21, "3.2 s"), (45.0, "45 s"), (720.0, "12 min"), (9000.0, "2.5 h")]
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ([""], ""),
        (["few", "", "few"], "weak: few"),
        (["few; equal", "skewed"], "weak: few, equal and skewed"),
    ],
)
def test_reasons_of_weakness_are_listed_once(marks, said):
    assert weak(marks) == said


def test_counts_agree_with_their_noun():
    assert (count(1, "trial"), count(1200, "trial")) == ("1 trial", "1,200 trials")


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1.0, 2.5, "1.0 to 2.5"),
        (-math.inf, 2.5, "no score to 2.5"),
        (1.0, math.inf, "1.0 to no score"),
        (-math.inf, -math.inf, "no score"),
        (2.0, 2.0, "2.0"),
        (math.nan, math.nan, MISSING),
    ],
)
def test_what_a_run_may_give(low, high, shown):
    assert outcome(low, high, 1) == shown
