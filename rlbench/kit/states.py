"""The state of a learner, put together from the states of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Part(Protocol):
    """Anything whose state can be taken and given back."""

    def state_dict(self) -> dict[str, Any]:
        """A tree of dicts, arrays with ``S`` in front, and JSON scalars.

        Large arrays are no copies, so as not to fill the memory twice: they are valid until the next step.
        """

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""


def collect(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Give the states of all parts by name."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore(parts: Mapping[str, Part], state: Mapping[str, Any]) -> None:
    """Give every part its state back."""
    for name, part in parts.items():
        part.load_state_dict(state[name])
