"""Decisions beside comparisons: their verdicts count, and p-values of the same pairs go."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from rlbench.analysis.comparisons import compare_pairs
from rlbench.analysis.decisions import decided, trials_used, with_decisions
from rlbench.results.journal import Arm, Decision, Journal, Layout


def journal(*decisions, labels="abc", tests=((0, 1), (0, 2), (1, 2)), prefix=""):
    arms = [Arm(label, "E", [f"{prefix}{label}{seed}" for seed in range(10)]) for label in labels]
    layout = Layout(5, 2, 0.05, "final", 1000, 0, arms, list(tests))
    return Journal(layout=layout, decisions=[Decision(*one, 5 * one[1], 5 * one[1]) for one in decisions])


def trials(**scores):
    rows = [
        (name, "E", seed, value, f"{name}{seed}")
        for name, values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "score", "hash"])


TRIALS = trials(a=range(10, 15), b=range(10), c=range(10))
JOURNAL = journal(
    *((0, 1, "larger"), (1, 1, "undecided"), (2, 1, "undecided"), (1, 2, "larger"), (2, 2, "undecided"))
)


def test_the_last_decision_on_each_pair_is_shown_with_what_it_is_of():
    table = decided([JOURNAL], TRIALS)
    assert table[["first", "second", "verdict", "interim", "of", "seeds"]].to_numpy().tolist() == [
        ["a", "b", "larger", 1, 2, 5],
        ["a", "c", "larger", 2, 2, 10],
        ["b", "c", "undecided", 2, 2, 10],
    ]
    assert set(table["tests"]) == {3}
    assert set(table["max_seeds"]) == {10}


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


def test_pairs_of_no_journal_stay_as_they_are():
    pairs = compare_pairs(TRIALS)
    only = journal((0, 1, "larger"), tests=[(0, 1)])
    found = with_decisions(pairs, decided([only], TRIALS), True)
    pd.testing.assert_frame_equal(found.iloc[1:], pairs.iloc[1:])
    assert math.isnan(found.loc[0, "p"])


def test_another_score_than_the_one_that_chose_the_seeds_decides_nothing():
    found = with_decisions(compare_pairs(TRIALS), decided([JOURNAL], TRIALS), False)
    assert set(found["verdict"]) == {"undecided"}
    assert set(found["reason"]) == {"sequential comparison, whose seeds another score has chosen"}


@pytest.mark.parametrize("others", [["smaller"], ["larger", "smaller"]])
def test_a_decision_that_the_scores_no_longer_bear_out_claims_nothing(others):
    # b is decided to be larger, by one journal or against another, and a has the larger mean.
    journals = [
        journal((0, 1, verdict), tests=[(0, 1)], prefix=str(index)) for index, verdict in enumerate(others)
    ]
    found = with_decisions(compare_pairs(TRIALS), decided(journals, TRIALS), True).iloc[0]
    assert found["verdict"] == "undecided"
    assert found["reason"]
