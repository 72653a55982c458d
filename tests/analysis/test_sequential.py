"""Sequential decisions: by hand, over every relabelling, in simulation, and with missing scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from simulations.sequential import all_equal, errors, failures, power, some_equal

from rlbench.analysis.comparisons import permutation_p
from rlbench.analysis.sequential import attainable, decide

HIGH, LOW = np.arange(6.0, 11), np.arange(1.0, 6)
CLEAR = (HIGH, LOW)
CLOSE = (np.array([5.0, 7, 8, 9, 10]), np.array([1.0, 2, 3, 4, 6]))  # 4 of the 252 splits are as extreme
EQUAL = (np.array([1.0, 4, 5, 8, 9]), np.array([2.0, 3, 6, 7, 10]))


def group(*pairs):
    """Give each pair as one group of scores."""
    return [(first[None], second[None]) for first, second in pairs]


def said(found):
    return [(one.test, one.interim, one.verdict) for one in found]


def last(found):
    return {one.test: one.verdict for one in found}


@pytest.mark.parametrize(("interims", "verdict"), [(6, "larger"), (7, "undecided")])
def test_five_seeds_apart_are_decided_where_a_first_look_may_spend_two_splits_of_252(interims, verdict):
    # 2/252 = 0.0079 is at most 0.05/6 and more than 0.05/7.
    (found,) = decide(group(CLEAR), interims)
    assert (found.test, found.interim, found.verdict, found.n_first, found.n_second) == (0, 1, verdict, 5, 5)


def test_the_side_with_the_larger_mean_is_named_whatever_their_order():
    first, second = CLEAR
    assert last(decide(group((first, second), (second, first)), 2)) == {0: "larger", 1: "smaller"}


def test_what_is_not_spent_at_a_look_is_there_at_the_next():
    # One more group as clear: at most 2 of the 252^2 splits are as extreme, of 252 it was too few.
    pair = tuple(np.stack([side, side + 0.5]) for side in CLEAR)
    assert said(decide([pair], 7, looks=2)) == [(0, 1, "undecided"), (0, 2, "larger")]


def test_a_decided_pair_leaves_its_part_of_the_error_to_the_others():
    # At the first of two looks CLEAR passes among up to 3 pairs (0.025/3 > 2/252), CLOSE only alone.
    assert last(decide(group(CLEAR, CLOSE), 2)) == {0: "larger", 1: "larger"}
    assert last(decide(group(EQUAL, CLOSE), 2)) == {0: "undecided", 1: "undecided"}
    assert last(decide(group(CLOSE), 2)) == {0: "larger"}


def test_a_pair_that_crossed_to_one_side_is_not_decided_to_the_other():
    # Alone, turned is decided at look 1. Beside closer, which is decided at look 2 only, it waits, and by
    # then the other leads.
    turned = (np.array([[10, 11, 12, 13, 14], [0, 1, 2, 3, 4.0]]), np.array([HIGH - 6, HIGH + 8]))
    closer = (np.array([[5, 6, 7, 8, 8.5], [5, 6, 7, 8, 9]]), np.array([[0, 1, 2, 4, 5.5], [0, 1, 2, 3, 4]]))
    assert said(decide([turned], 6)) == [(0, 1, "larger")]
    assert last(decide([turned, closer], 6)) == {0: "undecided", 1: "larger"}
    same = (np.concatenate([turned[0][:1], HIGH[None]]), np.concatenate([turned[1][:1], HIGH[None]]))
    assert last(decide([same, closer], 6)) == {0: "larger", 1: "larger"}


def test_the_family_is_all_pairs():
    # One look: 0.05/6 > 2/252 > 0.05/7.
    assert set(last(decide(group(*[CLEAR] * 6), 1)).values()) == {"larger"}
    assert set(last(decide(group(*[CLEAR] * 7), 1)).values()) == {"undecided"}
    assert attainable(5, 1, 6)
    assert not attainable(5, 1, 7)


def test_no_relabelling_is_favoured():
    """Of all 400 ways in which two groups of six scores could have fallen, at most 20 % are rejected."""
    rng = np.random.default_rng(5)
    scores = rng.exponential(size=(2, 6))
    halves = list(itertools.combinations(range(6), 3))
    rejected = 0
    for chosen in itertools.product(halves, repeat=2):
        first = np.array([scores[look, list(half)] for look, half in enumerate(chosen)])
        second = np.array([np.delete(scores[look], half) for look, half in enumerate(chosen)])
        rejected += "undecided" not in last(decide([(first, second)], 2, level=0.2, paths=4_000)).values()
    assert 0.15 <= rejected / 400 <= 0.2


def test_equal_algorithms_are_seldom_called_different():
    # The long version is tests/simulations/sequential.py. At 5 %, 67 or more of 1 000 have a chance of 1 %.
    assert 20 <= errors(all_equal(3), 1_000, 2_520) <= 66


def test_the_simulation_loses_nothing_by_screening():
    for family in (all_equal(2), some_equal):
        assert errors(family, 60, 2_520) == errors(family, 60, 2_520, screened=False)


def test_nor_are_those_that_are_equal_beside_others_that_are_not():
    assert errors(some_equal, 300, 2_520) <= 25


def test_nor_are_those_whose_trials_fail_alike():
    assert errors(failures, 120, 2_520) <= 13


def test_large_differences_take_few_seeds_and_small_ones_are_still_found():
    clear = power((0.0, 2.0), "normal", 60, 2_520)
    assert clear["found"] == 1
    assert clear["seeds"] < 0.4
    small = power((0.0, 1.0), "normal", 60, 2_520)
    assert small["found"] > 0.85
    assert small["seeds"] < 0.75


def test_decisions_follow_from_the_scores_alone_and_no_look_reads_ahead():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(3, 4, 5)) + np.arange(3)[:, None, None]
    pairs = list(itertools.combinations(scores, 2))
    whole = decide(pairs, 4)
    assert whole == decide(pairs, 4)
    for looks in range(1, 4):
        short = [tuple(side[:looks] for side in pair) for pair in pairs]
        assert decide(short, 4, looks) == [one for one in whole if one.interim <= looks]


def test_neither_the_scale_nor_the_origin_of_scores_matters():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 6, 5))
    pairs = [(first + shift, second) for shift in (0.5, 1.0)]
    moved = [tuple(1e-3 * side - 500 for side in pair) for pair in pairs]
    assert decide(moved, 6) == decide(pairs, 6)


def test_equal_scores_are_no_evidence_and_two_constants_are():
    same, other = np.full((6, 5), 500.0), np.full((6, 5), 20.0)
    assert set(last(decide([(same, same)], 6)).values()) == {"undecided"}
    assert last(decide([(same, other)], 6)) == {0: "larger"}


@pytest.mark.parametrize(("size", "tolerance"), [(4, 0.01), (7, 0.01), (10, 0.3), (12, 0.3)])
def test_a_single_look_is_the_permutation_test_of_the_comparisons(size, tolerance):
    # 20 000 paths count every split of up to seven scores a side, and are a sample of those of ten.
    for index in range(8):
        first, second = np.random.default_rng([size, index]).normal(size=(2, size))
        first += 0.5
        p = permutation_p(first, second)
        if p < 0.005:  # too few paths to tell
            continue
        said = [
            decide(group((first, second)), 1, level=level * p, paths=20_000)[0].verdict != "undecided"
            for level in (1 - tolerance, 1 + tolerance)
        ]
        assert said == [False, True], (index, p)


def test_groups_too_large_to_count_their_splits_are_sampled():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 2, 12))  # 2.7 million splits each
    assert last(decide([(first + 2, second), (first, second)], 2, paths=5_000)) == {
        0: "larger",
        1: "undecided",
    }


def test_one_seed_a_group_decides_once_there_are_enough():
    first, second = np.arange(12.0)[:, None] + 100, np.arange(12.0)[:, None]
    found = decide([(first, second)], 12)
    assert found[-1].verdict == "larger"
    assert found[-1].interim > 5  # 2/2^5 > 0.05


@pytest.mark.parametrize("sign", [1, -1])
def test_the_survivors_of_a_fragile_algorithm_do_not_beat_a_stable_one(sign):
    rng = np.random.default_rng(6)
    fragile, stable = sign * (rng.normal(size=(4, 5)) + 5), sign * rng.normal(size=(4, 5))
    whole = decide([(fragile, stable)], 4)
    assert whole[-1].verdict == ("larger" if sign > 0 else "smaller")
    fragile[:, :3] = np.nan
    found = decide([(fragile, stable)], 4)
    assert [(one.verdict, one.n_first, one.n_second) for one in found] == [
        ("undecided", 2 * look, 5 * look) for look in range(1, 5)
    ]


def test_a_decision_that_missing_scores_cannot_turn_is_made():
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(6, 5)) + 5, rng.normal(size=(6, 5))
    first[0, 2] = second[1, 4] = np.nan
    found = decide([(first, second)], 6)
    assert found[-1].verdict == "larger"
    assert found[-1].n_first < 5 * found[-1].interim


def test_nothing_at_all_is_undecided():
    none = np.full((2, 5), np.nan)
    assert set(last(decide([(none, none), (none, none + 1)], 2)).values()) == {"undecided"}
    assert decide([], 2) == []
