"""How often intervals of means cover what they estimate, and those that are not marked as weak."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from scipy import special
from simulations.shapes import Shape, normal, shapes

from rlbench.analysis.intervals import doubts, spreads, student_t

SIZES = (3, 5, 7, 10, 15, 20, 30)
PAIRED_SIZES = ((5, 5), (10, 10), (20, 20), (30, 30), (10, 20), (20, 10))

Row = dict[str, object]
AGAINST: dict[str, Callable[[Shape], Shape]] = {
    "itself": lambda shape: shape,
    "thrice its spread": lambda shape: shape.scaled(3),
    "normal": lambda shape: normal(shape.mean, shape.deviation),
}


def marked(scores: np.ndarray) -> np.ndarray:
    """Say which samples ``[..., n]`` have an interval that is marked as weak: ``[...]``."""
    return np.any(list(doubts(scores).values()), axis=0)


def t_interval(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of Student's t interval of samples ``[..., n]``, as the report does."""
    return student_t(scores.mean(axis=-1), scores.std(axis=-1, ddof=1), np.array(scores.shape[-1]))


def welch_intervals(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of Welch's interval of each two samples ``[..., n]`` and ``[..., m]``."""
    n, m = first.shape[-1], second.shape[-1]
    a, b = spreads(first) ** 2 / n, spreads(second) ** 2 / m
    with np.errstate(invalid="ignore"):  # no spread on either side: no interval
        freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    half = special.stdtrit(freedom, 0.975) * np.sqrt(a + b)
    difference = first.mean(axis=-1) - second.mean(axis=-1)
    return difference - half, difference + half


def of_means(samples: int, seed: int = 0) -> Iterator[Row]:
    """Simulate Student's t interval of the mean for every shape and size."""
    for index, (shape, n) in enumerate(itertools.product(shapes(), SIZES)):
        scores = shape.draw(np.random.default_rng([seed, 1, index]), (samples, n))
        low, high = t_interval(scores)
        hit = (low <= shape.mean) & (shape.mean <= high)
        yield {"kind": shape.kind, "shape": shape.name, "n": n, **shares(hit, ~marked(scores))}


def of_differences(samples: int, seed: int = 0) -> Iterator[Row]:
    """Simulate Welch's interval of the difference of every shape and another."""
    for index, (shape, against, (n, m)) in enumerate(itertools.product(shapes(), AGAINST, PAIRED_SIZES)):
        other = AGAINST[against](shape)
        rng = np.random.default_rng([seed, 2, index])
        first, second = shape.draw(rng, (samples, n)), other.draw(rng, (samples, m))
        low, high = welch_intervals(first, second)
        hit = (low <= shape.mean - other.mean) & (shape.mean - other.mean <= high)
        names = {"kind": shape.kind, "shape": shape.name, "against": against, "n": n, "m": m}
        yield {**names, **shares(hit, ~(marked(first) | marked(second)))}


def shares(hit: np.ndarray, unmarked: np.ndarray) -> Row:
    """Give coverage overall, the share of unmarked samples, and coverage of those."""
    return {
        "coverage": round(float(hit.mean()), 4),
        "samples": len(hit),
        "unmarked": int(unmarked.sum()),
        "covered_unmarked": int(hit[unmarked].sum()),
    }
