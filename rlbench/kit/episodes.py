"""Complete episodes of every seed, held until an update takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from rlbench.kit.returns import episode_returns


class Rows(NamedTuple):
    """The rows of some seeds' finished episodes, in blocks of one length, the last filled up."""

    obs: np.ndarray  # [K, blocks, block, *obs_shape]
    action: np.ndarray  # [K, blocks, block, *action_shape]
    returns: np.ndarray  # [K, blocks, block] float64
    inside: np.ndarray  # [K, blocks, block] bool: whether the row is the seed's own


class Episodes:
    """Lanes ``[S, N, rows]`` into which sub-environments write their episodes, one after another.

    A lane holds ``episodes`` episodes of at most ``max_episode_steps``. Take a seed's episodes as soon as
    that many have ended in all its lanes together. Kept on the host. ``obs`` and ``action`` are the shape and
    dtype of one row.
    """

    def __init__(
        self,
        seeds: int,
        n_envs: int,
        *,
        episodes: int,
        max_episode_steps: int,
        obs: tuple[tuple[int, ...], torch.dtype],
        action: tuple[tuple[int, ...], torch.dtype],
    ) -> None:
        lead = (seeds, n_envs, episodes * max_episode_steps)
        self._arrays = {
            "obs": torch.zeros((*lead, *obs[0]), dtype=obs[1]).numpy(),
            "action": torch.zeros((*lead, *action[0]), dtype=action[1]).numpy(),
            "reward": np.zeros(lead),
            "returns": np.zeros(lead),
            "written": np.zeros(lead[:2], dtype=np.int64),  # rows in a lane
            "closed": np.zeros(lead[:2], dtype=np.int64),  # rows that belong to finished episodes
            "finished": np.zeros(seeds, dtype=np.int64),
        }
        self.steps = 0  # vector steps ever added
        self._lanes = np.ix_(np.arange(seeds), np.arange(n_envs))

    @property
    def finished(self) -> np.ndarray:
        """How many finished episodes each seed holds, ``[S]``."""
        return self._arrays["finished"]

    def add(self, obs: np.ndarray, action: np.ndarray, reward: np.ndarray) -> None:
        """Copy one vector step, ``[S, N, ...]``."""
        a = self._arrays
        at = (*self._lanes, a["written"])
        a["obs"][at], a["action"][at], a["reward"][at] = obs, action, reward
        a["written"] += 1
        self.steps += 1

    def close(self, ended: np.ndarray, after: np.ndarray, gamma: float) -> None:
        """Finish the episodes where ``ended [S, N]``; ``after [S, N]`` is the value of what follows them."""
        a = self._arrays
        for seed, lane in zip(*np.nonzero(ended), strict=True):
            episode = slice(a["closed"][seed, lane], a["written"][seed, lane])
            reward = a["reward"][seed, lane, episode]
            a["returns"][seed, lane, episode] = episode_returns(reward, after[seed, lane], gamma)
            a["closed"][seed, lane] = a["written"][seed, lane]
            a["finished"][seed] += 1

    def take(self, seeds: np.ndarray, block: int) -> Rows:
        """Give the finished episodes of ``seeds [K]`` and forget them; episodes under way stay.

        The number of blocks depends on the seed with most rows, but every block has the same shape: give
        rows that are not ``inside`` no weight, and companions change nothing.
        """
        closed = self._arrays["closed"]
        blocks = max(-(-int(closed[seed].sum()) // block) for seed in seeds)
        taken = []
        for name in ("obs", "action", "returns"):
            held = self._arrays[name]
            rows = np.empty((len(seeds), blocks * block, *held.shape[3:]), held.dtype)
            for row, seed in zip(rows, seeds, strict=True):
                own = np.concatenate([lane[:end] for lane, end in zip(held[seed], closed[seed], strict=True)])
                row[: len(own)], row[len(own) :] = own, own[-1]
            taken.append(rows.reshape(len(seeds), blocks, block, *held.shape[3:]))
        inside = np.arange(blocks * block) < closed[seeds].sum(-1, keepdims=True)
        self._forget(seeds)
        obs, action, returns = taken
        return Rows(obs, action, returns, inside.reshape(len(seeds), blocks, block))

    def _forget(self, seeds: np.ndarray) -> None:
        a = self._arrays
        for seed in seeds:
            for lane, (start, end) in enumerate(zip(a["closed"][seed], a["written"][seed], strict=True)):
                for name in ("obs", "action", "reward"):
                    a[name][seed, lane, : end - start] = a[name][seed, lane, start:end].copy()
        a["written"][seeds] -= a["closed"][seeds]
        a["closed"][seeds] = 0
        a["finished"][seeds] = 0

    def state_dict(self) -> dict[str, Any]:
        """Every lane, ``[S, N, rows, ...]``, and how far each is filled."""
        return {"steps": self.steps, **{name: array.copy() for name, array in self._arrays.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self.steps = int(state["steps"])
        for name, array in self._arrays.items():
            array[:] = state[name]
