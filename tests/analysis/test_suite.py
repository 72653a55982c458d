"""Profiles, improvements and curves over environments: by hand, against scipy, untouched by companions."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis.aggregates import Runs, bootstrap, iqm, probability_of_improvement
from rlbench.analysis.suite import aggregate_curves, improvements, profiles

ENVS = ("E", "F", "G")


def trials(scores, steps=100):
    """Make trials of ``{(algorithm, env): scores}``; ``steps`` is their budget."""
    rows = [
        (algorithm, env, seed, score, steps)
        for (algorithm, env), values in scores.items()
        for seed, score in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "normalised", "steps"])


def drawn(algorithms="ab", runs=6, decimals=9, seed=0):
    rng = np.random.default_rng(seed)
    return trials(
        {(name, env): rng.normal(0.5, 0.4, runs).round(decimals) for name in algorithms for env in ENVS}
    )


def curves(frame, points=4):
    """Make rising curves that end at each trial's score."""
    rows = [
        (row.algorithm, row.env, row.seed, int(row.steps * point / points), row.normalised * point / points)
        for row in frame.itertuples()
        for point in range(1, points + 1)
    ]
    return pd.DataFrame(rows, columns=["algorithm", "env", "seed", "step", "value"])


def everything(frame):
    return {
        "profiles": profiles(frame),
        "improvements": improvements(frame),
        "curves": aggregate_curves(curves(frame), frame),
    }


def of(table, name):
    return table[table["algorithm"] == name].set_index("threshold")


def test_a_profile_is_the_share_of_runs_above_each_threshold():
    frame = trials({("a", "E"): [0.0, 0.5, 1.0, 1.0], ("a", "F"): [0.25, 0.75]})
    table = of(profiles(frame), "a")
    # Each environment is half of the weight, however many runs it has; "above" leaves out what is equal.
    expected = {0.0: 3 / 4 / 2 + 1 / 2, 0.24: 3 / 8 + 1 / 2, 0.26: 3 / 8 + 1 / 4, 0.5: 2 / 8 + 1 / 4}
    assert {at: table.loc[at, "share"] for at in expected} == pytest.approx(expected)
    assert table.loc[1.0, "share"] == 0
    assert table["share"].iloc[0] == pytest.approx(1)  # one threshold lies below all scores
    assert table["share"].is_monotonic_decreasing


def test_thresholds_span_the_scores_with_0_and_1_and_do_not_follow_outliers():
    def span(values):
        return of(profiles(trials({("a", env): values for env in "EF"})), "a").index[[0, -1]].tolist()

    assert span([0.5, 0.6]) == [0.0, 1.0]
    assert span([-0.3, 1.5]) == [pytest.approx(-0.32), 1.5]
    assert span([-9000.0, 40.0]) == [-1.0, 2.0]
    assert {0.0, 0.5, 1.0} <= set(profiles(drawn())["threshold"])


def test_the_band_of_a_profile_is_that_of_its_runs():
    frame = drawn(runs=20)
    table = of(profiles(frame), "a")
    scores = frame[frame["algorithm"] == "a"].groupby("env")["normalised"]
    shares = np.array([(values > 0.5).mean() for _, values in scores])
    # The share of an environment in a resample is binomial, so the spread of their mean is known.
    error = np.sqrt((shares * (1 - shares) / 20).sum()) / len(ENVS)
    low, high = table.loc[0.5, ["low", "high"]]
    assert low < shares.mean() < high
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("decimals", [1, 9])
def test_improvement_is_mann_whitneys_for_every_ordered_pair(decimals):
    frame = drawn("abc", decimals=decimals)
    table = improvements(frame).set_index(["first", "second"])
    scores = dict(list(frame.groupby(["algorithm", "env"])["normalised"]))
    assert set(table.index) == set(itertools.permutations("abc", 2))
    for first, second in table.index:
        pairs = [[scores[name, env] for name in (first, second)] for env in ENVS]
        expected = np.mean([stats.mannwhitneyu(*pair).statistic / 36 for pair in pairs])
        row, mirrored = table.loc[(first, second)], table.loc[(second, first)]
        assert row["probability"] == pytest.approx(expected, abs=1e-12)
        assert row["probability"] == pytest.approx(1 - mirrored["probability"], abs=1e-12)
        assert (row["low"], row["high"]) == pytest.approx((1 - mirrored["high"], 1 - mirrored["low"]))
        assert row["low"] < row["probability"] < row["high"]


@pytest.mark.parametrize("sizes", [(7, 4), (6, 6)])
def test_the_interval_of_an_improvement_is_the_stratified_bootstraps(sizes):
    rng = np.random.default_rng(1)
    scores = {
        (name, env): rng.normal(shift, 1, size)
        for name, shift, size in zip("ab", (0.4, 0), sizes, strict=True)
        for env in ENVS
    }
    row = improvements(trials(scores)).set_index("first").loc["a"]
    first, second = (Runs.of([scores[name, env] for env in ENVS]) for name in "ab")
    low, high = bootstrap(probability_of_improvement, first, second, resamples=20_000, seed=7)
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.015)


