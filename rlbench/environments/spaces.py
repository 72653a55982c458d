"""Which observation and action spaces the harness supports."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete


def unsupported_reason(observation_space: Any, action_space: Any) -> str | None:
    """Say in one line why no algorithm can be given these spaces, or ``None`` if it can.

    Observations are ``Discrete`` or ``Box`` (images: ``uint8`` with three axes), actions ``Discrete`` or
    floating-point ``Box``; a ``Discrete`` space counts from 0.
    """
    for role, space in (("observation", observation_space), ("action", action_space)):
        shown = _short(space)
        if isinstance(space, Discrete):
            if space.start != 0:
                return f"the {role} space {shown} counts from {space.start}; wrap it to count from 0"
        elif not isinstance(space, Box):
            return f"the {role} space {shown} is not supported; only Discrete and Box are"
        elif 0 in space.shape:
            return f"the {role} space {shown} is empty; give it at least one number"
        elif role == "action" and not np.issubdtype(space.dtype, np.floating):
            return f"the action space {shown} holds {space.dtype}; Box actions must be floating-point numbers"
    return None


def _short(space: Any) -> str:
    text = " ".join(repr(space).split())
    return text if len(text) <= 80 else text[:77] + "..."
