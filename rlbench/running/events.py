"""What a worker tells the parent, as tagged msgpack records; the parent alone writes results.

Every event but :class:`Progress` and :class:`Ended` names a trial by its hash. The order of one trial's
events is the order of its rows.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rlbench.results.records import Outcome


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all events."""


class Started(Event, frozen=True):
    """Work on a trial has begun."""

    trial: str


class Evaluated(Event, frozen=True):
    """One evaluation point; ``seconds`` since the trial started, for the timing file alone."""

    trial: str
    step: int
    actual_step: int
    returns: list[float]  # [E]
    lengths: list[int]  # [E]
    exact_value: float | None
    seconds: float


class Episodes(Event, frozen=True):
    """Training episodes that ended, in the order of their end; columns of equal length."""

    trial: str
    step: list[int]
    env_index: list[int]
    episode_return: list[float]
    episode_length: list[int]


class Diagnostics(Event, frozen=True):
    """Diagnostics of a learner (per step) or a solver (per sweep); columns of equal length."""

    trial: str
    step: list[int]
    name: list[str]
    value: list[float]


class Finished(Event, frozen=True):
    """A trial came to its end: ``finished`` or ``diverged``, with its final weights as safetensors."""

    trial: str
    status: Outcome
    step: int
    weights: bytes | None
    timing: dict[str, Any]
    error: str | None = None


class Progress(Event, frozen=True):
    """How far a cohort is: ``step`` of ``steps`` (``steps`` 0: unknown)."""

    step: int
    steps: int


class Ended(Event, frozen=True):
    """The last event of a cohort; with a traceback where it failed."""

    error: str | None = None


AnyEvent = Started | Evaluated | Episodes | Diagnostics | Finished | Progress | Ended

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyEvent).decode
