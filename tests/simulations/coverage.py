"""How often intervals cover what they estimate, and how often those that are not marked as weak do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from simulations.shapes import Shape, shapes

from rlbench.analysis.aggregates import STATISTICS, Runs, suite_doubts
from rlbench.analysis.intervals import doubts, student_t, welch

SIZES = (3, 5, 7, 10, 15, 20, 30)
PAIRED_SIZES = ((5, 5), (10, 10), (20, 20), (30, 30), (10, 20), (10, 30))
RUNS = (3, 5, 10, 15, 20)
ENVIRONMENTS = (2, 5, 10)

Row = dict[str, object]


def marked(scores: np.ndarray) -> np.ndarray:
    """Say which samples ``[..., n]`` have an interval that is marked as weak: ``[...]``."""
    return np.any(list(doubts(scores).values()), axis=0)


def of_means(samples: int, seed: int = 0) -> Iterator[Row]:
    """Simulate Student's t interval of the mean for every shape and size."""
    for index, (shape, n) in enumerate(itertools.product(shapes(), SIZES)):
        scores = shape.draw(np.random.default_rng([seed, 1, index]), (samples, n))
        low, high = student_t(scores.mean(axis=-1), scores.std(axis=-1, ddof=1), np.array(n))
        hit = (low <= shape.mean) & (shape.mean <= high)
        yield {"kind": shape.kind, "shape": shape.name, "n": n, **_shares(hit, ~marked(scores))}


def of_differences(samples: int, seed: int = 0) -> Iterator[Row]:
    """Simulate Welch's interval: each shape against itself, against thrice its spread, against normal."""
    kinds: dict[str, Callable[[Shape], Shape]] = {
        "itself": lambda shape: shape,
        "thrice its spread": lambda shape: Shape(
            shape.kind, "", lambda rng, size: 3 * shape.draw(rng, size), 3 * shape.mean, 3 * shape.deviation
        ),
        "normal": lambda shape: Shape(
            "normal",
            "",
            lambda rng, size: rng.normal(shape.mean, shape.deviation, size),
            shape.mean,
            shape.deviation,
        ),
    }
    for index, (shape, against, (n, m)) in enumerate(itertools.product(shapes(), kinds, PAIRED_SIZES)):
        other = kinds[against](shape)
        rng = np.random.default_rng([seed, 2, index])
        first, second = shape.draw(rng, (samples, n)), other.draw(rng, (samples, m))
        low, high = welch_ends(first, second)
        hit = (low <= shape.mean - other.mean) & (shape.mean - other.mean <= high)
        yield {
            "kind": shape.kind,
            "shape": shape.name,
            "against": against,
            "n": n,
            "m": m,
            **_shares(hit, ~(marked(first) | marked(second))),
        }


def _shares(hit: np.ndarray, unmarked: np.ndarray) -> Row:
    """Give coverage overall, the share of unmarked samples, and coverage of those."""
    return {
        "coverage": round(float(hit.mean()), 4),
        "unmarked": round(float(unmarked.mean()), 4),
        "coverage_unmarked": round(float(hit[unmarked].mean()), 4) if unmarked.any() else None,
        "samples_unmarked": int(unmarked.sum()),
    }
