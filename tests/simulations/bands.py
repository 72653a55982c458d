"""How often bootstrap intervals over environments cover what they estimate, and those that are not marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from simulations import resampling
from simulations.coverage import Row, shares
from simulations.suites import Suite, suites

from rlbench.analysis.aggregates import FEWEST_RUNS

RUNS = (3, 5, 10, 20, 30, 40)
ENVIRONMENTS = (2, 5, 10)
ABOVE = (0.9, 0.7, 0.5, 0.3, 0.1)
"""True shares near which thresholds of profiles are taken."""

LEADS = (0, 0.05, 0.15)
"""How far all scores of the first algorithm are moved above the second's."""

_FEWER = 10  # times fewer experiments where all intervals are marked
_AT_ONCE = 32  # experiments that share their draws
_GRID = 0.02  # between thresholds of the report
_NEITHER_NONE_NOR_ALL = (0.05, 0.95)

Cases = dict[str, tuple[dict[str, object], float]]
"""By name: what a row says of it, and the true value."""

Resampled = Callable[[np.random.Generator, int, int], dict[str, np.ndarray]]
"""From ``rng, experiments, runs`` to resampled values ``[E, R]`` by name."""


def of_aggregates(most: int, seed: int = 1) -> Iterator[Row]:
    """Simulate the intervals of the four statistics, those of many runs ``most`` often."""

    def prepare(suite: Suite) -> tuple[Cases, Resampled]:
        def resampled(rng: np.random.Generator, experiments: int, n: int) -> dict[str, np.ndarray]:
            scores = suite.experiments(rng, experiments, n)
            return resampling.aggregates(scores, resampling.drawn(rng, *scores.shape[1:]))

        return {name: ({"statistic": name}, value) for name, value in suite.truth().items()}, resampled

    return _simulated(prepare, [seed, 3], RUNS, most)


def of_profiles(most: int, seed: int = 1) -> Iterator[Row]:
    """Simulate the bands of performance profiles at thresholds with given shares of runs above them."""

    def prepare(suite: Suite) -> tuple[Cases, Resampled]:
        runs = np.concatenate(suite.many())
        thresholds = np.unique(np.round(np.quantile(runs, 1 - np.array(ABOVE)) / _GRID) * _GRID)
        true = {threshold: float((runs > threshold).mean()) for threshold in thresholds.tolist()}
        low, high = _NEITHER_NONE_NOR_ALL
        kept = {f"{at:.2f}": (at, share) for at, share in true.items() if low < share < high}

        def resampled(rng: np.random.Generator, experiments: int, n: int) -> dict[str, np.ndarray]:
            scores = suite.experiments(rng, experiments, n)
            counts = resampling.drawn(rng, *scores.shape[1:])
            return {name: resampling.above(scores, at, counts) for name, (at, _) in kept.items()}

        return {name: ({"above": round(share, 2)}, share) for name, (_, share) in kept.items()}, resampled

    return _simulated(prepare, [seed, 4], RUNS[1:], most)


def of_improvements(most: int, seed: int = 1) -> Iterator[Row]:
    """Simulate the intervals of probabilities of improvement over an algorithm that scores a little less."""

    def prepare(suite: Suite) -> tuple[Cases, Resampled]:
        def resampled(rng: np.random.Generator, experiments: int, n: int) -> dict[str, np.ndarray]:
            first, second = (suite.experiments(rng, experiments, n) for _ in range(2))
            counts, others = (resampling.drawn(rng, *first.shape[1:]) for _ in range(2))
            return {
                str(lead): resampling.improvement(first + np.float32(lead), second, counts, others)
                for lead in LEADS
            }

        cases: Cases = {}
        for lead in LEADS:
            true = suite.improvement(lead)
            cases[str(lead)] = {"lead": lead, "probability": round(true, 2)}, true
        return cases, resampled

    return _simulated(prepare, [seed, 5], RUNS[1:], most)


def _simulated(
    prepare: Callable[[Suite], tuple[Cases, Resampled]], stream: list[int], runs: tuple[int, ...], most: int
) -> Iterator[Row]:
    """Give a row for each suite, number of runs and case."""
    for m in ENVIRONMENTS:
        for index, suite in enumerate(suites(m)):
            cases, resampled = prepare(suite)
            for n in runs:
                experiments = most if n >= FEWEST_RUNS else max(1, most // _FEWER)
                rng = np.random.default_rng([*stream, m, index, n])
                hits, unmarked = (np.empty((len(cases), experiments), dtype=bool) for _ in range(2))
                for start in range(0, experiments, _AT_ONCE):
                    part = slice(start, min(start + _AT_ONCE, experiments))
                    found = resampled(rng, part.stop - part.start, n)
                    for place, (name, (_, truth)) in enumerate(cases.items()):
                        hits[place, part], unmarked[place, part] = resampling.covers(found[name], truth, n)
                for place, (said, _) in enumerate(cases.values()):
                    names = {"kind": suite.kind, "suite": suite.name, **said, "environments": m, "n": n}
                    yield {**names, **shares(hits[place], unmarked[place])}
