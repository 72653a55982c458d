"""Metered environments for trainers: every step is counted, every episode is seeded and recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import SyncVectorEnv

from rlbench.api import BudgetExhausted
from rlbench.environments.spaces import checked_dtype


class Meter:
    """The step budget that all environments of one trial share.

    ``episode_seed(env_index, episode)`` seeds each episode; environments are numbered in the order in which
    they are made. ``record(step, env_index, episode_return, episode_length)`` is told each episode that
    ends; one that the trainer abandons by an early reset is not recorded.
    """

    def __init__(
        self,
        budget: int,
        episode_seed: Callable[[int, int], int],
        record: Callable[[int, int, float, int], None],
    ) -> None:
        self.steps = 0
        self._budget = budget
        self._episode_seed = episode_seed
        self._record = record
        self._made = 0

    def wrap(self, env: gymnasium.Env) -> gymnasium.Env:
        """Meter one environment."""
        index = self._made
        self._made += 1
        return _MeteredEnv(env, self, index)

    def vector(self, make_single: Callable[[], gymnasium.Env], count: int) -> SyncVectorEnv:
        """Meter ``count`` environments in one vector with gymnasium's standard autoreset (``NEXT_STEP``).

        The budget becomes a whole number of vector steps, ``ceil(budget / count) * count``. A sub-environment
        that restarts takes no step, so it costs nothing.
        """
        self._budget = -(-self._budget // count) * count
        vector = SyncVectorEnv([lambda: self.wrap(make_single())] * count)
        vector.action_space.seed(self.action_seed(self._made))
        return vector

    def episode_seed(self, index: int, episode: int) -> int:
        """Give the seed of an episode of the environment numbered ``index``."""
        return int(self._episode_seed(index, episode))

    def action_seed(self, index: int) -> int:
        """Give a seed for an action space, so that a trainer that samples it can be reproduced.

        It is derived from the first episode's seed, with a key of its own: the same seed would make the
        sampled actions follow the environment's own random numbers.
        """
        sequence = np.random.SeedSequence(self.episode_seed(index, 0), spawn_key=(1,))
        return int(sequence.generate_state(1)[0])

    def spend(self) -> None:
        """Count one step; raises ``BudgetExhausted`` where none is left."""
        if self.steps >= self._budget:
            raise BudgetExhausted(f"all {self._budget} steps are taken")
        self.steps += 1

    def episode_ended(self, index: int, episode_return: float, episode_length: int) -> None:
        """Record an episode that ended with the step just taken."""
        self._record(self.steps, index, episode_return, episode_length)


class _MeteredEnv(gymnasium.Wrapper):
    def __init__(self, env: gymnasium.Env, meter: Meter, index: int) -> None:
        super().__init__(env)
        self._meter = meter
        self._index = index
        self._episode = 0
        self._return = 0.0
        self._length = 0
        self._name = env.spec.id if env.spec is not None else str(env)
        self.action_space.seed(meter.action_seed(index))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        own_seed = self._meter.episode_seed(self._index, self._episode)  # the caller's is ignored on purpose
        self._episode += 1
        self._return, self._length = 0.0, 0
        obs, info = self.env.reset(seed=own_seed, options=options)
        checked_dtype(obs, self.observation_space, self._name)
        return obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._meter.spend()
        obs, reward, terminated, truncated, info = self.env.step(action)
        checked_dtype(obs, self.observation_space, self._name)
        self._return += float(reward)
        self._length += 1
        if terminated or truncated:
            self._meter.episode_ended(self._index, self._return, self._length)
        return obs, reward, terminated, truncated, info
