"""The random policy: every action as likely as every other, whatever is observed.

Bounded components of a Box are drawn uniformly. An unbounded component has no uniform distribution: it is
drawn from a standard normal, and one with a single bound at an exponential distance from it, as gymnasium
does. Nothing is learned; the scores of this policy are the floor that others are measured from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from rlbench.api import Task, Transition

_BLOCK = 256  # steps drawn at a time: a draw a step would cost more than most environments
_TRAINING, _EVALUATION = 0, 1


@dataclass(frozen=True)
class RandomConfig:
    """There is nothing to configure."""


class Random:
    """A :class:`rlbench.api.BatchedAgent`.

    All draws are functions of the seed and of the number of observed steps: that count is the whole state,
    and neither companions nor evaluations change an action.
    """

    def __init__(self, task: Task, config: RandomConfig, rngs: Sequence[np.random.Generator]) -> None:
        self._task = task
        self._seeds = [rng.bit_generator.seed_seq for rng in rngs]
        self._steps = 0
        self._block_number = -1
        self._block = np.empty(0)  # [S, T, N, *action_shape]

    def act(self, obs: np.ndarray) -> np.ndarray:
        number, row = divmod(self._steps, _BLOCK)
        if number != self._block_number:
            generators = _generators(self._seeds, _TRAINING, number)
            self._block = _draw(self._task.action_space, generators, (_BLOCK, self._task.n_envs))
            self._block_number = number
        return self._block[:, row]  # [S, N, *action_shape]

    def observe(self, transition: Transition) -> None:
        self._steps += 1

    def policy(self) -> UniformPolicy:
        return UniformPolicy(self._task, _generators(self._seeds, _EVALUATION, self._steps))

    def state_dict(self) -> dict[str, Any]:
        return {"steps": np.full(len(self._seeds), self._steps)}  # [S]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._steps = int(state["steps"][0])
        self._block_number = -1


class UniformPolicy:
    """``obs [S, ..., *obs_shape] -> action [S, ..., *action_shape]``, one generator a seed."""

    def __init__(self, task: Task, generators: Sequence[np.random.Generator]) -> None:
        self._action_space = task.action_space
        self._observation_axes = len(task.observation_space.shape)
        self._generators = generators

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        return _draw(self._action_space, self._generators, self._leading(obs)[1:])

    def probabilities(self, obs: np.ndarray) -> np.ndarray:
        """Give ``1 / A`` for every action, ``[S, ..., A]``, for discrete actions."""
        count = int(self._action_space.n)
        return np.full((*self._leading(obs), count), 1 / count)

    def _leading(self, obs: np.ndarray) -> tuple[int, ...]:
        return obs.shape[: obs.ndim - self._observation_axes]


def _generators(seeds: Sequence[Any], purpose: int, number: int) -> list[np.random.Generator]:
    keys = [
        np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, purpose, number)) for seed in seeds
    ]
    return [np.random.Generator(np.random.PCG64(key)) for key in keys]


def _draw(space: Any, generators: Sequence[np.random.Generator], shape: tuple[int, ...]) -> np.ndarray:
    """Draw actions ``[S, *shape, *action_shape]`` from the space, ``shape`` for each seed."""
    if isinstance(space, Discrete):
        return np.stack([generator.integers(space.n, size=shape) for generator in generators])
    size = (*shape, *space.shape)
    below, above = np.isfinite(space.low), np.isfinite(space.high)  # [*action_shape]
    # Infinite bounds are replaced where no formula uses them: arithmetic with them would warn.
    low, high = np.where(below, space.low, 0.0), np.where(above, space.high, 0.0)
    draws = []
    for generator in generators:
        if (below & above).all():
            drawn = generator.uniform(low, high, size)
        else:
            uniform, normal = generator.random(size), generator.standard_normal(size)
            distance = generator.standard_exponential(size)
            drawn = np.select(
                [below & above, below, above],
                [low + (high - low) * uniform, low + distance, high - distance],
                normal,
            )
        draws.append(np.clip(drawn.astype(space.dtype), space.low, space.high))
    return np.stack(draws)
