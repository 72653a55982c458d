"""The frozen table of what scores are normalised between."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from rlbench.analysis.references import reference_for, references
from rlbench.environments.mdp import MDP

EXACT = [env for env, entry in references().items() if entry.source == "exact"]


@pytest.mark.parametrize("env", EXACT)
def test_exact_entries_are_what_the_model_gives(env):
    entry, mdp = references()[env], MDP.from_environment(gymnasium.make(env))
    uniform = np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
    assert mdp.expected_return(uniform, entry.max_episode_steps) == pytest.approx(entry.random, rel=1e-9)
    assert mdp.optimal_return(entry.max_episode_steps) == pytest.approx(entry.reference, rel=1e-9)


def test_a_random_policy_is_0_and_the_reference_1():
    entry = references()["Acrobot-v1"]
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
