"""How much faster than rliable the bootstrap is: both in one process, in turn. Run by ``tox -e rliable``.

Processor time counts, not the clock: both use one thread, and what else the machine does is then left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
from rliable import library, metrics

from rlbench.analysis.aggregates import Runs, bootstrap, iqm, mean

RESAMPLES = 50_000
ROUNDS = 3
LEAST = 50  # times as fast


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize(
    ("statistic", "reference"),
    [(iqm, metrics.aggregate_iqm), (mean, metrics.aggregate_mean)],
    ids=["iqm", "mean"],
)
def test_resamples_of_ten_runs_on_five_environments(statistic, reference):
    scores = np.random.default_rng(0).normal(0.6, 0.5, (10, 5))
    pairs = []
    for _ in range(ROUNDS):
        theirs = seconds(
            lambda: library.get_interval_estimates(
                {"a": scores}, lambda x: np.array([reference(x)]), reps=RESAMPLES
            )
        )
        ours = seconds(lambda: bootstrap(statistic, Runs.of(list(scores.T)), resamples=RESAMPLES))
        pairs.append((theirs, ours))
        print(f"{statistic.__name__}: rliable {theirs:.2f} s, rlbench {ours:.3f} s, {theirs / ours:.0f} times")
    assert statistics.median(theirs / ours for theirs, ours in pairs) >= LEAST