def test_a_curve_is_the_interquartile_mean_at_each_share_of_the_budget():
    frame = drawn(runs=8)
    table = aggregate_curves(curves(frame), frame).query("algorithm == 'a'")
    last = iqm(Runs.of([scores.to_numpy() for _, scores in of_env(frame, "a")]))
    assert table["share"].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert table["steps"].tolist() == [25, 50, 75, 100]
    assert table["value"].to_numpy() == pytest.approx(float(last) * table["share"].to_numpy())
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()


def of_env(frame, name):
    return frame[frame["algorithm"] == name].groupby("env")["normalised"]


def test_environments_with_other_points_and_budgets_meet_on_shares_of_the_budget():
    coarse = trials({("a", "E"): [0.4, 0.8]}, steps=100)
    fine = trials({("a", "F"): [0.6, 1.0]}, steps=3_000)
    both = pd.concat([coarse, fine])
    table = aggregate_curves(pd.concat([curves(coarse, points=2), curves(fine, points=6)]), both)
    assert table["share"].tolist() == [0.5, 1.0]
    assert table["value"].tolist() == pytest.approx([0.35, 0.7])
    assert table["steps"].isna().all()


def test_a_return_that_is_not_finite_leaves_a_hole_in_the_curve():
    frame = drawn("a")
    rising = curves(frame)
    rising.loc[1, "value"] = np.nan
    value = aggregate_curves(rising, frame)["value"]
    assert value.isna().tolist() == [False, True, False, False]


def test_trials_without_a_score_are_counted_and_have_no_say_in_the_curve():
    frame = drawn("a")
    failed = trials({("a", "E"): [np.nan]}).assign(seed=99)
    both = pd.concat([frame, failed])
    early = pd.DataFrame([("a", "E", 99, 25, -50.0)], columns=["algorithm", "env", "seed", "step", "value"])
    table = aggregate_curves(pd.concat([curves(frame), early]), both)
    assert set(table["n"]) == {18}
    assert set(table["of"]) == {19}
    assert table["value"].tolist() == aggregate_curves(curves(frame), frame)["value"].tolist()


def test_the_order_of_trials_does_not_matter():
    frame = drawn("abc")
    shuffled = everything(frame.sample(frac=1, random_state=5))
    for name, table in everything(frame).items():
        pd.testing.assert_frame_equal(shuffled[name], table)


def test_an_algorithm_more_changes_nobodys_numbers():
    before, after = everything(drawn("ab")), everything(drawn("abc"))
    for name, table in before.items():
        keys = [key for key in ("algorithm", "first", "second", "threshold", "share") if key in table][:2]
        kept = table[keys].merge(after[name].round({"threshold": 9}), on=keys, how="left")
        pd.testing.assert_frame_equal(kept[table.columns], table)


def test_an_algorithm_that_lacks_an_environment_has_no_say():
    lacking = everything(pd.concat([drawn("ab"), trials({("c", "E"): [0.5, 0.6]})]))
    for name, table in everything(drawn("ab")).items():
        pd.testing.assert_frame_equal(lacking[name], table)


def test_single_runs_have_values_and_no_intervals():
    frame = drawn(runs=1)
    for name, table in everything(frame).items():
        assert len(table) > 0, name
        assert table[["low", "high"]].isna().all(axis=None), name


def test_runs_that_never_overlap_have_a_probability_without_an_interval():
    scores = {(name, env): [level, level + 0.1] for name, level in (("a", 0.1), ("b", 0.5)) for env in ENVS}
    row = improvements(trials(scores)).set_index("first").loc["b"]
    assert row["probability"] == 1
    assert np.isnan(row["low"])


def test_with_few_runs_every_band_and_improvement_is_marked():
    for name, table in everything(drawn(runs=39)).items():
        assert table["weak"].str.startswith("fewer than 40 seeds").all(), name
    uneven = pd.concat([drawn("a", runs=40), drawn("b", runs=39, seed=1)])
    assert improvements(uneven)["weak"].str.startswith("fewer than 40 seeds").all()


def test_with_many_runs_only_skewed_resamples_and_equal_ones_are_marked():
    frame = drawn(runs=40)
    profile = of(profiles(frame), "a")
    tails = {"resampled values are skewed", "equal values, so no spread to go by"}
    middle = profile["share"].between(0.45, 0.55)
    assert set(profile.loc[middle, "weak"]) == {""}
    assert set(profile.loc[~profile["share"].between(0.03, 0.97), "weak"]) <= tails
    assert set(profile.loc[profile["low"].isna(), "weak"]) == {"equal values, so no spread to go by"}
    assert set(improvements(frame)["weak"]) == {""}
    assert set(aggregate_curves(curves(frame), frame)["weak"]) <= {"", "resampled values are skewed"}


def test_an_improvement_that_is_nearly_sure_is_marked():
    better = drawn("a", runs=40).assign(normalised=lambda frame: frame["normalised"] + 1)
    table = improvements(pd.concat([better, drawn("b", runs=40, seed=1)]))
    assert table["probability"].max() > 0.9
    assert set(table["weak"]) == {"resampled values are skewed"}


def test_one_environment_is_no_suite():
    frame = trials({("a", "E"): [0.1, 0.2], ("b", "E"): [0.3, 0.4]})
    several = everything(drawn())
    for name, table in everything(frame).items():
        assert table.empty, name
        assert list(table.columns) == list(several[name].columns)
