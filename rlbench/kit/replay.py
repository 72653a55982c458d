"""Replay of past transitions, all seeds in one ring on the learner's device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from rlbench import api
from rlbench.kit.streams import Blocks, uniform


class Batch(NamedTuple):
    """Sampled transitions, every field ``[S, B, ...]``. Truncation is not marked: bootstrap through it."""

    obs: torch.Tensor
    action: torch.Tensor  # int64
    reward: torch.Tensor
    next_obs: torch.Tensor
    terminated: torch.Tensor  # bool


class Replay:
    """A ring of the last transitions; seeds sample uniformly, with replacement, each from its own stream.

    ``capacity`` counts transitions of one seed and is rounded down to whole vector steps, at least one.
    Observations are held in their own dtype.
    """

    def __init__(
        self,
        rngs: Sequence[np.random.Generator],
        *,
        capacity: int,
        n_envs: int,
        obs_shape: tuple[int, ...],
        obs_dtype: torch.dtype,
        batch_size: int,
        device: str | torch.device,
        dtype: torch.dtype,
    ) -> None:
        seeds = len(rngs)
        self._length = max(capacity // n_envs, 1)  # in vector steps
        self._n_envs = n_envs
        self._device = torch.device(device)
        lead = (seeds, self._length, n_envs)
        self._fields = Batch(
            obs=torch.zeros((*lead, *obs_shape), dtype=obs_dtype, device=device),
            action=torch.zeros(lead, dtype=torch.int64, device=device),
            reward=torch.zeros(lead, dtype=dtype, device=device),
            next_obs=torch.zeros((*lead, *obs_shape), dtype=obs_dtype, device=device),
            terminated=torch.zeros(lead, dtype=torch.bool, device=device),
        )
        # On a CPU the ring is written through numpy views: several times cheaper than torch for single rows.
        self._host = [field.numpy() for field in self._fields] if self._device.type == "cpu" else None
        self._flat = Batch(*(field.flatten(0, 2) for field in self._fields))
        self._draws = Blocks(rngs, "replay", uniform, (batch_size,), block=256)
        self._first = (np.arange(seeds) * self._length * n_envs)[:, None]  # [S, 1]: where a seed's rows start
        self.steps = 0  # vector steps ever added

    @property
    def size(self) -> int:
        """How many transitions of each seed it holds."""
        return min(self.steps, self._length) * self._n_envs

    def add(self, transition: api.Transition, action: np.ndarray) -> None:
        """Keep one vector step, with ``action [S, N]`` as indices; its arrays are copied."""
        row = self.steps % self._length
        values = (
            transition.obs,
            action,
            transition.reward,
            transition.next_obs,
            transition.terminated,
        )
        if self._host is not None:
            for held, value in zip(self._host, values, strict=True):
                held[:, row] = value
        else:
            for field, value in zip(self._fields, values, strict=True):
                field[:, row].copy_(torch.from_numpy(np.ascontiguousarray(value)))
        self.steps += 1

    def sample(self) -> Batch:
        """Give a batch ``[S, B]`` of what is held, uniformly with replacement."""
        draws = self._draws.next()  # [S, B]
        index = torch.from_numpy((draws * self.size).astype(np.int64) + self._first).to(self._device)
        shape = index.shape
        index = index.flatten()
        return Batch(
            *(field.index_select(0, index).unflatten(0, shape) for field in self._flat),
        )

    def state_dict(self) -> dict[str, Any]:
        """What is held, ``[S, rows, N, ...]``, and the positions."""
        rows = min(self.steps, self._length)
        held = {
            name: field[:, :rows].cpu().numpy().copy()
            for name, field in zip(Batch._fields, self._fields, strict=True)
        }
        return {"steps": self.steps, "draws": self._draws.state_dict(), "fields": held}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self.steps = int(state["steps"])
        self._draws.load_state_dict(state["draws"])
        rows = min(self.steps, self._length)
        for name, field in zip(Batch._fields, self._fields, strict=True):
            field[:, :rows].copy_(torch.from_numpy(np.array(state["fields"][name])))
