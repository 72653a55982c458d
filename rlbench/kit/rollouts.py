"""The last few steps of every seed, held until an update takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


class Rollout:
    """Named fields ``[S, T, N, ...]`` on the learner's device, filled one vector step at a time.

    ``fields`` maps names to the shape of one row and its dtype.
    """

    def __init__(
        self,
        lead: tuple[int, int, int],
        fields: Mapping[str, tuple[tuple[int, ...], torch.dtype]],
        *,
        device: str | torch.device,
    ) -> None:
        self._length = lead[1]
        self._fields = {
            name: torch.zeros((*lead, *shape), dtype=dtype, device=device)
            for name, (shape, dtype) in fields.items()
        }
        # On a CPU rows are written through numpy views: several times cheaper than torch for small arrays.
        on_host = torch.device(device).type == "cpu"
        self._host = {name: field.numpy() for name, field in self._fields.items()} if on_host else None
        self._held = 0
        self.steps = 0  # vector steps ever added

    @property
    def full(self) -> bool:
        """Whether ``T`` steps are held."""
        return self._held == self._length

    def add(self, row: Mapping[str, np.ndarray]) -> None:
        """Copy one vector step, ``[S, N, ...]`` for every field."""
        if self._host is not None:
            for name, values in row.items():
                self._host[name][:, self._held] = values
        else:
            for name, values in row.items():
                self._fields[name][:, self._held].copy_(torch.from_numpy(np.ascontiguousarray(values)))
        self._held += 1
        self.steps += 1

    def take(self) -> dict[str, torch.Tensor]:
        """Give all fields and start anew; they are valid until the next :meth:`add`."""
        self._held = 0
        return self._fields

    def state_dict(self) -> dict[str, Any]:
        """The rows held, ``[S, rows, N, ...]``."""
        rows = {name: field[:, : self._held].cpu().numpy().copy() for name, field in self._fields.items()}
        return {"held": self._held, "steps": self.steps, "rows": rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self._held, self.steps = int(state["held"]), int(state["steps"])
        for name, field in self._fields.items():
            field[:, : self._held].copy_(torch.from_numpy(np.array(state["rows"][name])))
