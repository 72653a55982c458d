"""Means of what a learner measures, over windows of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch


class Window:
    """Adds up measurements ``[S]`` on the device and gives their means about a hundred times a run.

    Nothing is copied to the host before the window is due, so measuring costs no synchronisation. Every
    window gives every name; a seed that measured nothing in it is masked, whatever its companions did. (NaN
    would say that its numbers stopped being finite.)
    """

    def __init__(
        self, names: Sequence[str], seeds: int, steps: int, device: str | torch.device, *, windows: int = 100
    ) -> None:
        self._names = tuple(names)
        self._every = max(steps // windows, 1)
        self._due = self._every
        self._sums = torch.zeros((len(self._names), seeds), dtype=torch.float64, device=device)
        self._counts = np.zeros(seeds, dtype=np.int64)

    def add(self, values: Mapping[str, torch.Tensor], mask: np.ndarray | None = None) -> None:
        """Take one measurement ``[S]`` of every name; where a ``mask [S]`` is given, of its seeds alone."""
        measured = torch.stack([values[name].detach() for name in self._names])  # [names, S]
        if mask is None:
            self._sums += measured
            self._counts += 1
        else:
            self._sums += torch.where(torch.from_numpy(mask).to(measured.device), measured, 0.0)
            self._counts += mask

    def collect(self, steps: int) -> dict[str, np.ndarray] | None:
        """Give the means ``[S]`` when the window that ends before ``steps`` is due, else ``None``."""
        if steps < self._due:
            return None
        self._due = (steps // self._every + 1) * self._every
        sums = self._sums.cpu().numpy()
        means = sums / np.maximum(self._counts, 1)  # [names, S]
        unmeasured = self._counts == 0
        self._sums.zero_()
        self._counts[:] = 0
        return {
            name: np.ma.array(mean, mask=unmeasured) for name, mean in zip(self._names, means, strict=True)
        }

    def state_dict(self) -> dict[str, Any]:
        """The sums so far, ``[S, names]``, and how many measurements they hold, ``[S]``."""
        return {"due": self._due, "counts": self._counts.copy(), "sums": self._sums.T.cpu().numpy().copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self._due = int(state["due"])
        self._counts[:] = state["counts"]
        self._sums.copy_(torch.from_numpy(np.array(state["sums"]).T))
