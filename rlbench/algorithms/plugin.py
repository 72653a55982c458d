"""The built-in algorithms, named without importing them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from rlbench.api import AlgorithmSpec, Task
from rlbench.hookspecs import hookimpl


@hookimpl
def rlbench_algorithms() -> Iterable[AlgorithmSpec]:
    """Yield every built-in algorithm; presets are the tables of ``presets/NAME.toml``, by environment id."""
    yield AlgorithmSpec(
        "dqn",
        "rlbench.algorithms.configs:DQNConfig",
        batched_agent="rlbench.algorithms.dqn:DQN",
        supports=needs_discrete_actions,
        presets=presets("dqn"),
        description="deep Q-network with replay and a target network",
    )
    yield AlgorithmSpec(
        "a2c",
        "rlbench.algorithms.configs:A2CConfig",
        batched_agent="rlbench.algorithms.a2c:A2C",
        presets=presets("a2c"),
        description="advantage actor-critic on short rollouts",
    )
    yield AlgorithmSpec(
        "reinforce",
        "rlbench.algorithms.configs:ReinforceConfig",
        batched_agent="rlbench.algorithms.reinforce:Reinforce",
        presets=presets("reinforce"),
        description="Monte-Carlo policy gradient on complete episodes",
    )
    yield AlgorithmSpec(
        "value-iteration",
        "rlbench.algorithms.value_iteration:ValueIterationConfig",
        solver="rlbench.algorithms.value_iteration:ValueIteration",
        supports=needs_model,
        presets=presets("value-iteration"),
        description="dynamic programming on the Bellman optimality equation",
    )
    yield AlgorithmSpec(
        "policy-iteration",
        "rlbench.algorithms.policy_iteration:PolicyIterationConfig",
        solver="rlbench.algorithms.policy_iteration:PolicyIteration",
        supports=needs_model,
        presets=presets("policy-iteration"),
        description="dynamic programming by evaluating and improving a policy in turn",
    )
    yield AlgorithmSpec(
        "random",
        "rlbench.algorithms.random:RandomConfig",
        batched_agent="rlbench.algorithms.random:Random",
        presets=presets("random"),
        description="uniformly random actions: the floor that scores are measured from",
    )


def presets(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Read ``presets/NAME.toml``; no file means no presets."""
    file = resources.files("rlbench.algorithms") / "presets" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def needs_model(task: Task) -> str | None:
    """Say why a solver cannot run."""
    return None if task.mdp is not None else "needs a model: the environment has no transition table"


def needs_discrete_actions(task: Task) -> str | None:
    """Say why an algorithm that enumerates actions cannot run."""
    from gymnasium.spaces import Discrete  # here: listing plugins must not import gymnasium

    if isinstance(task.action_space, Discrete):
        return None
    return "needs discrete actions: the environment's are not"
