"""The agent by itself: a hand-computed update, known answers, and its state."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import rlbench_qlearning
from rlbench_qlearning import Config, QLearning, rlbench_algorithms, supports

from rlbench.api import Task, Transition


def task_for(env: str, steps: int, n_envs: int = 1, **env_kwargs) -> Task:
    environment = gymnasium.make(env, **env_kwargs)
    return Task(
        env=env,
        env_kwargs=env_kwargs,
        observation_space=environment.observation_space,
        action_space=environment.action_space,
        n_envs=n_envs,
        steps=steps,
        device="cpu",
        max_episode_steps=100,
    )


def train(agent: QLearning, task: Task, steps: int, seed: int = 0) -> None:
    """Drive the agent as the harness does, with one sub-environment."""
    environment = gymnasium.make(task.env, max_episode_steps=100, **task.env_kwargs)
    obs, _ = environment.reset(seed=seed)
    for _ in range(steps):
        action = agent.act(np.array([obs]))
        next_obs, reward, terminated, truncated, _ = environment.step(action[0])
        agent.observe(
            Transition(*map(np.array, ([obs], action, [reward], [next_obs], [terminated], [truncated])))
        )
        obs = environment.reset()[0] if terminated or truncated else next_obs


def walk(agent: QLearning, task: Task) -> float:
    """Give the return of one greedy episode."""
    environment = gymnasium.make(task.env, max_episode_steps=100, **task.env_kwargs)
    obs, _ = environment.reset(seed=0)
    total, done = 0.0, False
    while not done:
        obs, reward, terminated, truncated, _ = environment.step(agent.policy()(np.array([obs]))[0])
        total, done = total + float(reward), terminated or truncated
    return total


@pytest.mark.parametrize(
    ("terminated", "truncated", "value"),
    [(False, False, 0.5 * (1 + 0.9 * 4)), (False, True, 0.5 * (1 + 0.9 * 4)), (True, False, 0.5 * 1)],
)
def test_an_update_bootstraps_through_truncation_and_not_through_termination(terminated, truncated, value):
    agent = QLearning(
        task_for("FrozenLake-v1", 100), Config(learning_rate=0.5, gamma=0.9), np.random.default_rng(0)
    )
    agent.table[7] = [0, 4, 3, 1]
    row = ([2], [3], [1.0], [7], [terminated], [truncated])
    agent.observe(Transition(*map(np.array, row)))
    assert agent.table[2].tolist() == [0, 0, 0, value]


@pytest.mark.parametrize(
    ("env", "env_kwargs", "steps", "optimum"),
    [("FrozenLake-v1", {"is_slippery": False}, 20_000, 1.0), ("CliffWalking-v1", {}, 30_000, -13.0)],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_it_learns_the_optimal_path(env, env_kwargs, steps, optimum, seed):
    task = task_for(env, steps, **env_kwargs)
    agent = QLearning(task, Config(), np.random.default_rng(seed))
    train(agent, task, steps, seed)
    assert walk(agent, task) == optimum


def test_its_state_continues_where_it_was_left():
    task = task_for("CliffWalking-v1", 2_000)
    first = QLearning(task, Config(), np.random.default_rng(0))
    train(first, task, 1_000)
    second = QLearning(task, Config(), np.random.default_rng(99))
    second.load_state_dict(first.state_dict())
    for agent in (first, second):
        train(agent, task, 1_000, seed=1)
    assert np.array_equal(first.table, second.table)
    assert first.table.any()


def test_it_says_what_it_does_not_support():
    discrete = task_for("FrozenLake-v1", 10)
    assert supports(discrete) is None
    assert supports(replace(discrete, observation_space=gymnasium.spaces.Box(0, 1, (4,)))) is not None
    assert supports(replace(discrete, action_space=gymnasium.spaces.MultiBinary(4))) is not None
    assert supports(replace(discrete, action_space=gymnasium.spaces.MultiDiscrete([4]))) is not None


def test_the_hook_yields_one_agent():
    (spec,) = rlbench_algorithms()
    assert (spec.name, spec.kind, spec.config) == ("q-learning", "agent", Config)


def test_it_imports_what_a_third_party_may():
    tree = ast.parse(Path(rlbench_qlearning.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules | names == {"dataclasses", "numpy", "rlbench.api", "rlbench.hookspecs"}
