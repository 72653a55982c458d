"""Large observations of a replay's transitions, every distinct frame held once.

The observation after a step is nearly always the one before the next step, and a stack of frames shares all
but its newest with the stack before. Nothing of that is assumed: frames are shared where their bytes are
equal, so any sequence of observations comes back as it was given.
"""

from __future__ import annotations

import math
import mmap
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

_LARGE = 1024  # bytes; smaller observations are cheaper to copy than to compare
_HIGHEST_STACK = 16  # a longer axis is not one of frames
_COLOURS = 3  # nor is one of colours, in an image
_NORESERVE = 0x4000 if sys.platform == "linux" else 0  # mmap.MAP_NORESERVE, named since Python 3.13


def are_worthwhile(obs_shape: tuple[int, ...], obs_dtype: torch.dtype) -> bool:
    """Whether observations are large enough to be held as frames."""
    return len(obs_shape) > 1 and math.prod(obs_shape) * obs_dtype.itemsize >= _LARGE


class _Shown(NamedTuple):
    """Observations of one vector step; ``R = S * N`` rows, stacks of ``K`` frames."""

    obs: np.ndarray  # [R, *obs_shape]
    words: np.ndarray  # [R, K, words]: the same frame by frame, to be compared
    slots: np.ndarray  # [R, K]: where the frames are held


