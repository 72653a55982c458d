"""The metrics that come with rlbench, through the same hook as everybody's."""

from __future__ import annotations

from collections.abc import Iterable

from rlbench.api import MetricSpec
from rlbench.hookspecs import hookimpl


@hookimpl
def rlbench_metrics() -> Iterable[MetricSpec]:
    """Yield the built-in metrics."""
    yield MetricSpec(
        "final",
        "rlbench.analysis.metrics:final",
        description="mean return of the last 10 % of evaluations, at least the last one",
    )
