"""The stratified permutation test: its p-values are those of all combinations of splits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rlbench.analysis import stratified
from rlbench.analysis.comparisons import permutation_p, welch_parts
from rlbench.analysis.stratified import (
    combinations,
    draw_splits,
    smallest_stratified_p,
    stratified_p,
)


def studentised(firsts, seconds):
    difference = sum(one.mean() - other.mean() for one, other in zip(firsts, seconds, strict=True))
    variance = sum(side.var(ddof=1) / len(side) for side in (*firsts, *seconds))
    return difference**2 / variance


def by_brute_force(firsts, seconds):
    """Give the share of all combinations of splits that are as extreme as the one at hand."""
    choices = []
    for one, other in zip(firsts, seconds, strict=True):
        pooled = np.concatenate([one, other])
        places = itertools.combinations(range(len(pooled)), len(one))
        choices.append([(pooled[list(mine)], np.delete(pooled, list(mine))) for mine in places])
    observed = studentised(firsts, seconds)
    found = [studentised(*zip(*split, strict=True)) for split in itertools.product(*choices)]
    return np.mean(np.array(found) >= observed - 1e-9)


def strata(*sizes, seed=0, effect=0.5):
    rng = np.random.default_rng(seed)
    drawn = [(rng.normal(effect, 1, n), rng.normal(0, 1, m)) for n, m in sizes]
    return [one for one, _ in drawn], [other for _, other in drawn]


SIZES = [((3, 3), (3, 3)), ((2, 4), (3, 2)), ((2, 2), (2, 3), (3, 2))]


@pytest.mark.parametrize("sizes", SIZES)
def test_p_is_the_share_of_all_splits_within_environments(sizes):
    problem = strata(*sizes)
    assert stratified_p([problem])[0] == pytest.approx(by_brute_force(*problem), abs=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
def test_random_splits_tend_to_the_same_p(sizes, monkeypatch):
    problem = strata(*sizes)
    exact = stratified_p([problem])[0]
    monkeypatch.setattr(stratified, "EXACT_SPLITS", 0)
    assert stratified_p([problem])[0] == pytest.approx(exact, abs=0.006)  # three standard errors


def test_one_environment_is_the_test_of_one_environment():
    firsts, seconds = strata((6, 7))
    assert stratified_p([(firsts, seconds)])[0] == pytest.approx(permutation_p(firsts[0], seconds[0]))


def test_splits_are_as_many_and_as_likely_as_they_should_be():
    masks = draw_splits(np.random.default_rng(0), 20_000, 2, 3)
    assert set(masks.sum(axis=1)) == {2.0}
    _, counts = np.unique(masks, axis=0, return_counts=True)
    assert len(counts) == 10
    assert counts.min() > 1800


def test_p_depends_on_no_other_pair():
    problems = [strata((20, 20), (20, 20), seed=seed) for seed in range(3)] + [strata((12, 15), (15, 12))]
    together = stratified_p(problems)
    assert together.tolist() == [float(stratified_p([one])[0]) for one in problems]


def test_exchanged_algorithms_have_the_same_p():
    for sizes in SIZES:
        firsts, seconds = strata(*sizes)
        assert stratified_p([(seconds, firsts)])[0] == pytest.approx(stratified_p([(firsts, seconds)])[0])


def test_neither_scale_nor_origin_matters():
    firsts, seconds = strata((20, 20), (20, 20))
    moved = ([1e6 + 1e3 * one for one in firsts], [1e6 + 1e3 * one for one in seconds])
    assert stratified_p([moved])[0] == pytest.approx(stratified_p([(firsts, seconds)])[0])


@pytest.mark.parametrize("n", [5, 20])
def test_scores_that_are_all_equal_decide_nothing(n):
    same = [np.full(n, 0.1 + 0.2), np.full(n, 1.0)], [np.full(n, 0.3), np.full(n, 1.0)]
    assert stratified_p([same]).tolist() == [1.0]


@pytest.mark.parametrize("n", [5, 20])
def test_effects_that_cancel_decide_nothing(n):
    one, other = np.ones(n), np.zeros(n)
    assert stratified_p([([one, other], [other, one])]).tolist() == [1.0]


def test_certain_differences_have_the_smallest_p():
    problem = [np.ones(4), np.ones(4)], [np.zeros(4), np.zeros(4)]
    assert combinations([(4, 4), (4, 4)]) == 70**2
    assert stratified_p([problem])[0] == smallest_stratified_p([(4, 4), (4, 4)]) == 2 / 70**2
    assert smallest_stratified_p([(4, 5), (4, 4)]) == 1 / (70 * 126)
    assert smallest_stratified_p([(20, 20), (20, 20)]) == 1e-5


def test_the_statistic_is_that_of_the_exact_one():
    """The sums that random splits need and those of every split give the same."""
    (first,), (second,) = strata((4, 6))
    pooled = np.concatenate([first, second])
    pooled -= pooled.mean()
    mask = draw_splits(np.random.default_rng(1), 1, 4, 6)
    mine = pooled[mask[0] == 1]
    difference, variance = welch_parts(mine.sum(), (mine**2).sum(), 4, 6, 0.0, (pooled**2).sum())
    found = stratified.of_splits([mask], [pooled[:, None]], [(4, 6)])
    assert found.item() == pytest.approx(difference**2 / (difference**2 + variance))


@pytest.mark.parametrize("n", [3, 5, 10])
def test_differences_that_cancel_without_any_spread_are_no_evidence(n):
    rng = np.random.default_rng(0)
    for _ in range(20):
        high, low = (np.full(n, value) for value in rng.random(2))
        traded = ([high, low], [low, high])
        assert stratified_p([traded])[0] == 1.0
        assert stratified_p([traded, strata((n, n), (n, n))])[0] == 1.0
