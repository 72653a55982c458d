"""Published figures: whole entries, for the very problem of these results, and extended by plugins."""

from __future__ import annotations

import math

import pytest
from synthetic import identity, write_results, write_trial

import rlbench
from rlbench.analysis.baselines import baselines
from rlbench.api import PluginError

PLUGIN = """
    from rlbench.api import BaselineSpec
    from rlbench.hookspecs import hookimpl

    @hookimpl
    def rlbench_baselines():
        yield BaselineSpec(
            env="CartPole-v1", max_episode_steps={limit}, algorithm="dqn", project="A <Library>",
            score={score}, steps=1000, seeds=7, protocol="greedy", document="page 1", url="https://example.org",
        )
"""


def install(distribution, name, score=400.0, limit=500):
    text = PLUGIN.format(score=score, limit=limit)
    distribution(f"rlbench-{name}", {name: f"{name}_plugin"}, {f"{name}_plugin.py": text})


@pytest.fixture
def results(tmp_path):
    write_results(tmp_path / "run", seeds=2)
    return lambda: rlbench.load(tmp_path / "run")


def test_every_entry_says_where_it_comes_from_and_is_a_figure():
    entries = list(baselines())
    assert {entry.project for entry in entries} == {"rl-baselines3-zoo", "CleanRL"}
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert math.isfinite(entry.score)
        assert entry.steps >= 20_000
        assert entry.url.startswith("https://github.com/")
        assert entry.seeds == {"rl-baselines3-zoo": 1, "CleanRL": 3}[entry.project]


def test_results_know_what_was_published_for_their_environments(results):
    table = results().baselines()
    assert set(table["env"]) == {"CartPole-v1"}
    row = table[(table["project"] == "CleanRL") & (table["algorithm"] == "ppo")].iloc[0]
    assert (row["score"], row["spread"], row["steps"], row["seeds"]) == (490.04, 6.12, 500_000, 3)
    assert row["plugin"] == "rlbench"


def test_a_problem_with_another_limit_has_no_published_figures(tmp_path):
    store = write_results(tmp_path, envs=(), seeds=0)
    write_trial(store, identity(max_episode_steps=100))
    assert rlbench.load(tmp_path).baselines().empty


def test_a_plugin_adds_figures_and_no_number_of_ours_changes(results, distribution):
    before = results().scores(), results().comparisons()
    install(distribution, "mine")
    after = results()
    (row,) = after.baselines().query("plugin == 'rlbench-mine'").to_dict("records")
    assert (row["project"], row["score"], row["seeds"]) == ("A <Library>", 400.0, 7)
    assert math.isnan(row["spread"])
    assert after.scores().equals(before[0])
    assert after.comparisons().equals(before[1])


def test_two_plugins_for_one_figure_are_an_error_that_names_both(results, distribution):
    install(distribution, "alpha")
    install(distribution, "beta", score=300.0)
    with pytest.raises(PluginError, match=r"rlbench-alpha.* and rlbench-beta"):
        results().baselines()
