"""Decisions beside comparisons: their verdicts count, and p-values of the same pairs go."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from rlbench.analysis.comparisons import compare_pairs
from rlbench.analysis.decisions import decided, trials_used, with_decisions
from rlbench.results.journal import Arm, Decision, Journal, Layout


def journal(*decisions, labels="abc", tests=((0, 1), (0, 2), (1, 2)), start=0):
    arms = [Arm(label, "E", [f"{label}{seed}" for seed in range(start, start + 10)]) for label in labels]
    layout = Layout(5, 2, 0.05, "final", 1000, 0, arms, list(tests))
    return Journal(layout=layout, decisions=[Decision(*one, 5 * one[1], 5 * one[1]) for one in decisions])


def trials(**scores):
    rows = [
        (name, "E", seed, value, f"{name}{seed}")
        for name, values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "score", "hash"])


TRIALS = trials(a=range(10, 20), b=range(10), c=range(10))
JOURNAL = journal(
    *((0, 1, "larger"), (1, 1, "undecided"), (2, 1, "undecided"), (1, 2, "larger"), (2, 2, "undecided"))
)


def test_the_last_decision_on_each_pair_is_shown_with_what_it_is_of():
    table = decided([JOURNAL], TRIALS)
    assert table[["first", "second", "verdict", "interim", "of", "seeds"]].to_numpy().tolist() == [
        ["a", "b", "better", 1, 2, 5],
        ["a", "c", "better", 2, 2, 10],
        ["b", "c", "undecided", 2, 2, 10],
    ]
    assert set(table["tests"]) == {3}
    assert set(table["max_seeds"]) == {10}


def test_they_have_the_words_and_the_order_of_claims():
    known = trials(a=range(10), b=range(10, 20), c=range(20, 30))
    table = decided([journal((0, 1, "smaller"), (1, 1, "undecided"), (2, 2, "smaller"))], known)
    claims = compare_pairs(known)[["first", "second"]].to_numpy().tolist()
    assert sorted(table[["first", "second"]].to_numpy().tolist()) == sorted(claims)
    verdicts = table.set_index(["first", "second"])["verdict"].to_dict()
    assert verdicts == {("b", "a"): "better", ("c", "a"): "undecided", ("c", "b"): "better"}


def test_names_are_those_that_the_trials_have_now():
    renamed = TRIALS.replace({"algorithm": {"a": "a [gamma=0.9]"}})
    assert decided([JOURNAL], renamed)["first"].tolist() == ["a [gamma=0.9]", "a [gamma=0.9]", "b"]
    assert decided([JOURNAL], TRIALS.iloc[:0])["first"].tolist() == ["a", "a", "b"]


def test_trials_used_are_those_asked_for():
    assert trials_used([JOURNAL]) == (30, 30)
    early = journal((0, 1, "larger"), (1, 1, "larger"), (2, 1, "undecided"), (2, 2, "undecided"))
    assert trials_used([early]) == (25, 30)


def test_decided_pairs_have_the_journals_verdict_and_no_p_value():
    pairs = compare_pairs(TRIALS)
    found = with_decisions(pairs, decided([JOURNAL], TRIALS), True).set_index(["first", "second"])
    assert found["verdict"].to_dict() == {
        ("a", "b"): "better",
        ("a", "c"): "better",
        ("b", "c"): "undecided",
    }
    assert (
        found.loc[("a", "b"), "reason"]
        == "sequential comparison, decided after 5 of at most 10 seeds, 3 comparisons together"
    )
    assert found[["p", "p_corrected", "seeds_needed"]].isna().all(axis=None)
    assert found["difference"].tolist() == pairs["difference"].tolist()


def test_a_fixed_test_does_not_decide_what_the_journal_leaves_open():
    pairs = compare_pairs(TRIALS)
    assert pairs.loc[0, "verdict"] == "better"
    still_open = journal((0, 1, "undecided"), (1, 1, "undecided"), (2, 1, "undecided"))
    assert set(with_decisions(pairs, decided([still_open], TRIALS), True)["verdict"]) == {"undecided"}


def test_pairs_whose_seeds_no_comparison_chose_stay_as_they_are():
    known = trials(a=range(10, 20), b=range(10), d=range(10), e=range(20, 30))
    pairs = compare_pairs(known)
    only = journal((0, 1, "larger"), labels="ab", tests=[(0, 1)])
    found = with_decisions(pairs, decided([only], known), True)
    untouched = (pairs["first"] == "e") & (pairs["second"] == "d")
    assert untouched.sum() == 1
    pd.testing.assert_frame_equal(found[untouched], pairs[untouched])
    rest = found[~untouched].set_index(["first", "second"])
    assert rest["p"].isna().all()
    assert rest.index[rest["verdict"] == "better"].tolist() == [("a", "b")]
    assert set(rest["verdict"]) == {"better", "undecided"}
    assert rest.loc[("e", "a"), "reason"] == "sequential comparison with others chose its seeds"


def test_comparisons_whose_seeds_were_chosen_are_no_part_of_the_family_of_the_others():
    known = trials(a=range(10, 20), b=range(10), d=range(10), e=range(20, 30))
    found = compare_pairs(known, untested={("a", "E"), ("b", "E")}).set_index(["first", "second"])
    assert set(found["tests"]) == {1}
    assert found.loc[("e", "d"), "p_corrected"] == found.loc[("e", "d"), "p"]
    assert found["p"].notna().sum() == 1
    elsewhere = compare_pairs(known, untested={("a", "another"), ("b", "another")})
    pd.testing.assert_frame_equal(elsewhere, compare_pairs(known))


def test_beside_a_damaged_journal_no_pair_has_a_verdict_or_a_p_value():
    found = with_decisions(
        compare_pairs(TRIALS), decided([], TRIALS), True, "the journal 0123.json is damaged"
    )
    assert set(found["verdict"]) == {"undecided"}
    assert found[["p", "p_corrected", "p_equivalent"]].isna().all(axis=None)
    assert found["reason"].str.contains("the journal 0123.json is damaged").all()


def test_a_decision_does_not_outlive_its_scores():
    less = trials(a=[*range(10, 18), math.nan], b=range(10), c=range(10))
    table = decided([JOURNAL], less)
    assert table["verdict"].tolist() == ["better", "undecided", "undecided"]  # a against b was of five seeds
    assert table["reason"].tolist() == ["", "8 of 10 scores of a are left", ""]
    found = with_decisions(compare_pairs(less), table, True).set_index(["first", "second"])
    assert found.loc[("a", "c"), "verdict"] == "undecided"
    assert "8 of 10 scores of a are left" in found.loc[("a", "c"), "reason"]


def test_another_score_than_the_one_that_chose_the_seeds_decides_nothing():
    found = with_decisions(compare_pairs(TRIALS), decided([JOURNAL], TRIALS), False)
    assert set(found["verdict"]) == {"undecided"}
    assert set(found["reason"]) == {"sequential comparison, whose seeds another score has chosen"}


LONG = trials(a=range(10, 30), b=range(20))


def attempts(*verdicts):
    """Give what one attempt after another at the same two learners decides, with fresh seeds."""
    return [journal((0, 1, one), labels="ab", tests=[(0, 1)], start=10 * i) for i, one in enumerate(verdicts)]


@pytest.mark.parametrize("others", [["smaller"], ["larger", "smaller"], ["undecided", "larger"]])
def test_a_decision_that_the_scores_or_other_runs_do_not_bear_out_claims_nothing(others):
    found = with_decisions(compare_pairs(LONG), decided(attempts(*others), LONG), True).iloc[0]
    assert found["verdict"] == "undecided"
    assert found["reason"]


def test_runs_that_agree_decide():
    found = with_decisions(compare_pairs(LONG), decided(attempts("larger", "larger"), LONG), True).iloc[0]
    assert found["verdict"] == "better"


def test_trials_that_runs_share_count_once():
    shared = [journal((0, 1, "larger"), labels=pair, tests=[(0, 1)]) for pair in ("ab", "ac")]
    assert trials_used(shared) == (15, 30)