class Frames:
    """The observations before and after each of ``length`` vector steps, in a ring.

    A frame is a plane along the first axis of an observation, or along the last of three if that is shorter;
    the whole observation, where that axis is one of colours or too long for a stack. Each seed has slots of
    its own; a slot is free again when no row shows its frame. On a CPU the memory of a slot is taken when it
    is first used, and there are as many as could ever be needed; on another device more are made when they
    run out.
    """

    def __init__(
        self,
        *,
        seeds: int,
        length: int,
        n_envs: int,
        obs_shape: tuple[int, ...],
        obs_dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._seeds, self._n_envs = seeds, n_envs
        self._obs_shape, self._dtype, self._device = obs_shape, obs_dtype, device
        self._last_axis = len(obs_shape) == 3 and obs_shape[-1] < obs_shape[0]
        stack, *frame = (obs_shape[-1], *obs_shape[:-1]) if self._last_axis else obs_shape
        if stack > _HIGHEST_STACK or (len(obs_shape) == 3 and stack == _COLOURS):
            stack, frame, self._last_axis = 1, list(obs_shape), False
        self._stack, self._frame = stack, tuple(frame)
        self._word = np.uint64 if math.prod(frame) * obs_dtype.itemsize % 8 == 0 else np.uint8
        self._slots = self._first_slots(length)  # of each seed
        self._host: np.ndarray | None = None  # [S, slots, *frame], on a CPU
        self._pool = self._make_pool(self._slots)  # [S, slots, *frame]
        self._rows = np.zeros((seeds, length, n_envs, 2, stack), dtype=np.int32)  # slots before and after
        self._filled = 0  # rows in use
        self._uses = np.zeros((seeds, self._slots), dtype=np.int32)  # by rows
        self._used = [0] * seeds  # slots that were ever used: always the first ones
        self._free: list[list[int]] = [[] for _ in range(seeds)]  # those of them that no row shows
        self._last: _Shown | None = None

    def add(self, row: int, obs: np.ndarray, next_obs: np.ndarray) -> None:
        """Keep the observations ``[S, N, ...]`` before and after a vector step, over those at ``row``."""
        last = self._last
        given = np.asarray(obs, self._numpy_dtype).reshape(-1, *self._obs_shape)
        before = last if last and _same_bytes(given, last.obs) else self._keep(given, last)
        after = self._keep(np.asarray(next_obs, self._numpy_dtype).reshape(given.shape), before)
        self._last = after
        offsets = (np.arange(self._seeds) * self._slots)[:, None, None, None]
        uses = self._uses.reshape(-1)
        shown = np.stack([before.slots, after.slots], 1).reshape(self._seeds, self._n_envs, 2, self._stack)
        np.add.at(uses, (shown + offsets).ravel(), 1)
        if row < self._filled:
            gone = (self._rows[:, row] + offsets).ravel()
            np.subtract.at(uses, gone, 1)
            for slot in sorted(set(gone[uses[gone] == 0].tolist())):
                self._free[slot // self._slots].append(slot % self._slots)
        self._filled = max(self._filled, row + 1)
        self._rows[:, row] = shown

    def sample(self, index: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the observations before and after the rows ``index [S, B]``, counted over all seeds' rows."""
        rows = self._rows.reshape(-1, 2, self._stack)[index]  # [S, B, 2, K]
        slots = rows + (np.arange(self._seeds) * self._slots)[:, None, None, None]
        return self._gather(slots[:, :, 0]), self._gather(slots[:, :, 1])

    def state_dict(self) -> dict[str, Any]:
        """What is held. On a CPU ``frames`` are views: they are valid until the next :meth:`add`."""
        frames = [self._pool[seed, :used].cpu().numpy() for seed, used in enumerate(self._used)]
        joined = np.empty(self._seeds, dtype=object)  # seeds differ in how many frames they hold
        for seed, held in enumerate(frames):
            joined[seed] = held
        return {
            "slots": self._rows[:, : self._filled].copy(),
            "frames": frames[0][None] if self._seeds == 1 else joined,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`; ``frames[s]`` are those of one seed."""
        rows = np.asarray(state["slots"])
        self._filled = rows.shape[1]
        self._rows[:, : self._filled] = rows
        self._used = [len(frames) for frames in state["frames"]]
        self._reach(max(self._used))
        self._uses[:] = 0
        for seed, frames in enumerate(state["frames"]):
            if self._host is not None:
                self._host[seed, : len(frames)] = frames
            else:
                self._pool[seed, : len(frames)].copy_(torch.from_numpy(np.array(frames)))
            np.add.at(self._uses[seed], rows[seed].ravel(), 1)
            self._free[seed] = np.flatnonzero(self._uses[seed, : len(frames)] == 0).tolist()
        self._last = None

    @property
    def _numpy_dtype(self) -> np.dtype:
        return torch.empty(0, dtype=self._dtype).numpy().dtype

    def _first_slots(self, length: int) -> int:
        """Slots to begin with: all that could be needed where they are free, else a frame a row and some."""
        if self._device.type == "cpu":
            return (length + 1) * self._n_envs * 2 * self._stack
        return (length + length // 16 + 2 * self._stack) * self._n_envs

    def _make_pool(self, slots: int) -> torch.Tensor:
        shape = (self._seeds, slots, *self._frame)
        if self._device.type != "cpu":
            return torch.empty(shape, dtype=self._dtype, device=self._device)
        size = math.prod(shape) * self._dtype.itemsize
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        self._host = np.frombuffer(memory, dtype=self._numpy_dtype).reshape(shape)
        return torch.from_numpy(self._host)

    def _reach(self, slots: int) -> None:
        """Make more slots where there are not as many, at least a quarter more."""
        if slots <= self._slots:
            return
        before, self._slots = self._slots, max(slots, self._slots * 5 // 4)
        pool = self._make_pool(self._slots)
        pool[:, :before].copy_(self._pool)
        self._pool = pool
        self._uses = np.pad(self._uses, ((0, 0), (0, self._slots - before)))

    def _keep(self, obs: np.ndarray, last: _Shown | None) -> _Shown:
        """Find the frames of ``obs [R, *obs_shape]`` among the last ones, and keep those that are new."""
        obs = np.array(obs, order="C")  # the caller's may change
        planes = np.moveaxis(obs, -1, 1) if self._last_axis else obs
        words = np.ascontiguousarray(planes).reshape(len(obs), self._stack, -1).view(self._word)
        slots = np.full((len(obs), self._stack), -1)
        missing = np.arange(len(obs))  # rows not found yet
        for shift in range(self._stack):
            if last is None or not len(missing):
                break
            same = (words[missing, 0] == last.words[missing, shift]).all(-1)
            if same.any():
                found = missing[same]
                rest = words[found, 1 : self._stack - shift] == last.words[found, shift + 1 :]
                same[same] = rest.all((-2, -1))
                found = missing[same]
                slots[found, : self._stack - shift] = last.slots[found, shift:]
                missing = missing[~same]
        for plane in range(self._stack):
            new = np.flatnonzero(slots[:, plane] < 0)
            if plane and len(new):  # the first stack of an episode repeats one frame
                same = (words[new, plane] == words[new, plane - 1]).all(-1)
                slots[new[same], plane] = slots[new[same], plane - 1]
                new = new[~same]
            if len(new):
                slots[new, plane] = self._store(new, words[new, plane])
        return _Shown(obs, words, slots)

    def _store(self, rows: np.ndarray, words: np.ndarray) -> list[int]:
        """Put one frame of each of the ``rows`` into free slots of its seed; give the slots."""
        seeds = (rows // self._n_envs).tolist()
        slots = [self._claim(seed) for seed in seeds]
        frames = words.view(self._numpy_dtype).reshape(len(rows), *self._frame)
        if self._host is not None:
            self._host[seeds, slots] = frames
        else:
            at = torch.tensor(seeds, device=self._device), torch.tensor(slots, device=self._device)
            self._pool.index_put_(at, torch.from_numpy(frames).to(self._device))
        return slots

    def _claim(self, seed: int) -> int:
        if self._free[seed]:
            return self._free[seed].pop()
        self._used[seed] += 1
        self._reach(self._used[seed])
        return self._used[seed] - 1

    def _gather(self, slots: np.ndarray) -> torch.Tensor:
        """Give the observations ``[S, B, *obs_shape]`` whose frames are at ``slots [S, B, K]``."""
        index = torch.from_numpy(slots.reshape(-1)).to(self._device)
        frames = self._pool.flatten(0, 1).index_select(0, index)
        if self._last_axis:
            return frames.view(*slots.shape, *self._frame).movedim(2, -1).contiguous()
        return frames.view(*slots.shape[:2], *self._obs_shape)


def _same_bytes(one: np.ndarray, other: np.ndarray) -> bool:
    """Compare bytes: NaN is NaN here, and 0.0 is not -0.0."""
    return np.array_equal(np.ascontiguousarray(one).view(np.uint8), other.view(np.uint8))
