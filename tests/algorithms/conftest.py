"""Fixtures for the learners: tasks made by hand, and a stand-in for the harness that drives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from rlbench import api
from rlbench.kit.devices import prepare

OBSERVATIONS = {
    "vector": spaces.Box(-9.0, 9.0, (5,)),
    "discrete": spaces.Discrete(7, start=1),
    "image": spaces.Box(0, 255, (10, 9, 3), np.uint8),
    "large image": spaces.Box(0, 255, (2, 36, 40), np.uint8),
}
ACTIONS = {"discrete": spaces.Discrete(3, start=2), "box": spaces.Box(-1.0, 1.0, (2,))}


class Noise:
    """Every seed's environments as noise of its own: observations, rewards and ends that heed no action."""

    def __init__(self, space: spaces.Space, seeds: Sequence[int], n_envs: int, limit: int) -> None:
        self._space, self._shape, self._limit = space, (len(seeds), n_envs), limit
        self._rngs = [np.random.default_rng((seed, 99)) for seed in seeds]
        self._length = np.zeros(self._shape, dtype=int)
        self.obs = self._draw()

    def _draw(self) -> np.ndarray:
        n = self._shape[1]
        if isinstance(self._space, spaces.Discrete):
            low, high = self._space.start, self._space.start + self._space.n
            return np.stack([rng.integers(low, high, n) for rng in self._rngs])
        if self._space.dtype == np.uint8:
            return np.stack([rng.integers(0, 256, (n, *self._space.shape), np.uint8) for rng in self._rngs])
        return np.stack([rng.standard_normal((n, *self._space.shape), np.float32) for rng in self._rngs])

    def step(self, action: np.ndarray) -> api.Transition:
        obs, self.obs = self.obs, self._draw()
        reward = np.stack([rng.standard_normal(self._shape[1]) for rng in self._rngs])
        self._length += 1
        terminated = np.stack([rng.random(self._shape[1]) for rng in self._rngs]) < 0.15
        truncated = (self._length >= self._limit) & ~terminated
        transition = api.Transition(obs, action, reward, self.obs, terminated, truncated)
        if (terminated | truncated).any():
            self.obs = np.where(
                (terminated | truncated).reshape(*self._shape, *(1,) * (self.obs.ndim - 2)),
                self._draw(),
                self.obs,
            )
            self._length[terminated | truncated] = 0
        else:
            self._draw()  # so that a seed's draws never depend on its companions' episodes
        return transition


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a tree by their path."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class Lab:
    """Tasks, seeds and loops for learners."""

    observations, actions = OBSERVATIONS, ACTIONS
    flat = staticmethod(flat)

    @staticmethod
    def task(obs: spaces.Space, action: spaces.Space, *, n_envs: int = 1, steps: int = 1000) -> api.Task:
        return api.Task(
            env="Test-v0",
            env_kwargs={},
            observation_space=obs,
            action_space=action,
            n_envs=n_envs,
            steps=steps,
            device="cpu",
            max_episode_steps=12,
        )

    @staticmethod
    def rngs(seeds: Sequence[int]) -> list[np.random.Generator]:
        return [np.random.default_rng(np.random.SeedSequence(5, spawn_key=(seed,))) for seed in seeds]

    def start(
        self,
        factory: Callable[..., Any],
        config: Any,
        seeds: Sequence[int],
        obs: str,
        action: str,
        steps: int,
    ) -> SimpleNamespace:
        """Give ``agent`` and the ``noise`` it is to be driven with."""
        task = self.task(
            OBSERVATIONS[obs], ACTIONS[action], n_envs=config.n_envs, steps=steps * config.n_envs
        )
        noise = Noise(task.observation_space, seeds, config.n_envs, task.max_episode_steps)
        return SimpleNamespace(agent=factory(task, config, self.rngs(seeds)), noise=noise)

    def drive(
        self, run: SimpleNamespace, steps: int, *, each: Callable[[int, Any], None] | None = None
    ) -> dict[str, Any]:
        """Train for ``steps`` vector steps; give every number: state, actions and diagnostics by path."""
        actions, diagnostics = [], []
        for number in range(steps):
            action = run.agent.act(run.noise.obs)
            actions.append(np.array(action))
            measured = run.agent.observe(run.noise.step(action))
            if measured:
                diagnostics.append(np.stack([np.ma.filled(value, -1.0) for value in measured.values()], 1))
            if each:
                each(number, run.agent)
        numbers = dict(flat(run.agent.state_dict()))
        numbers["actions"] = np.stack(actions, 1)  # [S, steps, N, ...]
        if diagnostics:
            numbers["diagnostics"] = np.stack(diagnostics, 1)
        return numbers

    @staticmethod
    def seed(numbers: Mapping[str, Any], index: int) -> dict[str, Any]:
        """One seed's share of what :meth:`drive` gives, as bytes where it is an array."""
        return {
            name: value[index].tobytes() if isinstance(value, np.ndarray) else value
            for name, value in numbers.items()
        }


@pytest.fixture(scope="session")
def lab() -> Lab:
    prepare("cpu")
    return Lab()
