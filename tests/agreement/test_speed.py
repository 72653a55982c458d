"""How much faster than rliable the bootstrap is: both in one process, in turn. Run by ``tox -e rliable``.

Processor time counts, not the clock: both use one thread, and what else the machine does is then left out.
Ours is the mean of ten calls, as one is too short to measure.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
from rliable import library, metrics

from rlbench.analysis.aggregates import Runs, bootstrap, every_statistic, iqm, mean

RESAMPLES = 50_000
ROUNDS = 3
LEAST = 50  # times as fast
EVERY = [
    metrics.aggregate_iqm,
    metrics.aggregate_mean,
    metrics.aggregate_median,
    metrics.aggregate_optimality_gap,
]


def seconds(work: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


@pytest.mark.parametrize(
    ("statistic", "reference"),
    [
        (iqm, lambda x: np.array([metrics.aggregate_iqm(x)])),
        (mean, lambda x: np.array([metrics.aggregate_mean(x)])),
        (every_statistic, lambda x: np.array([reference(x) for reference in EVERY])),
    ],
    ids=["iqm", "mean", "all four"],
)
def test_resamples_of_ten_runs_on_five_environments(request, statistic, reference):
    scores = np.random.default_rng(0).normal(0.6, 0.5, (10, 5))
    ratios = []
    for _ in range(ROUNDS):
        theirs = seconds(lambda: library.get_interval_estimates({"a": scores}, reference, reps=RESAMPLES), 1)
        ours = seconds(lambda: bootstrap(statistic, Runs.of(list(scores.T)), resamples=RESAMPLES), 10)
        ratios.append(theirs / ours)
        print(f"{request.node.name}: rliable {theirs:.2f} s, rlbench {ours:.4f} s, {ratios[-1]:.0f} times")
    assert statistics.median(ratios) >= LEAST
