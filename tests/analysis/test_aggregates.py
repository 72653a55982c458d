"""Many environments in one number: against scipy and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis import aggregates
from rlbench.analysis.aggregates import Runs, bootstrap, probability_of_improvement, summarise_suite

SHAPES = [(10, 5), (3, 4), (7, 3), (1, 2), (2, 1)]


def matrix(runs, environments, seed=0):
    return np.random.default_rng(seed).normal(0.6, 0.5, (runs, environments))


@pytest.mark.parametrize("shape", SHAPES)
def test_equally_many_runs_give_the_published_definitions(shape):
    scores = matrix(*shape)
    runs = Runs.of(list(scores.T))
    assert aggregates.mean(runs) == pytest.approx(scores.mean(), abs=1e-12)
    assert aggregates.median(runs) == pytest.approx(np.median(scores.mean(axis=0)), abs=1e-12)
    assert aggregates.iqm(runs) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None), abs=1e-12)
    assert aggregates.optimality_gap(runs) == pytest.approx(1 - np.minimum(scores, 1).mean(), abs=1e-12)
    shares = aggregates.profile(np.array([-1.0, 0.5, 9.0]))(runs)
    assert shares == pytest.approx([(scores > one).mean() for one in (-1.0, 0.5, 9.0)], abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 9])
def test_probability_of_improvement_is_mann_whitneys(decimals):
    first, second = matrix(6, 3).round(decimals), matrix(9, 3, seed=1).round(decimals)
    expected = np.mean([stats.mannwhitneyu(first[:, j], second[:, j]).statistic / (6 * 9) for j in range(3)])
    one, other = Runs.of(list(first.T)), Runs.of(list(second.T))
    assert probability_of_improvement(one, other) == pytest.approx(expected, abs=1e-12)
    assert probability_of_improvement(other, one) == pytest.approx(1 - expected, abs=1e-12)


def test_environments_count_alike_however_many_runs_they_have():
    few, many = np.array([0.0, 1.0]), np.array([0.2, 0.4, 0.6, 0.8])
    runs = Runs.of([few, many])
    assert aggregates.mean(runs) == pytest.approx(0.5)
    assert aggregates.optimality_gap(runs) == pytest.approx(0.5)
    assert aggregates.profile(np.array([0.5]))(runs) == pytest.approx([0.5])
    twice = Runs.of([np.repeat(few, 2), many])  # the same shares of the weight, in equally many runs
    # A sixth of the weight goes on either side: all of 0 is 1/4, so 1/12 of it stays; likewise of 1.
    kept = np.array([1 / 12, 1 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 12])
    by_hand = (kept * [0, 0.2, 0.4, 0.6, 0.8, 1]).sum() / kept.sum()
    assert aggregates.iqm(runs) == pytest.approx(by_hand)
    assert aggregates.mean(twice) == pytest.approx(aggregates.mean(runs))


def test_the_bootstrap_draws_within_environments_and_is_seeded():
    far_apart = Runs.of([np.full(4, 0.0), np.full(4, 1.0)])
    assert bootstrap(aggregates.mean, far_apart, resamples=500) == (0.5, 0.5)
    runs = Runs.of(list(matrix(10, 5).T))
    assert bootstrap(aggregates.iqm, runs) == bootstrap(aggregates.iqm, runs)
    assert bootstrap(aggregates.iqm, runs) != bootstrap(aggregates.iqm, runs, seed=1)


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    scores = matrix(20, 6)
    low, high = bootstrap(aggregates.mean, Runs.of(list(scores.T)), resamples=20_000)
    error = np.sqrt((scores.var(axis=0) / 20).sum()) / 6
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.03)


def test_more_resamples_than_fit_at_a_time_are_drawn_in_portions(monkeypatch):
    monkeypatch.setattr(aggregates, "_AT_ONCE", 60)
    low, high = bootstrap(aggregates.mean, Runs.of([np.array([0.0, 1.0]), np.array([2.0])]), resamples=501)
    assert (low, high) == (1.0, 1.5)


def test_an_environment_without_scores_is_refused():
    with pytest.raises(ValueError, match="needs a score"):
        Runs.of([np.array([1.0]), np.array([])])


def suite(*rows):
    return pd.DataFrame(rows, columns=["algorithm", "env", "normalised"])


def test_an_algorithm_more_changes_nobodys_numbers():
    rng = np.random.default_rng(3)
    rows = [(name, env, rng.normal()) for name in "ab" for env in ("E", "F") for _ in range(4)]
    before = summarise_suite(suite(*rows))
    after = summarise_suite(suite(*rows, ("c", "E", 0.3)))
    pd.testing.assert_frame_equal(after[after["algorithm"] != "c"], before, check_dtype=False)
    lacking = after[after["algorithm"] == "c"]
    assert lacking["value"].isna().all()
    assert set(lacking["lacks"]) == {"F"}


def test_failed_runs_stay_in_the_count_and_one_environment_is_no_suite():
    table = summarise_suite(suite(("a", "E", 1.0), ("a", "E", np.nan), ("a", "F", 0.5)))
    assert set(table["n"]) == {2}
    assert set(table["of"]) == {3}
    assert set(table["environments"]) == {2}
    assert summarise_suite(suite(("a", "E", 1.0), ("a", "E", 0.0))).empty
    assert summarise_suite(suite()).empty


def weak_of(scores, statistic="mean"):
    rows = [("a", env, score) for env, values in scores.items() for score in values]
    return summarise_suite(suite(*rows)).set_index("statistic").loc[statistic, "weak"]


def test_intervals_over_environments_say_why_they_may_be_too_narrow():
    many = {env: np.linspace(-1, 1, 40) for env in ("E", "F", "G")}
    assert weak_of(many) == ""
    assert weak_of({**many, "G": many["G"][:39]}) == "fewer than 40 seeds"
    assert weak_of({env: np.full(40, 1.0) for env in "EF"}) == "equal values, so no spread to go by"
    tail = {**many, "G": np.append(many["G"][1:], 60.0)}
    assert weak_of(tail) == "resampled values are skewed"
    assert weak_of(tail, "optimality_gap") == ""  # which does not see by how much a run exceeds 1


def test_an_algorithm_that_lacks_an_environment_has_no_interval_to_mark():
    table = summarise_suite(suite(("a", "E", 1.0), ("a", "F", 0.5), ("b", "E", 0.0)))
    assert set(table.loc[table["algorithm"] == "b", "weak"]) == {""}
    assert table.loc[table["algorithm"] == "a", "weak"].str.startswith("fewer than 40 seeds").all()


def test_published_scores_of_single_runs_give_the_published_means():
    # Micheli et al. 2023, abstract: mean human-normalised score 1.046, superhuman at 10 of 26 games.
    data = json.loads((Path(__file__).parents[1] / "agreement" / "atari_100k.json").read_text("utf-8"))
    random, human = np.array(data["random"]), np.array(data["human"])
    scores = (np.array(data["runs"]["IRIS"]) - random) / (human - random)
    runs = Runs.of(list(scores.T))
    assert round(float(aggregates.mean(runs)), 3) == 1.046
    assert (runs.by_environment().round(9) >= 1).sum() == 10  # at Pong it equals the human
