"""Every hook's docstring holds a plugin: each is installed, found, and does what it says."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest

from rlbench import api, hookspecs
from rlbench.analysis.baselines import baselines_of
from rlbench.analysis.references import reference_for, references_of
from rlbench.plugins import EXTENSIONS, load_catalogue

NAMES = {
    "rlbench_algorithms": "constant",
    "rlbench_environments": "countdown",
    "rlbench_metrics": "best",
    "rlbench_report_sections": "size",
    "rlbench_executors": "in-process",
    "rlbench_trackers": "log",
    "rlbench_references": "Corridor-v0 [max_episode_steps=100]",
    "rlbench_baselines": "An Imaginary Library: sarsa on Corridor-v0 [max_episode_steps=100] after 20_000",
}


def example(hook: str) -> str:
    """Give the module in a hook's docstring."""
    return "".join(
        one.source for one in doctest.DocTestParser().get_examples(getattr(hookspecs, hook).__doc__)
    )


@pytest.fixture
def catalogue(distribution):
    """Install the example of every hook as a plugin of its own."""
    for hook in EXTENSIONS:
        distribution(f"rlbench-{hook}", {hook: f"example_{hook}"}, {f"example_{hook}.py": example(hook)})
    return load_catalogue()


def test_every_hook_has_an_extension_and_an_example():
    assert set(EXTENSIONS) == {name for name in vars(hookspecs) if name.startswith("rlbench_")} == set(NAMES)
    assert all("@hookimpl" in example(hook) for hook in EXTENSIONS)


@pytest.mark.parametrize("hook", EXTENSIONS)
def test_the_example_is_a_plugin(catalogue, hook):
    (plugin,) = [one for one in catalogue.plugins if one.name == hook]
    assert not plugin.error, plugin.traceback
    assert plugin.provides == {hook: (NAMES[hook],)}


def test_the_algorithm_acts(catalogue):
    spec = catalogue.algorithm("constant").spec
    agent = spec.factory(None, spec.config(action=2), np.random.default_rng(0))
    assert agent.policy()(np.zeros((3, 4))).tolist() == [2, 2, 2]


def test_the_environment_counts_down(catalogue):
    spec = catalogue.environment("countdown").spec
    assert spec.describe("Countdown-v0", {}).max_episode_steps == 5
    environment = spec.make_vector("Countdown-v0", {}, [0, 1], 5)
    assert isinstance(environment, api.VectorEnvironment)
    assert environment.reset(np.ones(2, bool), [0, 1]).tolist() == [1, 2]
    obs, reward, terminated, truncated = environment.step(np.zeros(2, int))
    assert (obs.tolist(), reward.tolist(), terminated.tolist()) == ([0, 1], [1.0, 1.0], [True, False])
    assert not truncated.any()
    _, reward, terminated, _ = environment.step(np.zeros(2, int))
    assert (reward.tolist(), terminated.tolist()) == ([0.0, 1.0], [False, True])


def test_the_metric_finds_the_best_evaluation(catalogue):
    evaluations = pd.DataFrame({"step": [10, 10, 20, 20], "episode_return": [1.0, 3.0, 9.0, -9.0]})
    assert catalogue.metric("best").spec.compute(evaluations) == 2.0


def test_the_section_counts_trials(catalogue):
    class Results:
        trials = range(3)

    assert catalogue.section("size").spec.render(Results()).html == "<p>3 trials.</p>"


def test_the_reference_gives_its_problem_a_scale(catalogue):
    trial = {"env": "Corridor-v0", "max_episode_steps": 100}
    entry = reference_for(trial, references_of([trial], catalogue))
    assert entry is not None
    assert [entry.normalise(score) for score in (-50.0, -7.0)] == [0.0, 1.0]


def test_the_published_figure_belongs_to_its_problem(catalogue):
    trials = [("here", {"env": "Corridor-v0", "max_episode_steps": 100}), ("there", {"env": "Corridor-v0"})]
    (row,) = baselines_of(trials, catalogue).to_dict("records")
    assert (row["env"], row["algorithm"], row["score"], row["seeds"]) == ("here", "sarsa", -8.5, 5)


def test_the_tracker_writes_a_log(catalogue, tmp_path):
    tracker = catalogue.tracker("log").spec.make(tmp_path)
    trial = {"label": "dqn", "seed": 3}
    tracker.trial_started(trial)
    tracker.trial_evaluated(trial, 100, [1.0, 2.0])
    tracker.trial_finished(trial, "finished")
    tracker.close()
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert lines == ["started dqn seed 3", "step 100: 1.5", "finished", "bye"]
