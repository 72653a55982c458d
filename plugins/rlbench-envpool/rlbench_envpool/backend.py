"""EnvPool's environments through the harness's vector interface.

EnvPool resets a finished sub-environment by itself when it is stepped next; here a finished one is not
stepped until the harness resets it, so every row is a real transition and every successor the true one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import envpool
import gymnasium
import numpy as np

from rlbench.api import EnvironmentDescription, did_you_mean

_NO_LIMIT = 2**31 - 1
_SEEDS = 2**31  # EnvPool's seeds are 32-bit integers
_RESERVED = {
    "max_episode_steps": "the time limit is an option of the run, --max-episode-steps",
    **dict.fromkeys(("seed", "env_seed"), "the harness seeds every sub-environment"),
    **dict.fromkeys(
        ("num_envs", "batch_size", "num_threads", "thread_affinity_offset", "gym_reset_return_info"),
        "the harness sets it",
    ),
}


def names() -> Sequence[str]:
    """List EnvPool's tasks, sorted."""
    return sorted(envpool.list_all_envs())


def describe(env_id: str, env_kwargs: Mapping[str, Any]) -> EnvironmentDescription:
    """Say what a task is.

    Raises ``LookupError`` for an unknown id and ``ValueError`` for arguments that the task does not take.
    """
    if env_id not in envpool.list_all_envs():
        raise LookupError(f"EnvPool has no {env_id!r}; {did_you_mean(env_id, names())}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gymnasium's, about bounds that float32 cannot hold
        known = envpool.make_spec(env_id).config._asdict()
        for key in env_kwargs:
            if key in _RESERVED:
                raise ValueError(f"envpool:{env_id} takes no argument {key!r} here; {_RESERVED[key]}")
            if key not in known:
                settable = [name for name in known if name not in _RESERVED]
                raise ValueError(f"envpool:{env_id} takes no argument {key!r}; {did_you_mean(key, settable)}")
        try:
            spec = envpool.make_spec(env_id, **env_kwargs)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"envpool:{env_id} cannot be made; {type(error).__name__}: {reason}") from error
        limit = spec.config.max_episode_steps
        return EnvironmentDescription(
            observation_space=spec.observation_space,
            action_space=spec.action_space,
            max_episode_steps=None if limit >= _NO_LIMIT else limit,
        )


def _make(env_id: str, env_kwargs: Mapping[str, Any], seeds: Sequence[int], max_episode_steps: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return envpool.make(
            env_id,
            env_type="gymnasium",
            num_envs=len(seeds),
            env_seed=[seed % _SEEDS for seed in seeds],
            num_threads=1,
            max_episode_steps=max_episode_steps,
            **env_kwargs,
        )


class EnvPoolVector:
    """A :class:`rlbench.api.VectorEnvironment` over one pool; its sub-environments are seeded once."""

    def __init__(
        self, env_id: str, env_kwargs: Mapping[str, Any], seeds: Sequence[int], max_episode_steps: int
    ) -> None:
        self._pool = _make(env_id, env_kwargs, seeds, max_episode_steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            count, space, observations = len(seeds), self._pool.action_space, self._pool.observation_space
        self._action_dtype = np.int32 if isinstance(space, gymnasium.spaces.Discrete) else space.dtype
        self._everybody = np.arange(count, dtype=np.int32)
        self._limit = max_episode_steps
        self._lengths = np.zeros(count, dtype=np.int64)  # [K], of the running episodes
        self._running = np.zeros(count, dtype=np.bool_)  # [K]
        self._observations = np.zeros((count, *(observations.shape or ())), observations.dtype)  # [K, ...]

    def reset(self, mask: np.ndarray, episode_seeds: Sequence[int]) -> np.ndarray:
        """Start new episodes where ``mask [K]`` is True; their seeds cannot be chosen."""
        rows = np.flatnonzero(mask).astype(np.int32)
        if len(rows):
            observations, info = self._pool.reset(rows)
            self._observations[info["env_id"]] = observations
            self._running[rows] = True
            self._lengths[rows] = 0
        return self._observations.copy()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Give ``next_obs [K, ...], reward [K] float64, terminated [K] bool, truncated [K] bool``."""
        count = len(self._running)
        reward = np.zeros(count)
        terminated, truncated = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        rows = self._everybody if self._running.all() else np.flatnonzero(self._running).astype(np.int32)
        if len(rows):
            chosen = np.ascontiguousarray(actions[rows], dtype=self._action_dtype)
            observations, rewards, ended, cut, info = self._pool.step(chosen, rows)
            order = info["env_id"]
            # A slice takes a tenth of the time that an array of all rows does.
            at = slice(None) if len(order) == count and (order == self._everybody).all() else order
            self._lengths[at] += 1
            cut |= (self._lengths[at] >= self._limit) & ~ended  # not every task heeds its limit
            self._observations[at] = observations
            reward[at], terminated[at], truncated[at] = rewards, ended, cut
            self._running[at] = ~(ended | cut)
        return self._observations.copy(), reward, terminated, truncated

    def close(self) -> None:
        """Release the pool."""
        self._pool.close()


class EnvPoolSingle(gymnasium.Env):
    """One sub-environment as a gymnasium environment, made anew whenever it is seeded."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any], max_episode_steps: int) -> None:
        self._arguments = (env_id, env_kwargs, max_episode_steps)
        description = describe(env_id, env_kwargs)
        self.observation_space = description.observation_space
        self.action_space = description.action_space
        self._vector: EnvPoolVector | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; the same seed always starts the same one."""
        super().reset(seed=seed)
        if seed is not None or self._vector is None:
            env_id, env_kwargs, max_episode_steps = self._arguments
            self.close()
            start = int(self.np_random.integers(_SEEDS)) if seed is None else seed
            self._vector = EnvPoolVector(env_id, env_kwargs, [start], max_episode_steps)
        return self._vector.reset(np.ones(1, dtype=np.bool_), [0])[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step."""
        assert self._vector is not None, "reset() comes first"
        obs, reward, terminated, truncated = self._vector.step(np.asarray(action)[None])
        return obs[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), {}

    def close(self) -> None:
        """Release the sub-environment."""
        if self._vector is not None:
            self._vector.close()
            self._vector = None
