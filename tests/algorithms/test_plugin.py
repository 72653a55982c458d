import subprocess
import sys

import pytest

from rlbench.algorithms import plugin
from rlbench.api import Task
from rlbench.environments.gymnasium_ids import describe

SPECS = {spec.name: spec for spec in plugin.rlbench_algorithms()}


def task_of(env_id):
    description = describe(env_id, {})
    return Task(
        env=env_id,
        env_kwargs={},
        observation_space=description.observation_space,
        action_space=description.action_space,
        n_envs=1,
        steps=0,
        device="cpu",
        max_episode_steps=100,
        mdp=description.mdp,
    )


@pytest.mark.parametrize("name", ["value-iteration", "policy-iteration"])
def test_solvers_need_a_model(name):
    assert SPECS[name].supports(task_of("FrozenLake-v1")) is None
    reason = SPECS[name].supports(task_of("CartPole-v1"))
    assert reason == "needs a model: the environment has no transition table"


def test_dqn_needs_discrete_actions():
    assert SPECS["dqn"].supports(task_of("CartPole-v1")) is None
    assert SPECS["dqn"].supports(task_of("Pendulum-v1")).startswith("needs discrete actions")


def test_no_preset_file_means_no_presets():
    assert plugin.presets("an-algorithm-without-presets") == {}


@pytest.mark.parametrize("module", ["torch", "gymnasium"])
def test_listing_the_algorithms_imports_nothing_heavy(module):
    code = (
        "import sys; from rlbench.algorithms.plugin import rlbench_algorithms;"
        "print(len(list(rlbench_algorithms())), *sys.modules)"
    )
    count, *imported = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert int(count) == 6
    assert module not in imported


@pytest.mark.parametrize("module", ["value_iteration", "policy_iteration", "random"])
def test_algorithms_without_networks_import_no_torch(module):
    code = f"import sys, rlbench.algorithms.{module}; print(*sys.modules)"
    imported = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert f"rlbench.algorithms.{module}" in imported
    assert "torch" not in imported
