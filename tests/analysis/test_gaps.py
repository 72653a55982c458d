"""Exact gaps: the optimum less the exact value, where it is known and from where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis.gaps import gap_curves, gaps
from rlbench.analysis.references import references

LAKE, OPTIMUM = "FrozenLake-v1", references()["FrozenLake-v1 [max_episode_steps=100]"].reference


def experiment(values, kind="batched_agent", env=LAKE, limit=100, algorithm="q", statuses=()):
    """Make trials with these exact values ``[seeds][points]``, of two episodes each."""
    rows, trials, documents = [], [], {}
    for seed, points in enumerate(values):
        digest = f"{algorithm}-{env}-{seed}"
        status = statuses[seed] if seed < len(statuses) else "finished"
        trials.append((algorithm, env, seed, status, kind, digest))
        documents[digest] = {"env": env, "max_episode_steps": limit}
        rows += [
            (algorithm, env, seed, 10 * point, episode, value)
            for point, value in enumerate(points, start=1)
            for episode in range(2)
        ]
    return (
        pd.DataFrame(rows, columns=["algorithm", "env", "seed", "step", "episode", "exact_value"]),
        pd.DataFrame(trials, columns=["algorithm", "env", "seed", "status", "kind", "hash"]),
        documents,
    )


def summary(*parts):
    evaluations, trials = (pd.concat([part[place] for part in parts]) for place in (0, 1))
    documents = {digest: one for part in parts for digest, one in part[2].items()}
    curves = gap_curves(evaluations, trials, documents, references())
    return gaps(curves, trials).set_index(["algorithm", "env"])


def test_gap_and_regret_are_what_one_computes_by_hand():
    values = [[0.1, 0.3, 0.5], [0.2, 0.6, 0.7], [0.0, 0.2, 0.3]]
    row = summary(experiment(values)).loc[("q", LAKE)]
    final, average = np.array([0.5, 0.7, 0.3]), np.array([0.3, 0.5, 1 / 6])
    assert (row["optimum"], row["source"]) == (OPTIMUM, "exact")
    assert row["value"] == pytest.approx(0.5)
    assert row["gap"] == pytest.approx(OPTIMUM - 0.5)
    assert row["regret"] == pytest.approx(OPTIMUM - average.mean())
    for name, sample in (("", final), ("regret_", average)):
        low, high = stats.t.interval(0.95, 2, OPTIMUM - sample.mean(), stats.sem(sample))
        assert (row[f"{name}low"], row[f"{name}high"]) == pytest.approx((low, high))
    assert row["weak"] == row["regret_weak"] == "fewer than 10 seeds"


def test_a_solver_has_a_gap_and_no_regret():
    solver = experiment([[0.74], [0.74]], kind="solver", algorithm="value-iteration")
    row = summary(solver, experiment([[0.5]])).loc[("value-iteration", LAKE)]
    assert row["gap"] == pytest.approx(OPTIMUM - 0.74)
    assert np.isnan(row["regret"])
    assert np.isnan(row["low"])


def test_where_no_exact_optimum_is_in_the_table_the_best_solver_gives_it():
    parts = [
        experiment([[0.2, 0.6]], limit=30),
        experiment([[0.5]], kind="solver", algorithm="short-sighted", limit=30),
        experiment([[0.55]], kind="solver", algorithm="value-iteration", limit=30),
    ]
    table = summary(*parts)
    assert set(table["source"]) == {"best solver"}
    assert set(table["optimum"]) == {0.55}
    assert table.loc[("q", LAKE), "gap"] == pytest.approx(-0.05)  # a learner may exceed it


def test_without_any_optimum_the_value_stands_alone():
    row = summary(experiment([[0.2], [0.4]], limit=30)).loc[("q", LAKE)]
    assert row["value"] == pytest.approx(0.3)
    assert row["source"] == ""
    assert np.isnan(row["gap"])


def test_unfinished_trials_are_counted_and_not_averaged():
    row = summary(experiment([[0.5], [0.7], [-9.0]], statuses=("finished", "finished", "failed")))
    assert row.loc[("q", LAKE), ["n", "of"]].tolist() == [2, 3]
    assert row.loc[("q", LAKE), "value"] == pytest.approx(0.6)


def test_an_algorithm_of_which_nothing_finished_keeps_its_row():
    failed = experiment([[0.1]], algorithm="broken", statuses=("failed",))
    row = summary(experiment([[0.5]]), failed).loc[("broken", LAKE)]
    assert row[["n", "of"]].tolist() == [0, 1]
    assert row[["value", "gap", "regret"]].isna().all()


def test_environments_without_a_model_have_no_rows():
    assert summary(experiment([[np.nan]], env="CartPole-v1", limit=500)).empty


def test_every_evaluation_of_every_trial_has_its_gap():
    evaluations, trials, documents = experiment([[0.1, 0.3], [0.2, 0.6]])
    curves = gap_curves(evaluations, trials, documents, references())
    assert curves[["seed", "step"]].to_numpy().tolist() == [[0, 10], [0, 20], [1, 10], [1, 20]]
    assert curves["gap"].tolist() == pytest.approx([OPTIMUM - value for value in (0.1, 0.3, 0.2, 0.6)])
