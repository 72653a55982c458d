"""What the report promises of its intervals and tests (P8): quick simulations, the page of the long ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulations import bands, coverage, errors, over_environments, resampling, tables
from simulations.shapes import Shape, shapes
from simulations.suites import suites

from rlbench.analysis import aggregates
from rlbench.analysis.aggregates import STATISTICS, Runs, percentiles, probability_of_improvement
from rlbench.analysis.comparisons import LEVEL, compare_pairs, permutation_p
from rlbench.analysis.intervals import (
    FEWEST,
    effect_doubts,
    effect_weakness,
    stratified_effect,
    weakness,
    welch,
)
from rlbench.analysis.stratified import stratified_p

DOCS = Path(__file__).parents[2] / "docs"
SAMPLES = 8_000
THREE_ERRORS = 3 * np.sqrt(0.93 * 0.07 / (SAMPLES / 2))


@pytest.fixture(scope="module")
def numbers():
    return json.loads((DOCS / "coverage.json").read_text(encoding="utf-8"))


def test_the_page_says_what_the_numbers_say(numbers):
    assert (DOCS / "coverage.md").read_text(encoding="utf-8") == tables.page(numbers)


PROMISING = ["means", "differences", "aggregates", "profiles", "improvements", "suite_differences"]


@pytest.mark.parametrize("part", PROMISING)
def test_unmarked_intervals_of_shapes_that_pass_cover_what_is_promised(numbers, part):
    rows = numbers[part]["rows"]
    assert len(tables.passing(rows)) > 20
    assert [row for row in tables.passing(rows) if tables.covered(row) < tables.PROMISED] == []
    assert tables.pooled(rows) >= tables.PROMISED


def test_rare_failures_are_the_only_shapes_that_break_it(numbers):
    rows = [row for row in numbers["means"]["rows"] if tables.share(row) >= tables.PASSES]
    assert {row["kind"] for row in rows if tables.covered(row) < tables.PROMISED} == {tables.RARE}


@pytest.mark.parametrize("part", ["errors", "suite_errors"])
def test_exchangeable_families_have_no_more_false_alarms_than_they_may(numbers, part):
    rows = [row for row in numbers[part]["rows"] if row["exchangeable"]]
    assert len({row["algorithms"] for row in rows}) == 4
    assert max(row["error"] for row in rows) <= tables.TOO_MANY


@pytest.mark.parametrize("n", [10, 20, 30])
def test_unmarked_intervals_cover_in_a_quick_simulation(n):
    found = {}
    for index, shape in enumerate(shape for shape in shapes() if shape.kind != tables.RARE):
        scores = shape.draw(np.random.default_rng([n, index]), (SAMPLES, n))
        low, high = coverage.t_interval(scores)
        unmarked = ~coverage.marked(scores)
        if unmarked.mean() >= tables.PASSES:
            found[shape.name] = ((low <= shape.mean) & (shape.mean <= high))[unmarked].mean()
    assert {"normal", "beta(2, 2)", "gamma, skew 0.7"} <= set(found)
    assert {name: rate for name, rate in found.items() if rate < tables.PROMISED - THREE_ERRORS} == {}


def test_below_ten_seeds_every_interval_is_marked():
    scores = np.random.default_rng(0).normal(size=(100, FEWEST - 1))
    assert coverage.marked(scores).all()


def test_what_is_simulated_is_what_the_report_does():
    rng = np.random.default_rng(0)
    scores = np.concatenate(
        [rng.exponential(size=(30, 12)), rng.normal(size=(30, 12)), np.full((1, 12), 5.0)]
    )
    assert coverage.marked(scores).tolist() == [bool(weakness(row)) for row in scores]
    first, second = rng.normal(size=(20, 7)), rng.exponential(size=(20, 9))
    expected = np.array([welch(one, other) for one, other in zip(first, second, strict=True)])
    assert pytest.approx(expected) == np.array(coverage.welch_intervals(first, second)).T


def test_what_is_simulated_over_environments_is_what_the_report_does():
    rng = np.random.default_rng(0)
    firsts = [rng.exponential(size=(20, n)) for n in (10, 12)]
    seconds = [rng.normal(size=(20, n)) for n in (11, 15)]
    ends = np.array(over_environments.effect_intervals(firsts, seconds)).T
    marks = np.any(list(effect_doubts(firsts, seconds).values()), axis=0)
    for index in range(20):
        one, other = [scores[index] for scores in firsts], [scores[index] for scores in seconds]
        assert stratified_effect(one, other).interval() == pytest.approx(tuple(ends[index]))
        assert bool(effect_weakness(one, other)) == marks[index]


@pytest.mark.parametrize("null", [errors.nulls()[0], errors.nulls()[6]], ids=lambda null: null.name)
def test_simulated_alarms_over_environments_are_those_of_the_comparison(null):
    """The simulation draws splits, the comparison counts all: where p is near the bar they may differ."""
    algorithms, n, families = 3, 3, 60
    bar = LEVEL / 3
    alarms = over_environments.false_alarms(null, algorithms, 2, n, families, np.random.default_rng(3))
    factors, rng = np.geomspace(1, 10, 2), np.random.default_rng(3)
    scores = [[f * one for one in errors.drawn(null, algorithms, n, families, rng)] for f in factors]
    _, pairs, _ = errors.family(null, algorithms, n)
    for index, alarm in enumerate(alarms):
        p = [
            stratified_p([([here[one][index] for here in scores], [here[two][index] for here in scores])])[0]
            for one, two in pairs
        ]
        if abs(min(p) - bar) > 0.4 * bar:
            assert alarm == (min(p) <= bar)


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_the_stated_means_are_those_of_the_draws(shape: Shape):
    draws = shape.draw(np.random.default_rng(1), (100_000,))
    assert draws.mean() == pytest.approx(shape.mean, abs=5 * shape.deviation / np.sqrt(len(draws)))


def test_suites_tend_to_their_true_values():
    suite = suites(5)[0]
    assert suite.truth()["mean"] == pytest.approx(0.65, abs=0.001)
    assert suite.truth()["median"] == pytest.approx(0.65, abs=0.002)
    assert suite.improvement(0.15) == pytest.approx(stats.norm.cdf(0.15 / np.sqrt(2 * 0.1**2)), abs=0.002)
    at_the_ceiling = next(suite for suite in suites(5) if suite.kind == "bounded")
    assert at_the_ceiling.improvement(0) == pytest.approx(0.5, abs=0.002)


@pytest.fixture(scope="module")
def resampled():
    """Two experiments of three environments with seven runs each, how often each run is drawn, and those."""
    rng = np.random.default_rng(0)
    scores, others = (rng.normal(0.8, 0.4, (2, 3, 7)).round(1).astype(np.float32) for _ in range(2))
    counts, other_counts = (resampling.drawn(rng, 3, 7, resamples=50) for _ in range(2))
    return (scores, counts), (others, other_counts)


def runs_of(scores, counts):
    """Give the runs of each resample ``[E, R, N]``, in any order."""
    drawn = np.concatenate(
        [
            [[np.repeat(one, times.astype(int)) for times in of_env] for one in scores[:, place]]
            for place, of_env in enumerate(counts)
        ],
        axis=-1,
    )
    return Runs(drawn, np.full(len(counts), scores.shape[-1]))


def test_simulated_statistics_are_those_of_resampled_runs(resampled):
    first, second = resampled
    found, runs = resampling.aggregates(*first), runs_of(*first)
    assert list(found) == list(STATISTICS)
    for name, statistic in STATISTICS.items():
        assert found[name] == pytest.approx(statistic(runs), abs=1e-6), name
    assert resampling.above(first[0], 0.7, first[1]) == pytest.approx((runs.values > 0.7).mean(axis=-1))
    likely = resampling.improvement(first[0], second[0], first[1], second[1])
    assert likely == pytest.approx(probability_of_improvement(runs, runs_of(*second)), abs=1e-6)


def test_simulated_draws_are_equally_likely():
    counts = resampling.drawn(np.random.default_rng(1), 2, 4, resamples=20_000)
    assert (counts.sum(axis=-1) == 4).all()
    assert counts.mean(axis=1) == pytest.approx(np.ones((2, 4)), abs=0.03)
    assert counts.var(axis=1) == pytest.approx(np.full((2, 4), 0.75), abs=0.05)


def test_simulated_intervals_are_percentiles_and_nothing_is_covered_without_one():
    found = np.random.default_rng(2).normal(size=(3, 2_000)).astype(np.float32)
    found[2] = 0.0
    low, high = percentiles(found.T)
    for truth, expected in ((low + 1e-4, [True, True, False]), (high + 1e-4, [False] * 3)):
        hits = [resampling.covers(found, float(at), n=99)[0][row] for row, at in enumerate(truth)]
        assert hits == expected
    assert resampling.covers(found, 0.0, n=99)[1].tolist() == [True, True, False]
    assert not resampling.covers(found, 0.0, n=aggregates.FEWEST_RUNS - 1)[1].any()


def test_bands_are_simulated_for_every_suite_and_number_of_runs():
    rows = list(bands.of_profiles(20))
    assert {(row["environments"], row["n"]) for row in rows} == {
        (m, n) for m in bands.ENVIRONMENTS for n in bands.RUNS[1:]
    }
    assert all(0.05 <= row["above"] <= 0.95 for row in rows)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (3, 6), (6, 3), (20, 20)])
def test_simulated_p_values_are_those_of_the_test(n, m):
    rng = np.random.default_rng(n)
    first, second = rng.normal(0.5, 1, (3, n)), rng.exponential(size=(3, m))
    expected = [permutation_p(one, other) for one, other in zip(first, second, strict=True)]
    assert errors.splits(n, m).p(first, second).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("null", errors.nulls(), ids=lambda null: null.name)
def test_simulated_alarms_are_those_of_the_comparison(null):
    algorithms, n, families = 4, 5, 60
    alarms = errors.false_alarms(null, algorithms, n, families, np.random.default_rng(3))
    scores = errors.drawn(null, algorithms, n, families, np.random.default_rng(3))
    _, pairs, equal = errors.family(null, algorithms, n)
    alike = {frozenset(map(str, pair)) for pair, same in zip(pairs, equal, strict=True) if same}
    for index, alarm in enumerate(alarms):
        rows = [(str(name), "E", score) for name, one in enumerate(scores) for score in one[index]]
        table = compare_pairs(pd.DataFrame(rows, columns=["algorithm", "env", "score"]))
        decided = table[table["verdict"] == "better"]
        assert alarm == any(frozenset(pair) in alike for pair in decided[["first", "second"]].to_numpy())
