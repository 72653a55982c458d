"""The answer claims what the data decide, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rlbench.analysis.claims import claims_of
from rlbench.analysis.comparisons import compare_pairs
from rlbench.analysis.scores import summarise
from rlbench.analysis.suite_comparisons import compare_suite
from rlbench.reports.answer import answer, claimed, suite_answer
from rlbench.reports.sentences import html, plain


def frame(env="E", **scores):
    rows = [(name, env, seed, value) for name, values in scores.items() for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "score"])


def said(solved=None, margin=None, **scores):
    trials = frame(**scores)
    learners = trials[~trials["algorithm"].isin(solved or {})]
    pairs = compare_pairs(learners, margins={"E": margin} if margin else None)
    return plain(answer("E", summarise(trials), claims_of(pairs), solved or {}))


LOW, HIGH = [1.0, 2, 3, 4, 5], [101.0, 102, 103, 104, 105]


def test_a_decided_pair_is_a_claim_with_effect_interval_and_p():
    assert said(a=HIGH, b=LOW) == (
        "a is better than b on E: mean return 103.0 against 3.0, a difference of 100.0 "
        "(95 % interval 97.7 to 102.3, weak: fewer than 10 seeds; p = 0.0079)."
    )


def test_an_undecided_pair_says_what_it_would_take():
    text = said(a=[1.5, 2.5, 3.5, 4.5, 5.5], b=LOW)
    assert "do not decide between a (3.500) and b (3.000)" in text
    assert "about 157 seeds each" in text
    assert "better" not in text


def test_a_tiny_difference_does_not_promise_a_number_of_seeds():
    assert "more than 1,000 seeds" in said(a=[value + 0.01 for value in LOW], b=LOW)


def test_too_few_trials_are_called_that():
    text = said(a=HIGH[:3], b=LOW[:3])
    assert "nothing can be decided with so few trials" in text
    assert "better" not in text


def test_several_rivals_are_split_into_decided_and_open():
    text = said(a=HIGH, b=[value + 0.5 for value in HIGH], c=LOW)
    assert "b has the highest mean return on E, 103.5, and is better than c (3.0)" in text
    assert "Between it and a the data do not decide" in text


def test_one_algorithm_is_reported_without_a_claim():
    assert said(a=LOW) == (
        "a scores 3.000 on E (95 % interval 1.037 to 4.963, weak: fewer than 10 seeds; 5 of 5 trials)."
    )
    assert "one trial, so no interval; 1 of 1 trials" in said(a=[4.0])
    assert "all scores equal, so no interval" in said(a=[4.0] * 5)


def test_nothing_finished_claims_nothing():
    assert said(a=[np.nan, np.nan]) == "On E no trial has finished."


@pytest.mark.parametrize("scores", [{"a": [0.5, 0.6]}, {}])
def test_solvers_are_references_not_rivals(scores):
    text = said({"vi": 0.7413, "pi": 0.7413}, vi=[0.8, 0.6], pi=[0.4, 1.0], **scores)
    assert "gives 0.741 (pi and vi)" in text
    assert "better" not in text


def test_names_are_escaped():
    trials = pd.DataFrame([("<i>", "<E>", 0, 1.0)], columns=["algorithm", "env", "seed", "score"])
    text = html(answer("<E>", summarise(trials), [], {}))
    assert "&lt;i&gt;" in text
    assert "&lt;E&gt;" in text


def test_an_interval_that_is_not_weak_is_not_called_so():
    assert "weak" not in said(a=[float(value) for value in range(10)])


def test_an_algorithm_of_which_nothing_finished_is_named():
    assert said(a=LOW, b=[np.nan] * 3).endswith(" Of b no trial finished (0 of 3).")
    assert said(a=HIGH, b=LOW, c=[np.nan]).endswith(" Of c no trial finished (0 of 1).")


def test_survivors_are_counted_and_make_no_claim():
    text = said(fragile=[*HIGH[:4], *[np.nan] * 6], stable=[float(value) for value in range(10)])
    assert text == (
        "On E the data do not decide between fragile (102.5 from 4 of 10 trials) and stable (4.5): "
        "6 of 10 trials of fragile have no score."
    )


def test_a_claim_counts_the_trials_it_is_of():
    text = said(a=[*np.arange(20.0)], b=[*np.arange(19.0) + 100, np.nan])
    assert "b is better than a on E: mean return 109.0 from 19 of 20 trials against 9.5, a difference" in text


def test_learners_that_are_not_compared_are_told_of_apart():
    trials = pd.DataFrame(
        [(name, "E", seed, value) for name in "abc" for seed, value in enumerate(HIGH)],
        columns=["algorithm", "env", "seed", "score"],
    )
    pairs = compare_pairs(trials[trials["algorithm"] != "c"])
    text = plain(answer("E", summarise(trials), claims_of(pairs), {}))
    assert "do not decide between a (103.0) and b (103.0)" in text
    assert "c scores 103.0 on E" in text


def test_an_open_rival_with_missing_trials_is_counted_too():
    text = said(a=[*HIGH, np.nan], b=[value + 0.5 for value in HIGH], c=LOW)
    assert "Between it and a (103.0 from 5 of 6 trials) the data do not decide." in text


EVEN = [float(value) for value in range(20)]


def test_an_equivalence_states_its_margin_and_where_that_comes_from():
    assert said(margin=10, a=[value + 0.1 for value in EVEN], b=EVEN) == (
        "a and b are equivalent on E within a margin of 10.000, 5 % of the range from random to reference: "
        "mean return 9.600 against 9.500, a difference of 0.100 (95 % interval −3.687 to 3.887; p < 0.001)."
    )


def test_rivals_are_split_into_beaten_equal_and_open():
    text = said(
        margin=12, a=[value + 0.1 for value in EVEN], b=EVEN, c=[value - 90 for value in EVEN], d=[9.0]
    )
    assert text == (
        "a has the highest mean return on E, 9.60, and is better than c (−80.50). It is equivalent to b "
        "(9.50) within a margin of 12.00, 5 % of the range from random to reference. Between it and d the "
        "data do not decide. Besides, b is better than c."
    )


def test_several_open_rivals_are_a_list():
    assert "Between it and each of b and c the data do not decide." in said(
        a=EVEN, b=EVEN[:-1], c=EVEN[:-2], d=[value - 90 for value in EVEN]
    )


def test_each_claim_of_several_has_a_sentence_of_its_own():
    pairs = compare_pairs(frame(a=[v + 100 for v in EVEN], b=[v + 99 for v in EVEN], c=EVEN))
    texts = {(one.first, one.second): plain(claimed(one)) for one in claims_of(pairs)}
    assert texts["a", "c"].startswith("a is better than c on E: mean return 109.5 against 9.5")
    assert texts["b", "c"].endswith("p < 0.001, corrected for 3 comparisons).")
    assert texts["a", "b"].startswith(
        "On E the data do not decide between a (109.5) and b (108.5): a difference"
    )


def test_claims_by_another_metric_are_not_called_returns():
    pairs = compare_pairs(frame(a=HIGH, b=LOW), higher_is_better=False)
    text = plain(claimed(claims_of(pairs, "<steps>")[0]))
    assert text.startswith("b is better than a on E: mean <steps> 3.0 against 103.0, a difference of −100.0")


def test_what_a_name_or_reason_brings_along_is_escaped():
    pairs = compare_pairs(frame("<E>", **{"<i>": [*HIGH[:4], *[np.nan] * 6], "{}&": EVEN[:10]}))
    text = html(claimed(claims_of(pairs, "<u>")[0]))
    assert text == (
        "On <b>&lt;E&gt;</b> the data do not decide between <b>&lt;i&gt;</b> (102.5 from 4 of 10 trials) and "
        "<b>{}&amp;</b> (4.5): 6 of 10 trials of &lt;i&gt; have no score."
    )


def test_a_claim_that_something_else_than_p_decided_says_what():
    (one,) = claims_of(compare_pairs(frame(a=HIGH, b=LOW)))
    text = plain(claimed(replace(one, reason="sequential: decided after 6 of at most 20 seeds", tests=3)))
    assert text.endswith("weak: fewer than 10 seeds; sequential: decided after 6 of at most 20 seeds).")


def over(margin=math.nan, **scores):
    """Give the comparison of normalised scores that are the same on two environments."""
    trials = pd.concat([frame(env, **scores) for env in "EF"]).rename(columns={"score": "normalised"})
    return claims_of(compare_suite(trials, margin), share=margin)


UNIT = [value / 20 for value in EVEN]


def test_over_environments_a_claim_is_in_shares_of_the_range():
    assert plain(suite_answer(over(a=[value + 1 for value in UNIT], b=UNIT))) == (
        "a is better than b over 2 environments: mean normalised score 1.475 against 0.475, a difference of "
        "1.000 of the range from random to reference (95 % interval 0.868 to 1.132; p < 0.001)."
    )
    assert plain(suite_answer(over(0.2, a=[value + 0.01 for value in UNIT], b=UNIT))) == (
        "a and b are equivalent over 2 environments within a margin of 20 % of the range from random to "
        "reference: mean normalised score 0.485 against 0.475, a difference of 0.010 of the range from "
        "random to reference (95 % interval −0.122 to 0.142; p = 0.0053)."
    )


def test_over_environments_rivals_are_split_as_on_one():
    text = plain(suite_answer(over(a=[v + 2 for v in UNIT], b=[v + 1.99 for v in UNIT], c=UNIT)))
    assert text == (
        "a has the highest mean normalised score over 2 environments, 2.475, and is better than c (0.475). "
        "Between it and b the data do not decide. Besides, b is better than c."
    )
    open_ = plain(suite_answer(over(a=[v + 0.05 for v in UNIT], b=UNIT)))
    assert open_.startswith("Over 2 environments the data do not decide between a (0.525) and b (0.475): ")
    assert open_.endswith(" seeds each everywhere to show.")


def test_pairs_that_lack_an_environment_are_claims_and_not_in_the_answer():
    trials = pd.concat([frame("E", a=UNIT, b=UNIT, c=[v + 1 for v in UNIT]), frame("F", a=UNIT)])
    claims = claims_of(compare_suite(trials.rename(columns={"score": "normalised"})))
    assert suite_answer(claims) == ()
    assert plain(claimed(claims[0])) == (
        "Over 2 environments nothing can be decided between a and b: b has no score on F."
    )
    assert suite_answer([]) == ()


def test_an_environment_that_is_called_like_a_suite_is_still_one():
    (one,) = claims_of(compare_pairs(frame("over 2 environments", a=HIGH, b=LOW)))
    assert plain(claimed(one)).startswith("a is better than b on over 2 environments: mean return 103.0")
    assert one.environments == 1


def test_names_are_escaped_over_environments_too():
    text = html(suite_answer(over(**{"<i>": [value + 1 for value in UNIT], "{}&": UNIT})))
    assert text.startswith("<b>&lt;i&gt;</b> is better than <b>{}&amp;</b> over 2 environments: mean")


def test_over_environments_each_budget_has_its_say():
    scores = {name: [value + up for value in UNIT] for name, up in zip("abcd", (3, 2, 1, 0), strict=True)}
    trials = pd.concat([frame(env, **scores) for env in "EF"]).rename(columns={"score": "normalised"})
    trials["steps"] = np.where(trials["algorithm"].isin(["a", "b"]), 1000, 2000)
    text = plain(suite_answer(claims_of(compare_suite(trials))))
    assert text.startswith("a is better than b over 2 environments")
    assert text.endswith("corrected for 2 comparisons). Besides, c is better than d.")


def test_over_environments_nobody_is_the_highest_beside_one_of_another_budget_unmentioned():
    rows = [(name, env, value + bonus, steps) for env in ("x", "y") for value in UNIT
            for name, bonus, steps in (("top", 2, 5_000), ("b", 1, 1_000), ("c", 0, 1_000))]  # fmt: skip
    trials = pd.DataFrame(rows, columns=["algorithm", "env", "normalised", "steps"])
    text = plain(suite_answer(claims_of(compare_suite(trials))))
    assert "b is better than c over 2 environments" in text
    assert "is not compared there: budgets differ on x, y." in text
