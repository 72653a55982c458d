"""Which observation and action spaces the harness supports, and whether observations keep to theirs."""

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


def checked_dtype(obs: Any, space: Any, env: str) -> np.dtype:
    """Give the dtype of an observation that fits its ``space``: its shape, and a dtype of that kind.

    A wider dtype fits (``float64`` for ``float32``, as gymnasium lets it); one of another kind, which would
    lose what the numbers mean, does not. Raises ``ValueError`` that names ``env`` for what does not fit.
    """
    expected = f"{env} declares observations of shape {space.shape or ()} and type {space.dtype}"
    cure = "mend the environment, or the space that it declares"
    try:
        array = np.asarray(obs)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{expected}, and gave one that is no array: {_short(obs)}; {cure}") from None
    if array.shape != (space.shape or ()) or not np.can_cast(array.dtype, space.dtype, "same_kind"):
        raise ValueError(f"{expected}, and gave one of shape {array.shape} and type {array.dtype}; {cure}")
    return array.dtype


def _short(space: Any) -> str:
    text = " ".join(repr(space).split())
    return text if len(text) <= 80 else text[:77] + "..."
