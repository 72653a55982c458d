"""Replay of past transitions, all seeds in one ring on the learner's device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from rlbench import api
from rlbench.kit import kernels
from rlbench.kit.frames import Frames, are_worthwhile
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
    Observations are held in their own dtype, large ones frame by frame (:mod:`rlbench.kit.frames`).
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
        shapes = {
            "obs": ((*lead, *obs_shape), obs_dtype),
            "action": (lead, torch.int64),
            "reward": (lead, dtype),
            "next_obs": ((*lead, *obs_shape), obs_dtype),
            "terminated": (lead, torch.bool),
        }
        self._frames: Frames | None = None
        if are_worthwhile(obs_shape, obs_dtype):
            self._frames = Frames(
                seeds=seeds,
                length=self._length,
                n_envs=n_envs,
                obs_shape=obs_shape,
                obs_dtype=obs_dtype,
                device=self._device,
            )
            del shapes["obs"], shapes["next_obs"]
        self._fields = {
            name: torch.zeros(shape, dtype=kind, device=device) for name, (shape, kind) in shapes.items()
        }
        # On a CPU the ring is written through numpy views: several times cheaper than torch for single rows.
        self._host: list[np.ndarray] | None = None
        if self._device.type == "cpu":
            self._host = [field.numpy() for field in self._fields.values()]
        self._flat = [field.flatten(0, 2) for field in self._fields.values()]
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
        values: tuple[np.ndarray, ...]
        if self._frames is None:
            values = (
                transition.obs,
                action,
                transition.reward,
                transition.next_obs,
                transition.terminated,
            )
        else:
            self._frames.add(row, transition.obs, transition.next_obs)
            values = (action, transition.reward, transition.terminated)
        if self._host is not None:
            for held, value in zip(self._host, values, strict=True):
                held[:, row] = value
        else:
            for field, value in zip(self._fields.values(), values, strict=True):
                field[:, row].copy_(torch.from_numpy(np.ascontiguousarray(value)))
        self.steps += 1

    def sample(self) -> Batch:
        """Give a batch ``[S, B]`` of what is held, uniformly with replacement."""
        draws = self._draws.next()  # [S, B]
        rows = (draws * self.size).astype(np.int64) + self._first
        fields = self._gather(rows)
        if self._frames is None:
            return Batch(*fields)
        obs, next_obs = self._frames.sample(rows)
        action, reward, terminated = fields
        return Batch(obs, action, reward, next_obs, terminated)

    def _gather(self, rows: np.ndarray) -> list[torch.Tensor]:
        """Give ``rows [S, B]`` of every field."""
        compiled = kernels.compiled_for(self._device, torch.float32)
        if compiled is None:
            index = torch.from_numpy(rows).to(self._device).flatten()
            return [field.index_select(0, index).unflatten(0, rows.shape) for field in self._flat]
        fields = [field.new_empty((*rows.shape, *field.shape[1:])) for field in self._flat]
        tables = (
            (held.data_ptr(), field.data_ptr(), held.stride(0) * held.element_size())
            for held, field in zip(self._flat, fields, strict=True)
        )
        compiled.gather(rows.ctypes.data, rows.size, *tables)
        return fields

    def state_dict(self) -> dict[str, Any]:
        """What is held, ``[S, rows, N, ...]``, and the positions; large observations until the next step."""
        rows = min(self.steps, self._length)
        state: dict[str, Any] = {
            "steps": self.steps,
            "draws": self._draws.state_dict(),
            "fields": {name: field[:, :rows].cpu().numpy() for name, field in self._fields.items()},
        }
        return state if self._frames is None else state | {"frames": self._frames.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self.steps = int(state["steps"])
        self._draws.load_state_dict(state["draws"])
        rows = min(self.steps, self._length)
        for name, field in self._fields.items():
            field[:, :rows].copy_(torch.from_numpy(np.array(state["fields"][name])))
        if self._frames is not None:
            self._frames.load_state_dict(state["frames"])
