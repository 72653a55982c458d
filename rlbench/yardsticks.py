"""What scores are measured against: the scale of a problem, and figures that others published for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def problem(env: str, env_kwargs: Mapping[str, Any], max_episode_steps: Any) -> str:
    """Name what returns are comparable on: ``FrozenLake-v1 [is_slippery=false, max_episode_steps=100]``."""
    arguments = [f"{name}={json.dumps(value, sort_keys=True)}" for name, value in sorted(env_kwargs.items())]
    return f"{env} [{', '.join([*arguments, f'max_episode_steps={max_episode_steps}'])}]"


def problems_of(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the names of a trial's problem, from its identity as in ``trial.json``.

    The environment as it was asked for comes first, then without the prefix of its backend: what holds for a
    problem holds for it in every backend.
    """
    env = str(trial.get("env", ""))
    rest = trial.get("env_kwargs") or {}, trial.get("max_episode_steps")
    return tuple(dict.fromkeys(problem(name, *rest) for name in (env, env.rpartition(":")[2])))


@dataclass(frozen=True)
class ReferenceSpec:
    """The scale of one problem's scores: 0 is a uniformly random policy, 1 the reference.

    A problem is an environment with its arguments under a time limit; an ``env`` without a backend's prefix
    means that environment in every backend. ``source`` says where both numbers come from. Published scores
    depend on them, so a number that changes takes another ``version``. Raises ``ValueError`` for numbers that
    give no scale.
    """

    env: str
    random: float
    reference: float
    max_episode_steps: int
    source: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1

    def __post_init__(self) -> None:
        finite = math.isfinite(self.random) and math.isfinite(self.reference)
        if not finite or self.random == self.reference:
            raise ValueError(
                f"the reference of {self.name!r} runs from {self.random} to {self.reference}; "
                "give two different finite numbers"
            )

    @property
    def name(self) -> str:
        """The problem."""
        return problem(self.env, self.env_kwargs, self.max_episode_steps)

    def normalise(self, score: float) -> float:
        """Give ``(score - random) / (reference - random)``: 0 for a random policy, 1 for the reference."""
        return (score - self.random) / (self.reference - self.random)


@dataclass(frozen=True, kw_only=True)
class BaselineSpec:
    """A figure that somebody published for one problem, to stand beside one's own scores.

    ``spread`` is what stands behind the source's ±, or ``None``; ``protocol`` says in a few words how the
    figure came about and what the ± is of; ``steps`` is the training budget. The problem is named as in
    :class:`ReferenceSpec`.
    """

    env: str
    algorithm: str
    project: str
    score: float
    steps: int
    seeds: int
    protocol: str
    document: str
    url: str
    max_episode_steps: int
    spread: float | None = None
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """What the figure holds for."""
        return problem(self.env, self.env_kwargs, self.max_episode_steps)

    @property
    def name(self) -> str:
        """Whose figure it is, and of what."""
        return f"{self.project}: {self.algorithm} on {self.problem} after {self.steps:_}"


@dataclass(frozen=True, kw_only=True)
class ScoreContext:
    """What a metric can know of a trial beside its evaluations.

    ``trial`` is the trial's identity as in ``trial.json``; ``reference`` is the scale of its problem, or
    ``None``.
    """

    trial: Mapping[str, Any]
    reference: ReferenceSpec | None = None
