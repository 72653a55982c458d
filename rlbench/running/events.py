"""What a worker tells the parent, as tagged msgpack records; the parent alone writes results.

Events about one trial name it by its hash; their order is the order of its rows. The others are about the
whole cohort.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rlbench.results.records import Outcome


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all events."""


class Started(Event, frozen=True):
    """The first event of a cohort: the executor yields it before it runs the cohort.

    Whoever takes it prepares the folders of the cohort's trials.
    """


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


class Checkpointed(Event, frozen=True):
    """A checkpoint of a trial was written; everything before this event belongs to it, nothing after."""

    trial: str
    step: int
    sha256: str
    clock: dict[str, float]


class NotCheckpointed(Event, frozen=True):
    """Checkpoints could not be written, most likely for want of space; the cohort goes on without them."""

    reason: str


class NotReplayable(Event, frozen=True):
    """A checkpoint's episodes could not be replayed to where they stood: its trials must start again."""

    reason: str


class Stopped(Event, frozen=True):
    """The cohort stopped because it was asked to, after a last checkpoint where it could make one."""


class Progress(Event, frozen=True):
    """How far a cohort is: ``step`` of ``steps`` (``steps`` 0: unknown)."""

    step: int
    steps: int


class Ended(Event, frozen=True):
    """The last event of a cohort, from the executor; with what went wrong where something did.

    ``died`` says that the process ended without a word, rather than by an error of the code it ran; ``log``
    is the end of what it printed.
    """

    error: str | None = None
    died: bool = False
    log: str = ""


AnyEvent = (
    Started
    | Evaluated
    | Episodes
    | Diagnostics
    | Finished
    | Checkpointed
    | NotCheckpointed
    | NotReplayable
    | Stopped
    | Progress
    | Ended
)

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyEvent).decode
