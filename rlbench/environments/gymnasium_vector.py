"""Vectors of gymnasium environments without autoreset: in this process, or one process each."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from rlbench.environments.gymnasium_ids import make_single
from rlbench.environments.processes import die_with_parent
from rlbench.environments.spaces import checked_dtype

_PARK = "rlbench.park"


class ParkableEnv(gymnasium.Wrapper):
    """A sub-environment that can idle: parked, it answers ``step`` with its last observation and no flags.

    It begins parked, with an observation of zeros; a reset with the option ``rlbench.park`` parks it again,
    any other reset starts an episode. Infos are dropped: merging them costs more than most environments.
    Observations that do not fit the space, which gymnasium would cast or refuse without a name, are errors.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        space = env.observation_space
        self._last: Any = np.zeros(space.shape or (), space.dtype)
        self._parked = True
        self._shape = self._last.shape
        self._dtype = self._last.dtype  # of the last observation that was checked
        self._plain = int if isinstance(space, Discrete) else None  # a type that needs no check

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        if options and _PARK in options:
            self._parked = True
        else:
            self._last, _ = self.env.reset(seed=seed)
            self._check(self._last)
            self._parked = False
        return self._last, {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict]:
        if self._parked:
            return self._last, 0.0, False, False, {}
        obs, reward, terminated, truncated, _ = self.env.step(action)
        if obs.__class__ is not self._plain and (  # nearly always enough, and costs next to nothing
            getattr(obs, "dtype", None) is not self._dtype or obs.shape != self._shape
        ):
            self._check(obs)
        self._last = obs
        return obs, reward, terminated, truncated, {}

    def _check(self, obs: Any) -> None:
        name = self.env.spec.id if self.env.spec is not None else str(self.env)
        self._dtype = checked_dtype(obs, self.env.observation_space, name)


class _LeanVector(SyncVectorEnv):
    """gymnasium's vector without what a run never asks for: infos, autoreset, a second copy.

    That is a fifth of the time of a step of 3 CartPoles, and a twentieth of that of 40. A reset touches the
    sub-environments that it is for: with many of them some episode ends at nearly every step.
    """

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict]:
        for index in np.flatnonzero(options.pop("reset_mask")).tolist():
            self._observations[index], _ = self.envs[index].reset(seed=seed[index], options=options)
        return self._observations, {}

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict]:
        observations, rewards = self._observations, self._rewards
        terminations, truncations = self._terminations, self._truncations
        for index, (env, action) in enumerate(zip(self.envs, actions, strict=True)):
            observations[index], rewards[index], terminations[index], truncations[index], _ = env.step(action)
        return observations, rewards.copy(), terminations.copy(), truncations.copy(), {}


class GymnasiumVector:
    """A :class:`rlbench.api.VectorEnvironment` over a gymnasium vector of :class:`ParkableEnv`."""

    def __init__(self, vector: SyncVectorEnv | AsyncVectorEnv) -> None:
        self._vector = vector
        self._failed = False
        count = vector.num_envs
        # Rows whose episode has ended and that gymnasium would refuse to step: parked before the next step.
        self._ended = np.zeros(count, dtype=np.bool_)  # [K]
        self._observations = self._reset(np.ones(count, dtype=np.bool_), [None] * count, park=True)

    def reset(self, mask: np.ndarray, episode_seeds: Sequence[int]) -> np.ndarray:
        """Start new episodes where ``mask [K]`` is True, with one seed for each True.

        Gives all observations ``[K, ...]``; those of other sub-environments are their current ones. Raises
        ``ValueError`` where the mask and the number of seeds do not fit.
        """
        mask = np.asarray(mask, dtype=np.bool_)
        rows = np.flatnonzero(mask)
        if mask.shape != self._ended.shape or len(rows) != len(episode_seeds):
            raise ValueError(
                f"a mask of shape {mask.shape} with {len(rows)} True and {len(episode_seeds)} seeds "
                f"do not fit {len(self._ended)} sub-environments"
            )
        if len(rows):
            seeds: list[int | None] = [None] * len(mask)
            for row, seed in zip(rows, episode_seeds, strict=True):
                seeds[row] = int(seed)
            self._observations = self._reset(mask, seeds, park=False)
            self._ended &= ~mask
        return self._observations.copy()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Give ``next_obs [K, ...], reward [K] float64, terminated [K] bool, truncated [K] bool``."""
        if self._ended.any():
            self._reset(self._ended.copy(), [None] * len(self._ended), park=True)
        with self._noting_failure():
            self._observations, reward, terminated, truncated, _ = self._vector.step(actions)
        self._ended = terminated | truncated
        return self._observations.copy(), reward, terminated, truncated

    def close(self) -> None:
        """Close the sub-environments and end their processes, also after a failure."""
        processes = getattr(self._vector, "processes", ())
        if not (self._failed and processes):
            self._vector.close()
            return
        # gymnasium would wait for answers that may never come.
        for process in processes:
            process.kill()
            process.join()
        self._vector.closed = True

    def _reset(self, mask: np.ndarray, seeds: list[int | None], *, park: bool) -> np.ndarray:
        options: dict[str, Any] = {"reset_mask": mask}
        if park:
            options[_PARK] = True
        with self._noting_failure():
            return self._vector.reset(seed=seeds, options=options)[0]

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            self._failed = True
            raise RuntimeError(
                "the process of a sub-environment died; run without 'async:' to see what the environment does"
            ) from error
        except BaseException:
            self._failed = True
            raise


def make_sync(
    env_id: str, env_kwargs: Mapping[str, Any], seeds: Sequence[int], max_episode_steps: int
) -> GymnasiumVector:
    """Make ``len(seeds)`` sub-environments that are stepped one after the other in this process.

    The seeds themselves are not used: every episode gets its own from ``reset``.
    """
    return GymnasiumVector(
        _LeanVector(
            [_maker(env_id, env_kwargs, max_episode_steps)] * len(seeds),
            copy=False,
            autoreset_mode=AutoresetMode.DISABLED,
        )
    )


def make_async(
    env_id: str, env_kwargs: Mapping[str, Any], seeds: Sequence[int], max_episode_steps: int
) -> GymnasiumVector:
    """Make ``len(seeds)`` sub-environments in a process each, for environments that are slow to step."""
    return GymnasiumVector(
        AsyncVectorEnv(
            [_maker(env_id, env_kwargs, max_episode_steps)] * len(seeds),
            copy=False,
            autoreset_mode=AutoresetMode.DISABLED,
        )
    )


def _maker(
    env_id: str, env_kwargs: Mapping[str, Any], max_episode_steps: int
) -> functools.partial[gymnasium.Env]:
    return functools.partial(_make_parkable, env_id, dict(env_kwargs), max_episode_steps)


def _make_parkable(env_id: str, env_kwargs: Mapping[str, Any], max_episode_steps: int) -> gymnasium.Env:
    if multiprocessing.parent_process() is not None:  # a process of its own, for this sub-environment
        die_with_parent()
    return ParkableEnv(make_single(env_id, env_kwargs, max_episode_steps, order_enforce=False))
