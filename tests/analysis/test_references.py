"""The frozen table of what scores are normalised between, and what plugins add to it."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from synthetic import write_results

import rlbench
from rlbench.analysis.references import reference_for, references, references_of
from rlbench.api import PluginError, ReferenceSpec
from rlbench.environments.mdp import MDP
from rlbench.plugins import load_catalogue

EXACT = [entry for entry in references().values() if entry.source == "exact"]
PLUGIN = """
    from rlbench.api import ReferenceSpec
    from rlbench.hookspecs import hookimpl

    @hookimpl
    def rlbench_references():
        yield ReferenceSpec("{env}", random=0.0, reference=1.0, max_episode_steps={limit}, source="{source}")
"""


@pytest.mark.parametrize("entry", EXACT, ids=lambda entry: entry.env)
def test_exact_entries_are_what_the_model_gives(entry):
    mdp = MDP.from_environment(gymnasium.make(entry.env))
    uniform = np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
    assert mdp.expected_return(uniform, entry.max_episode_steps) == pytest.approx(entry.random, rel=1e-9)
    assert mdp.optimal_return(entry.max_episode_steps) == pytest.approx(entry.reference, rel=1e-9)


def test_a_random_policy_is_0_and_the_reference_1():
    entry = references()["Acrobot-v1 [max_episode_steps=500]"]
    assert entry.normalise(entry.random) == 0
    assert entry.normalise(entry.reference) == 1


@pytest.mark.parametrize(
    ("trial", "known"),
    [
        ({"env": "CartPole-v1", "max_episode_steps": 500}, True),
        ({"env": "async:CartPole-v1", "max_episode_steps": 500, "env_kwargs": {}}, True),
        ({"env": "CartPole-v1", "max_episode_steps": 100}, False),
        ({"env": "FrozenLake-v1", "max_episode_steps": 100, "env_kwargs": {"is_slippery": False}}, False),
        ({"env": "Unheard-v0", "max_episode_steps": 500}, False),
        ({}, False),
    ],
)
def test_only_the_problem_that_was_measured_has_a_reference(trial, known):
    assert (reference_for(trial, references()) is not None) == known


def known_for(trial):
    """Give the reference of a trial with the plugins as they are installed."""
    return reference_for(trial, references_of([trial], load_catalogue()))


def install(distribution, name, env="Corridor-v0", limit=100, source="mine"):
    text = PLUGIN.format(env=env, limit=limit, source=source)
    distribution(f"rlbench-{name}", {name: f"{name}_plugin"}, {f"{name}_plugin.py": text})


def test_a_plugin_adds_a_problem_and_can_name_arguments(distribution):
    text = """
        from rlbench.api import ReferenceSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_references():
            yield ReferenceSpec(
                "FrozenLake-v1", random=0.01, reference=1.0, max_episode_steps=100, source="by hand",
                env_kwargs={"map_name": "4x4", "is_slippery": False},
            )
    """
    distribution("rlbench-dry", {"dry": "dry_plugin"}, {"dry_plugin.py": text})
    trial = {"env": "FrozenLake-v1", "max_episode_steps": 100}
    dry = known_for({**trial, "env_kwargs": {"is_slippery": False, "map_name": "4x4"}})
    assert (dry.reference, dry.source) == (1.0, "by hand")
    assert known_for(trial).source == "exact"


def test_an_entry_for_one_backend_comes_before_that_for_all(distribution):
    install(distribution, "fast", env="fast:CartPole-v1", limit=500)
    assert known_for({"env": "fast:CartPole-v1", "max_episode_steps": 500}).source == "mine"
    assert known_for({"env": "async:CartPole-v1", "max_episode_steps": 500}).reference == 500.0


def test_a_plugin_cannot_change_a_number_of_rlbench(distribution):
    install(distribution, "mine", env="CartPole-v1", limit=500)
    assert known_for({"env": "CartPole-v1", "max_episode_steps": 500}).reference == 500.0
    catalogue = load_catalogue()
    assert not catalogue.conflicts
    (((hook, name), plugins),) = catalogue.overruled.items()
    assert (hook, name) == ("rlbench_references", "CartPole-v1 [max_episode_steps=500]")
    assert [plugin.distribution for plugin in plugins] == ["rlbench-mine"]


def test_of_two_plugins_for_one_problem_neither_counts_and_both_are_named(distribution):
    install(distribution, "alpha", source="alpha")
    install(distribution, "beta", source="beta")
    assert "Corridor-v0 [max_episode_steps=100]" not in load_catalogue().references
    with pytest.raises(PluginError, match=r"rlbench-alpha.* and rlbench-beta"):
        known_for({"env": "Corridor-v0", "max_episode_steps": 100})


def test_results_normalise_by_what_plugins_add_and_say_so(distribution, tmp_path):
    install(distribution, "mine", env="Unheard-v0", limit=500)
    write_results(tmp_path / "run", algorithms=("dqn",), envs=("CartPole-v1", "Unheard-v0"), seeds=2)
    results = rlbench.load(tmp_path / "run")
    known = results.references().set_index("env")
    assert known["plugin"].to_dict() == {"CartPole-v1": "rlbench", "Unheard-v0": "rlbench-mine"}
    assert known["source"].to_dict()["Unheard-v0"] == "mine"
    expected = [(score - 22.2) / 477.8 for score in results.trials["score"][:2]]
    assert results.normalised.tolist() == pytest.approx([*expected, *results.trials["score"][2:]])


@pytest.mark.parametrize("ends", [(1.0, 1.0), (0.0, float("nan")), (float("-inf"), 1.0)])
def test_numbers_that_give_no_scale_are_refused(ends):
    with pytest.raises(ValueError, match="two different finite numbers"):
        ReferenceSpec("E", *ends, max_episode_steps=10, source="wrong")
