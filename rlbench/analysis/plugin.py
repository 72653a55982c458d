"""The metrics and the numbers to measure against that come with rlbench, through the hooks of everybody."""

from __future__ import annotations

from collections.abc import Iterable

from rlbench.analysis import baselines, references
from rlbench.api import BaselineSpec, MetricSpec, ReferenceSpec
from rlbench.hookspecs import hookimpl

_METRICS = "rlbench.analysis.metrics:"


@hookimpl
def rlbench_metrics() -> Iterable[MetricSpec]:
    """Yield the built-in metrics."""
    yield MetricSpec(
        "final",
        _METRICS + "final",
        description="mean return of the last 10 % of evaluations, at least the last one",
    )
    yield MetricSpec(
        "auc",
        _METRICS + "area_under_curve",
        description="area under the learning curve per step, from the first evaluation to the last",
    )
    yield MetricSpec(
        "steps-to-threshold",
        _METRICS + "steps_to_threshold",
        higher_is_better=False,
        description="first evaluation 95 % of the way from random to reference, or the budget",
        needs_context=True,
    )
    yield MetricSpec(
        "threshold-reached",
        _METRICS + "threshold_reached",
        description="1 if an evaluation got 95 % of the way from random to reference, else 0",
        needs_context=True,
    )


@hookimpl
def rlbench_references() -> Iterable[ReferenceSpec]:
    """Yield the frozen table that scores are normalised by."""
    return references.references().values()


@hookimpl
def rlbench_baselines() -> Iterable[BaselineSpec]:
    """Yield the figures that other projects published."""
    return baselines.baselines()
