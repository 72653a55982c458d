"""What the plugin provides, named without importing Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Iterator

from gymnasium.spaces import Discrete

from rlbench.api import AlgorithmSpec, Task
from rlbench.hookspecs import hookimpl


def needs_discrete_actions(task: Task) -> str | None:
    """Say why ``sb3-dqn`` cannot take a task, if it cannot."""
    if isinstance(task.action_space, Discrete):
        return None
    return "needs Discrete actions"


@hookimpl
def rlbench_algorithms() -> Iterator[AlgorithmSpec]:
    """Yield ``sb3-dqn``, ``sb3-a2c`` and ``sb3-ppo``."""
    for name in ("DQN", "A2C", "PPO"):
        yield AlgorithmSpec(
            f"sb3-{name.lower()}",
            f"rlbench_sb3.configs:{name}Config",
            trainer=f"rlbench_sb3.trainers:{name}Trainer",
            supports=needs_discrete_actions if name == "DQN" else None,
            description=f"{name} of Stable-Baselines3",
        )
