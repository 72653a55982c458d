"""Claims: every verdict is earned, equivalence too, and the family-wise error covers both kinds."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis.claims import claims_of, margins
from rlbench.analysis.comparisons import LEVEL, TRUNCATION, compare_pairs, equivalence_p, holm
from rlbench.analysis.intervals import weakness, welch


def frame(env="E", **scores):
    rows = [(name, env, seed, value) for name, values in scores.items() for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "score"])


def bell(n, mean=0.0, deviation=1.0):
    """Give n scores that look normal, with exactly this mean."""
    return mean + deviation * stats.norm.ppf((np.arange(n) + 0.5) / n)


def claim(margin=2.0, **scores):
    (one,) = claims_of(compare_pairs(frame(**scores), margins={"E": margin}))
    return one


def test_a_claim_holds_what_a_reader_needs():
    one = claim(a=bell(20, 5), b=bell(20, 1))
    low, high = welch(bell(20, 5), bell(20, 1))
    assert (one.env, one.first, one.second, one.metric, one.verdict) == ("E", "a", "b", "final", "better")
    assert (one.effect, one.low, one.high) == (pytest.approx(4), low, high)
    assert (one.n_first, one.of_first, one.n_second, one.of_second, one.tests) == (20, 20, 20, 20, 1)
    assert one.p_corrected <= LEVEL
    with pytest.raises(AttributeError):
        one.verdict = "undecided"
    assert asdict(one)["margin"] == 2.0


def test_means_within_the_margin_are_equivalent_with_the_p_of_that_test():
    a, b = bell(20, 0.1), bell(20)
    one = claim(a=a, b=b)
    assert (one.verdict, one.reason) == ("equivalent", "")
    assert one.p_corrected == pytest.approx(2 * equivalence_p(a, b, 2.0))
    assert math.isnan(one.seeds_needed)


def test_one_pair_is_equivalent_where_its_interval_lies_within_the_margin():
    a, b = bell(20, 0.1), bell(20)
    low, high = welch(a, b)
    assert claim(margin=max(-low, high) + 1e-6, a=a, b=b).verdict == "equivalent"
    assert claim(margin=max(-low, high) - 1e-6, a=a, b=b).verdict == "undecided"


def test_the_p_of_equivalence_is_where_welchs_interval_touches_the_margin():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 12), rng.normal(0, 2, 15)
    p = equivalence_p(a, b, 1.5)
    low, high = welch(a, b, level=1 - 2 * p)
    assert max(-low, high) == pytest.approx(1.5)
    assert equivalence_p(b, a, 1.5) == pytest.approx(p)


def test_a_difference_that_is_decided_is_better_however_small():
    assert claim(margin=100, a=bell(20, 5), b=bell(20)).verdict == "better"


@pytest.mark.parametrize(
    "scores",
    [
        {"a": bell(9), "b": bell(9)},  # fewer than ten
        {"a": [500.0] * 20, "b": [500.0] * 20},  # no interval
        {"a": [500.0] * 20, "b": bell(20, 500)},
        {"a": [*bell(16), *bell(4, 9)], "b": bell(20)},  # two groups
        {"a": [*bell(19), math.nan], "b": bell(20)},  # a trial without a score
    ],
)
def test_nothing_is_called_equivalent_on_an_interval_that_is_weak_or_lacks_trials(scores):
    assert claim(margin=50, **scores).verdict == "undecided"


def test_without_a_margin_nothing_is_equivalent_and_the_correction_is_holms():
    scores = dict(zip("abcd", (bell(10, mean) for mean in (0, 0.1, 1.3, 9)), strict=True))
    pairs = compare_pairs(frame(**scores))
    assert set(pairs["verdict"]) == {"better", "undecided"}
    assert pairs["p_corrected"].tolist() == holm(pairs["p"].to_numpy()).tolist()
    assert pairs["p_equivalent"].isna().all()


def test_below_ten_seeds_the_possible_equivalence_costs_nothing():
    scores = dict(zip("abcd", (bell(9, mean) for mean in (0, 0.1, 1.3, 9)), strict=True))
    with_margin = compare_pairs(frame(**scores), margins={"E": 5.0})
    assert with_margin["p_corrected"].tolist() == compare_pairs(frame(**scores))["p_corrected"].tolist()


def test_the_truncated_correction_by_hand():
    p = np.array([0.01, 0.03, 0.02])
    # Levels of the steps with three equivalences beside: 1/3, (1 - 1/6) / 2, (1 - 1/3) / 1.
    assert holm(p, 3).tolist() == pytest.approx([0.03, 0.048, 0.048])
    # With one: 1/3, (1 - 1/6) / 2, (1 - 1/6) / 1.
    assert holm(p, 1).tolist() == pytest.approx([0.03, 0.048, 0.048])
    assert holm(np.array([0.01, 0.5, 0.02]), 1).tolist() == pytest.approx([0.03, 0.6, 0.048])
    assert (holm(p, 3) >= holm(p)).all()
    assert holm(np.array([0.04]), 1).tolist() == [0.04]  # the first step is Holm's


@pytest.mark.parametrize("equal", [0, 1, 3, 6])
def test_false_claims_of_either_kind_stay_below_the_level_together(equal):
    """Of six pairs some are equal and the rest differ by just the margin, hard to tell from zero.

    Holm's method as it is beside the same tests of equivalence makes 6.6 % false claims with one equal pair.
    """
    rng = np.random.default_rng(equal)
    margin, k, false = 4.2, 6, []
    truth = np.where(np.arange(k) < equal, 0.0, margin)
    for found in rng.normal(truth, 1, (4000, k)):  # differences in standard errors
        different = holm(2 * stats.norm.sf(np.abs(found)), k) <= LEVEL
        equivalent = stats.norm.sf(margin - np.abs(found)) * k / TRUNCATION <= LEVEL
        false.append((different & (truth == 0)).any() or (equivalent & ~different & (truth > 0)).any())
    assert np.mean(false) <= 0.057


def test_false_equivalences_of_real_scores_stay_below_the_level():
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(1, 0.5, 10), rng.normal(0, 0.5, 10)) for _ in range(200)]
    found = [compare_pairs(frame(a=a, b=b), margins={"E": 1.0})["verdict"][0] for a, b in pairs]
    assert found.count("equivalent") <= 0.05 * len(pairs)
    assert found.count("better") >= 0.9 * len(pairs)


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("shape", ["normal", "skewed", "two peaks"])
def test_means_a_margin_apart_are_seldom_called_equivalent_whatever_their_shape(shape, n):
    rng = np.random.default_rng(n)
    draw, mean, deviation = {
        "normal": (rng.standard_normal, 0.0, 1.0),
        "skewed": (rng.standard_exponential, 1.0, 1.0),
        "two peaks": (
            lambda n: np.where(rng.random(n) < 0.2, 100.0, 500.0) + rng.normal(0, 30, n),
            420.0,
            163.0,
        ),
    }[shape]
    margin, false = 5 * deviation * math.sqrt(2 / n), 0
    for _ in range(1000):
        a, b = draw(n) - mean + margin, draw(n) - mean
        if not weakness(a) and not weakness(b):
            false += equivalence_p(a, b, margin) / TRUNCATION <= LEVEL
    assert false <= 0.035 * 1000


def test_margins_are_a_share_of_the_range_whatever_its_sign():
    table = pd.DataFrame({"env": ["A", "B"], "random": [22.2, 0.0], "reference": [500.0, -10.0]})
    assert margins(table, 0.05) == {"A": pytest.approx(0.05 * (500 - 22.2)), "B": 0.5}
