"""Stable-Baselines3's algorithms behind rlbench's trainer interface."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import DummyVecEnv

from rlbench.api import Policy, Task, TrainerTask

_ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
_OURS = ("learning_rate", "learning_rate_schedule", "hidden_sizes", "activation", "n_envs")


class _Tick(BaseCallback):
    """Tells the harness after every vector step that an evaluation may be due."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__()
        self._tick = tick

    def _on_step(self) -> bool:
        self._tick()
        return True


class _Trainer:
    """One seed of one of Stable-Baselines3's algorithms; evaluated with deterministic actions."""

    algorithm: ClassVar[type[BaseAlgorithm]]
    separate_networks = True

    def __init__(self, task: Task, config: Any, rng: np.random.Generator) -> None:
        self.config = config
        self.seed = int(rng.integers(2**31))
        self.model: BaseAlgorithm | None = None

    def train(self, task: TrainerTask, tick: Callable[[Policy], None]) -> None:
        """Learn for the task's steps; the environments are metered and end the training by themselves."""
        c = self.config
        settings = dataclasses.asdict(c)
        rate = c.learning_rate
        sizes = list(c.hidden_sizes)
        self.model = self.algorithm(
            "CnnPolicy" if is_image_space(task.observation_space) else "MlpPolicy",
            DummyVecEnv([task.make_env] * c.n_envs),
            learning_rate=(lambda left: left * rate) if c.learning_rate_schedule == "linear" else rate,
            policy_kwargs={
                "net_arch": {"pi": sizes, "vf": sizes} if self.separate_networks else sizes,
                "activation_fn": _ACTIVATIONS[c.activation],
            },
            seed=self.seed,
            device=task.device,
            **{name: value for name, value in settings.items() if name not in _OURS},
        )
        self.model.set_logger(Logger(folder=None, output_formats=[]))  # else it leaves a folder for each run
        policy = self._policy(task.observation_space.shape)
        self.model.learn(task.steps, callback=_Tick(lambda: tick(policy)))

    def _policy(self, obs_shape: tuple[int, ...]) -> Policy:
        assert self.model is not None
        model = self.model

        def policy(obs: np.ndarray) -> np.ndarray:
            lead = obs.shape[: obs.ndim - len(obs_shape)]
            actions, _ = model.predict(obs.reshape(-1, *obs_shape), deterministic=True)
            return actions.reshape(*lead, *actions.shape[1:])

        return policy

    def state_dict(self) -> dict[str, Any]:
        """The policy's weights, kept when the trial has finished."""
        assert self.model is not None
        state = self.model.policy.state_dict()
        return {"weights": {name: tensor.cpu().numpy() for name, tensor in state.items()}}


class DQNTrainer(_Trainer):
    """``stable_baselines3.DQN``."""

    algorithm = stable_baselines3.DQN
    separate_networks = False


class A2CTrainer(_Trainer):
    """``stable_baselines3.A2C``."""

    algorithm = stable_baselines3.A2C


class PPOTrainer(_Trainer):
    """``stable_baselines3.PPO``."""

    algorithm = stable_baselines3.PPO
