"""Claims over a suite of environments: earned by all environments together, or not made."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis.claims import claims_of
from rlbench.analysis.comparisons import LEVEL, TRUNCATION
from rlbench.analysis.intervals import effect_weakness, stratified_effect, welch
from rlbench.analysis.stratified import stratified_p
from rlbench.analysis.suite_comparisons import compare_suite

ENVS = ("E", "F", "G")


def bell(n, mean=0.0, deviation=0.1):
    """Give n scores that look normal, with exactly this mean."""
    return mean + deviation * stats.norm.ppf((np.arange(n) + 0.5) / n)


def frame(steps=1000, **scores):
    """Give trials with the same normalised scores on every environment, or others by environment."""
    rows = []
    for name, values in scores.items():
        by_env = values if isinstance(values, dict) else dict.fromkeys(ENVS, values)
        rows += [
            (name, env, seed, value, steps, 20, 5)
            for env, some in by_env.items()
            for seed, value in enumerate(some)
        ]
    columns = ["algorithm", "env", "seed", "normalised", "steps", "evaluation_points", "evaluation_episodes"]
    return pd.DataFrame(rows, columns=columns)


def one_pair(margin=math.nan, **scores):
    (row,) = compare_suite(frame(**scores), margin).to_dict("records")
    return row


def test_a_difference_that_is_there_is_found_with_its_effect():
    row = one_pair(a=bell(10, 0.5), b=bell(10, 0.8))
    assert (row["first"], row["second"], row["verdict"], row["reason"]) == ("b", "a", "better", "")
    assert (row["env"], row["environments"], row["tests"]) == ("over 3 environments", 3, 1)
    assert row["difference"] == pytest.approx(0.3)
    assert row["mean_first"] == pytest.approx(0.8)
    assert row["low"] < 0.3 < row["high"]
    assert (row["n_first"], row["of_first"], row["n_second"], row["of_second"]) == (30, 30, 30, 30)
    assert row["p_corrected"] <= LEVEL


def test_equal_algorithms_are_not_called_different():
    rng = np.random.default_rng(0)
    scores = {name: {env: rng.normal(0.5, 0.1, 10) for env in ENVS} for name in "abc"}
    table = compare_suite(frame(**scores))
    assert set(table["verdict"]) == {"undecided"}
    assert (table["seeds_needed"] > 10).all()


def test_environments_count_alike_whatever_their_numbers_of_seeds():
    row = one_pair(
        a={"E": bell(10, 1.0), "F": bell(30, 0.2)},
        b={"E": bell(20, 0.4), "F": bell(15, 0.4)},
    )
    assert row["difference"] == pytest.approx((0.6 - 0.2) / 2)
    assert (row["n_first"], row["n_second"]) == (40, 35)


def test_small_differences_that_agree_decide_together_what_none_decides_alone():
    one, other = bell(10, 0.57), bell(10, 0.5)
    alone = [stratified_p([([one], [other])])[0] for _ in ENVS]
    assert min(alone) > LEVEL
    assert one_pair(a=one, b=other)["verdict"] == "better"


def test_exchanged_labels_give_the_same_p_and_the_mirrored_pair():
    rng = np.random.default_rng(1)
    a, b = ({env: rng.normal(mean, 0.1, n) for env in ENVS} for mean, n in ((0.55, 12), (0.5, 15)))
    row, other = one_pair(a=a, b=b), one_pair(a=b, b=a)
    assert (row["first"], other["first"]) == ("a", "b")
    same = ["p", "difference", "low", "high", "mean_first", "verdict", "weak"]
    assert [row[name] for name in same] == [other[name] for name in same]


def test_another_algorithm_changes_no_effect_and_no_raw_p():
    rng = np.random.default_rng(2)
    scores = {name: {env: rng.normal(0.5, 0.1, 12) for env in ENVS} for name in "abcd"}
    pair = ["first", "second"]
    less = compare_suite(frame(**{name: scores[name] for name in "abc"})).set_index(pair)
    more = compare_suite(frame(**scores)).set_index(pair)
    columns = ["difference", "low", "high", "p", "weak"]
    pd.testing.assert_frame_equal(more.loc[less.index, columns], less[columns])
    assert (more.loc[less.index, "p_corrected"] >= less["p_corrected"]).all()
    assert set(more["tests"]) == {6}


def test_the_order_of_trials_does_not_matter():
    trials = frame(a=bell(20, 0.5), b=bell(20, 0.55), c=bell(20, 0.9))
    shuffled = trials.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(compare_suite(shuffled), compare_suite(trials))


def test_an_algorithm_that_lacks_an_environment_is_compared_with_none():
    table = compare_suite(frame(a=bell(10, 0.5), b=bell(10, 0.9), c={"E": bell(10, 2.0)}))
    rows = table.set_index(["first", "second"])
    assert rows.loc[("b", "a"), "verdict"] == "better"
    for name in "ba":
        row = rows.loc[(name, "c")]
        assert (row["verdict"], row["reason"]) == ("cannot be decided", "c has no score on F, G")
        assert row[["p", "p_corrected", "low", "mean_second", "seeds_needed"]].isna().all()
    assert set(table["tests"]) == {1}


def test_where_all_its_trials_on_an_environment_failed_nothing_can_be_decided():
    row = one_pair(a={**dict.fromkeys("EF", bell(10)), "G": [np.nan] * 10}, b=bell(10))
    assert (row["verdict"], row["reason"]) == ("cannot be decided", "a has no score on G")


def test_unequal_budgets_are_not_compared_and_named():
    trials = frame(a=bell(10, 0.5), b=bell(10, 0.9))
    trials.loc[(trials["algorithm"] == "b") & (trials["env"] == "F"), "steps"] = 2000
    (row,) = compare_suite(trials).to_dict("records")
    assert (row["verdict"], row["reason"]) == ("cannot be decided", "budgets differ on F")
    assert math.isnan(row["p"])


def test_budgets_may_differ_between_environments():
    trials = frame(a=bell(10, 0.5), b=bell(10, 0.9))
    trials.loc[trials["env"] == "F", "steps"] = 2000
    assert compare_suite(trials)["verdict"].tolist() == ["better"]


def test_one_environment_is_no_suite():
    assert compare_suite(frame(a={"E": bell(10)}, b={"E": bell(10)})).empty
    assert compare_suite(frame(a={"E": bell(10), "F": [np.nan]}, b={"E": bell(10)})).empty


def test_too_few_seeds_cannot_decide():
    row = one_pair(a={"E": [1.0, 1.1], "F": [1.0, 1.1]}, b={"E": [0.0, 0.1], "F": [0.0, 0.1]})
    assert (row["verdict"], row["reason"]) == ("cannot be decided", "")
    assert row["seeds_needed"] == 3
    row = one_pair(a={"E": [1.0], "F": [1.0]}, b={"E": [0.0], "F": [0.0]})
    assert (row["verdict"], row["tests"]) == ("cannot be decided", 0)


def test_means_within_the_margin_are_equivalent():
    a, b = bell(20, 0.505), bell(20, 0.5)
    row = one_pair(0.05, a=a, b=b)
    assert (row["verdict"], row["weak"]) == ("equivalent", "")
    effect = stratified_effect([a] * 3, [b] * 3)
    assert row["p_equivalent"] == pytest.approx(effect.equivalence_p(0.05) / TRUNCATION)
    low, high = effect.interval(1 - 2 * effect.equivalence_p(0.05))
    assert max(-low, high) == pytest.approx(0.05)
    assert one_pair(a=a, b=b)["verdict"] == "undecided"
    assert one_pair(0.05, a=bell(9, 0.5), b=bell(9, 0.5))["verdict"] == "undecided"  # weak
    assert one_pair(0.05, a=[*a[:-1], math.nan], b=b)["verdict"] == "undecided"  # not all have a score


def test_missing_scores_must_not_be_what_decides():
    row = one_pair(fragile=[*bell(10, 0.9), *[math.nan] * 20], stable=bell(10, 0.6))
    assert row["verdict"] == "undecided"
    assert row["reason"] == "60 of 90 trials of fragile have no score"
    row = one_pair(fragile={"E": [*bell(10, 0.9), math.nan], "F": bell(10, 0.9)}, stable=bell(10, 0.1))
    assert row["reason"] == "fragile has no score on G"
    better = one_pair(a=[*bell(19, 0.9), math.nan], b=bell(20, 0.1))
    assert (better["verdict"], better["n_first"], better["of_first"]) == ("better", 57, 60)


def test_scores_that_said_when_to_stop_are_not_tested():
    trials = frame(a=bell(10, 0.5), b=bell(10, 0.9), c=bell(10, 0.1))
    table = compare_suite(trials, untested={("a", "F")}).set_index(["first", "second"])
    for pair in (("b", "a"), ("a", "c")):
        assert table.loc[pair, "verdict"] == "undecided"
        assert table.loc[pair, "reason"] == "sequential comparisons chose the seeds on F"
        assert table.loc[pair, ["p", "p_corrected", "p_equivalent", "seeds_needed"]].isna().all()
    assert table.loc[("b", "c"), "verdict"] == "better"
    assert set(table["tests"]) == {1}
    elsewhere = compare_suite(trials, untested={("a", "another")})
    pd.testing.assert_frame_equal(elsewhere, compare_suite(trials))


def test_where_nobody_knows_what_chose_the_seeds_nothing_is_claimed():
    trials = frame(a=bell(10), b=bell(10, 9), c={"E": bell(10)})
    table = compare_suite(trials, unknown="a journal is damaged")
    assert table["verdict"].tolist() == ["undecided", *["cannot be decided"] * 2]
    assert table["reason"].tolist() == ["a journal is damaged", *["c has no score on F, G"] * 2]
    assert table["p"].isna().all()


def test_claims_say_over_how_many_environments_they_are():
    (claim,) = claims_of(compare_suite(frame(a=bell(20, 0.5), b=bell(20, 0.9)), 0.05))
    assert (claim.env, claim.environments, claim.verdict) == ("over 3 environments", 3, "better")
    assert claim.effect == pytest.approx(0.4)
    assert not claim.barred


def test_the_interval_on_one_environment_is_welchs():
    a, b = bell(7, 0.3), bell(12, 0.1, 0.4)
    assert stratified_effect([a], [b]).interval() == welch(a, b)


def test_the_interval_over_environments_by_hand():
    effect = stratified_effect(
        [np.array([1.0, 3]), np.array([2.0, 4])], [np.array([0.0, 2]), np.array([5, 7])]
    )
    assert effect.difference == pytest.approx((1 - 3) / 2)
    assert effect.error == pytest.approx(1.0)  # four variances of means of 1, over 4
    assert effect.freedom == pytest.approx(4)
    assert effect.interval() == (
        pytest.approx(-1 - stats.t.ppf(0.975, 4)),
        pytest.approx(-1 + stats.t.ppf(0.975, 4)),
    )


def test_an_interval_is_weak_by_what_its_samples_do_to_the_sum():
    even, odd = bell(10, 0.5), np.array([*bell(8, 0.5), 3.0, 3.1])
    assert effect_weakness([even] * 3, [even] * 3) == ""
    assert effect_weakness([bell(9)] * 3, [even] * 3) == "fewer than 10 seeds"
    assert effect_weakness([odd, even], [even, even]) == "scores fall into two groups"
    assert effect_weakness([odd] * 3, [odd] * 3) == ""  # no sample rules, and both lean to the same side
    assert effect_weakness([np.exp(bell(10, 0, 1))] * 3, [even] * 3) == "scores are skewed"
    assert effect_weakness([np.ones(10)] * 3, [even] * 3) == "equal scores, so no spread to go by"
    assert effect_weakness([np.ones(10), even], [even, even]) == ""
