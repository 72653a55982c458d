"""Values that change with progress: the share of the step budget that is done, from 0 to 1."""

from __future__ import annotations

from typing import Literal

ScheduleName = Literal["constant", "linear"]


def progress(done: int, total: int) -> float:
    """Give the share of ``total`` steps that is done, at most 1."""
    return min(done / total, 1.0) if total > 0 else 1.0


def scheduled(initial: float, schedule: ScheduleName, progress: float) -> float:
    """Give ``initial`` unchanged, or fallen linearly towards 0 at the end of the budget."""
    return initial * (1.0 - progress) if schedule == "linear" else initial


def interpolated(initial: float, final: float, fraction: float, progress: float) -> float:
    """Move linearly from ``initial`` to ``final`` over the first ``fraction`` of the budget; stay there."""
    if progress >= fraction:
        return final
    return initial + (final - initial) * progress / fraction
