"""How often equal algorithms are called different, and how often different ones are found so."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from rlbench.analysis.comparisons import EXACT_SPLITS, LEVEL, RESAMPLES, holm, smallest_p

Row = dict[str, object]
STAGES = (500, 5_000)  # random splits, after which pairs that are clear of the bar are let go
ALGORITHMS = (2, 3, 5, 10)


class Splits:
    """The splits that ``permutation_p`` counts for groups of ``n`` and ``m``, for many pairs at a time.

    Its p-values are the same: every split where there are few, else the same random ones. Of equal groups'
    splits one of each and its mirror is enough.
    """

    def __init__(self, n: int, m: int, seed: int = 0) -> None:
        total, self.small = n + m, min(n, m)
        self.n, self.large = n, max(n, m)
        self.exact = math.comb(total, self.small) <= EXACT_SPLITS
        rng = np.random.default_rng(seed)
        if self.exact:
            chosen = np.array(list(itertools.combinations(range(total), self.small)))
            if n == m:
                chosen = chosen[: len(chosen) // 2]  # those that hold the first score
            chosen = rng.permutation(chosen, axis=0)
        else:
            counts = [min(10_000, RESAMPLES - start) for start in range(0, RESAMPLES, 10_000)]
            drawn = [rng.permuted(np.tile(np.arange(total), (count, 1)), axis=1) for count in counts]
            chosen = np.concatenate(drawn)[:, : self.small]
        self.masks = np.zeros((len(chosen), total))
        np.put_along_axis(self.masks, chosen, 1.0, axis=1)

    def p(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Give the p-values of pairs of samples ``[C, n]`` and ``[C, m]``: ``[C]``."""
        extreme = self.extreme(first, second, len(self.masks))
        return extreme / len(self.masks) if self.exact else (extreme + 1) / (RESAMPLES + 1)

    def rejects(self, first: np.ndarray, second: np.ndarray, bar: float) -> np.ndarray:
        """Say whose p-value is at most ``bar``: ``[C]``.

        Pairs of which some of the splits show that they are not, by four standard errors, are let go.
        """
        left = np.arange(len(first))
        for count in STAGES:
            if count < len(self.masks) / 4:
                extreme = self.extreme(first[left], second[left], count)
                left = left[extreme <= bar * count + 4 * math.sqrt(bar * count)]
        found = np.zeros(len(first), dtype=bool)
        found[left] = self.p(first[left], second[left]) <= bar
        return found

    def extreme(self, first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
        """Count which of so many splits are as extreme as the one at hand: ``[C]``."""
        pooled = np.concatenate([first, second], axis=-1)
        pooled = pooled - pooled.mean(axis=-1, keepdims=True)
        pooled /= np.abs(pooled).max(axis=-1, keepdims=True)
        at_once = max(1, 2**18 // count)
        counts = np.empty(len(pooled), dtype=int)
        for start in range(0, len(pooled), at_once):
            counts[start : start + at_once] = self._extreme(pooled[start : start + at_once], count)
        return counts

    def _extreme(self, pooled: np.ndarray, count: int) -> np.ndarray:
        own = pooled[:, : self.n] if self.n == self.small else pooled[:, self.n :]
        observed = self._extremity(pooled, own.sum(axis=-1), (own**2).sum(axis=-1)) - 1e-10
        masks = self.masks[:count]
        values = self._extremity(pooled, masks @ pooled.T, masks @ (pooled**2).T)
        return np.count_nonzero(values >= observed, axis=0)

    def _extremity(self, pooled: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Give ``t^2 / (1 + t^2)`` with Welch's t."""
        n, m = self.small, self.large
        rest, rest_squares = pooled.sum(axis=-1) - sums, (pooled**2).sum(axis=-1) - squares
        within = np.maximum(squares - sums**2 / n, 0) / (n * (n - 1))
        within += np.maximum(rest_squares - rest**2 / m, 0) / (m * (m - 1))
        difference = (sums / n - rest / m) ** 2
        return np.asarray(difference / (difference + within))


splits = cache(Splits)

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _normal(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(size)


def _stuck(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(size) < 0.2, -4.0, 1.0) + 0.1 * rng.standard_normal(size)


def _two(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(size) < 0.5, -1.0, 1.0) + 0.1 * rng.standard_normal(size)


@dataclass(frozen=True)
class Null:
    """Algorithms of equal means: of one distribution, times the scales, with numbers of seeds, in turn."""

    name: str
    draw: Draw
    scales: Sequence[float] = (1.0,)
    sizes: Sequence[float] = (1.0,)  # of n
    far_apart: bool = False  # the second half of the algorithms is far better: only pairs within count
    exchangeable: bool = True


def nulls() -> list[Null]:
    """Give every kind of null that is simulated."""
    skewed = stats.expon(loc=-1).ppf
    return [
        Null("normal", _normal),
        Null("exponential", lambda rng, size: skewed(rng.random(size))),
        Null("log-normal, skew 6.2", lambda rng, size: rng.lognormal(size=size) - math.exp(0.5)),
        Null("50/50 mixture", _two),
        Null("80/20 mixture", _stuck),
        Null("normal, half of them far better", _normal, far_apart=True),
        Null("normal, n and 2 n in turn", _normal, sizes=(1, 2)),
        Null("normal, spreads 1 and 3 in turn", _normal, scales=(1, 3), exchangeable=False),
        Null("exponential, spreads 1 and 3 in turn", lambda rng, size: skewed(rng.random(size)),
             scales=(1, 3), exchangeable=False),
        Null("normal, n with spread 3 and 2 n with 1", _normal, scales=(3, 1), sizes=(1, 2),
             exchangeable=False),
    ]  # fmt: skip


def family(null: Null, algorithms: int, n: int) -> tuple[list[int], list[tuple[int, int]], list[bool]]:
    """Give the numbers of seeds of the algorithms, all pairs, and which of them have equal means."""
    sizes = [round(n * null.sizes[index % len(null.sizes)]) for index in range(algorithms)]
    pairs = list(itertools.combinations(range(algorithms), 2))
    half = algorithms // 2
    equal = [not null.far_apart or (one < half) == (other < half) for one, other in pairs]
    return sizes, pairs, equal


def drawn(null: Null, algorithms: int, n: int, families: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the scores of each algorithm in each family, ``[R, n]``."""
    sizes, _, _ = family(null, algorithms, n)
    return [
        null.scales[index % len(null.scales)] * null.draw(rng, (families, size))
        + (1000 if null.far_apart and index < algorithms // 2 else 0)
        for index, size in enumerate(sizes)
    ]


def false_alarms(null: Null, algorithms: int, n: int, families: int, rng: np.random.Generator) -> np.ndarray:
    """Say in which of ``families`` a pair of equal means is decided, as ``compare_pairs`` would: ``[R]``.

    Where some means are far apart, their pairs are decided first, if so few seeds can decide any of so many
    pairs at all, and Holm's bar is then that of the rest.
    """
    sizes, pairs, equal = family(null, algorithms, n)
    scores = drawn(null, algorithms, n, families, rng)
    alarm = np.zeros(families, dtype=bool)
    if smallest_p(max(sizes), max(sizes)) > LEVEL / len(pairs):
        return alarm
    bar = LEVEL / sum(equal)
    for (one, other), alike in zip(pairs, equal, strict=True):
        if not alike or smallest_p(sizes[one], sizes[other]) > bar:
            continue
        left = np.flatnonzero(~alarm)
        alarm[left] = splits(sizes[one], sizes[other]).rejects(scores[one][left], scores[other][left], bar)
    return alarm


def of_families(families: int, seed: int = 0) -> Iterator[Row]:
    """Simulate the family-wise error of the permutation test with Holm's correction."""
    for index, (null, algorithms, n) in enumerate(itertools.product(nulls(), ALGORITHMS, (5, 10, 20))):
        if not any(family(null, algorithms, n)[2]):
            continue
        rng = np.random.default_rng([seed, 4, index])
        alarm = false_alarms(null, algorithms, n, families, rng)
        yield {
            "null": null.name,
            "exchangeable": null.exchangeable,
            "algorithms": algorithms,
            "n": n,
            "families": families,
            "error": round(float(alarm.mean()), 4),
        }


def of_power(families: int, seed: int = 0) -> Iterator[Row]:
    """Simulate how often one algorithm, better by some standard deviations, is found better than another."""
    draws = {"normal": _normal, "80/20 mixture": lambda rng, size: _stuck(rng, size) / 2.002}
    for index, (name, algorithms, n, effect) in enumerate(
        itertools.product(draws, (2, 5), (5, 10, 20), (0.5, 1.0, 1.5, 2.0, 3.0))
    ):
        rng = np.random.default_rng([seed, 5, index])
        scores = draws[name](rng, (algorithms, families, n))
        scores[0] += effect
        pairs = list(itertools.combinations(range(algorithms), 2))
        count = min(STAGES[-1], len(splits(n, n).masks))
        p = np.stack(
            [splits(n, n).extreme(scores[one], scores[other], count) / count for one, other in pairs], axis=-1
        )
        decided = np.array([holm(row)[: algorithms - 1] <= LEVEL for row in p])
        better = np.stack([scores[0].mean(axis=-1) > other.mean(axis=-1) for other in scores[1:]], axis=-1)
        yield {
            "scores": name,
            "algorithms": algorithms,
            "n": n,
            "effect": effect,
            "power": round(float((decided & better).mean()), 3),
        }
