"""Comparisons that are decided while seeds come in: group-sequential permutation tests.

The idea is AdaStop's (Mathieu et al. 2023): seeds come in groups, after each group every undecided pair is
tested against those permutations of its scores within groups that have not been rejected before, and an equal
part of the family-wise error may be spent each time. AdaStop takes the largest difference of means over all
pairs, which needs one scale. Here a family spans environments: a pair has a test of its own, with Welch's t,
whose bound rests on nothing but that pair, and the correction is Holm's (1979), group-sequential as in Maurer
and Bretz (2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from rlbench.analysis.comparisons import EXACT_SPLITS, LEVEL, subset_sums, welch_extremity
from rlbench.analysis.intervals import spread
from rlbench.results.journal import Decision, Verdict

PATHS = 100_000
"""How many ways to split all groups a test counts, its own one included."""

STREAM = 0
"""The seed of the random splits."""

_TIE = 1e-10  # sums in another order differ a little


def decide(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    interims: int,
    looks: int | None = None,
    *,
    level: float = LEVEL,
    paths: int = PATHS,
    stream: int = STREAM,
) -> list[Decision]:
    """Decide each pair of ``[groups, group]`` scores as early as the family-wise error ``level`` allows.

    A pair is looked at after each of its first ``looks`` groups (all that are there), of at most
    ``interims``, until it is decided; what comes later is not read. Gives what each open pair said at each
    interim. The family are all ``pairs``: the chance to call any of them larger or smaller whose scores have
    one distribution is at most ``level``, whichever pairs those are and whatever the others do.

    A missing score is NaN. A pair is then decided only if it also is with the missing scores of the side that
    leads the worst, and those of the other the best, of all scores of the pair so far.
    """
    if looks is None:
        looks = min((len(side) for pair in pairs for side in pair), default=0)
    strengths = [
        _strengths(first[:looks], second[:looks], len(pairs), lambda: _Walk(interims, level, paths, stream))
        for first, second in pairs
    ]
    undecided = dict(enumerate(pairs))
    found = []
    for interim in range(1, looks + 1):
        now = {test: strengths[test][min(interim, len(strengths[test])) - 1] for test in undecided}
        passed: set[int] = set()
        while more := {test for test in now if now[test] >= len(now) - len(passed)} - passed:
            passed |= more
        for test, (first, second) in list(undecided.items()):
            verdict: Verdict = "undecided"
            if test in passed:
                verdict = "larger" if _lead(first[:interim], second[:interim]) > 0 else "smaller"
                del undecided[test]
            scores = [int(np.isfinite(side[:interim]).sum()) for side in (first, second)]
            found.append(Decision(test, interim, verdict, *scores))
    return found


def attainable(group: int, interims: int, tests: int, level: float = LEVEL, paths: int = PATHS) -> bool:
    """Say whether any scores at all could decide one of ``tests`` pairs by the last interim."""
    splits = math.comb(2 * group, group) ** interims
    return 2 / splits <= level / tests and paths * level >= tests


def _strengths(first: np.ndarray, second: np.ndarray, most: int, start: Callable[[], _Walk]) -> list[int]:
    """Give how large a family the pair would pass in by each interim, up to ``most``, where it ends."""
    walk, found = start(), []
    for interim in range(1, len(first) + 1):
        walk.add(first[interim - 1], second[interim - 1])
        strength = walk.strength(most)
        if strength:
            strength = min(strength, _worst(first[:interim], second[:interim], strength, start))
        found.append(strength)
        if strength == most:
            break
    return found


def _worst(first: np.ndarray, second: np.ndarray, most: int, start: Callable[[], _Walk]) -> int:
    """Give the strength with the missing scores of who leads the worst seen, and the other's the best."""
    lead = _lead(first, second)
    missing = [~np.isfinite(side) for side in (first, second)]
    if not np.any(missing):
        return most if lead else 0
    seen = np.concatenate([side[np.isfinite(side)] for side in (first, second)])
    ends = (seen.min(), seen.max()) if lead > 0 else (seen.max(), seen.min())
    sides = [np.where(gap, end, side) for gap, end, side in zip(missing, ends, (first, second), strict=True)]
    if _lead(*sides) * lead <= 0:
        return 0
    walk = start()
    for groups in zip(*sides, strict=True):
        walk.add(*groups)
    return walk.strength(most)


def _lead(first: np.ndarray, second: np.ndarray) -> float:
    """Give the difference of the means of all scores that are there."""
    return float(np.nanmean(first) - np.nanmean(second))


class _Walk:
    """One pair's statistic along every path of splits, a path being one split of each group.

    Path 0 is the split that was run; the others are random, drawn once. Where the two sides have one
    distribution, the path that was run could have been any of them, so that it is among the rejected
    with a probability of at most their part of all, however random the rest (Phipson and Smyth 2010). By
    interim k that part is ``level k / interims / tests``: those not rejected before whose statistic is
    largest.
    """

    def __init__(self, interims: int, level: float, paths: int, stream: int) -> None:
        self._interims, self._level, self._paths, self._stream = interims, level, paths, stream
        self._tops: list[tuple[np.ndarray, np.ndarray]] = []  # by interim: paths and statistic, largest first
        self._leads: list[float] = []  # by interim: of the path that was run, nearly 0 taken as 0
        self._sizes = np.zeros(2, dtype=int)
        self._total = self._squares = 0.0
        self._origin, self._scale = 0.0, 1.0
        self._sums = self._sums_of_squares = self._values = np.empty(0)

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        """Take one more group of scores a side, ``[n]`` and ``[m]``; NaN are passed over."""
        first, second = (side[np.isfinite(side)].astype(float) for side in (first, second))
        pooled = np.concatenate([first, second])
        if not self._tops:
            self._begin(pooled, math.comb(len(pooled), len(first)))
        pooled = (pooled - self._origin) / self._scale  # neither matters to the statistic
        sums, squares = self._splits(pooled, len(first))
        self._sums += sums
        self._sums_of_squares += squares
        self._total += pooled.sum()
        self._squares += (pooled**2).sum()
        self._sizes += [len(first), len(second)]
        self._values = np.concatenate([self._values, pooled])
        n, m = np.maximum(self._sizes, 1)
        lead = float(self._sums[0] / n - (self._total - self._sums[0]) / m)
        self._leads.append(lead if abs(lead) > _TIE else 0.0)
        self._tops.append(self._top())

    def _begin(self, pooled: np.ndarray, splits: int) -> None:
        """Choose the number of paths, so that each split of the first group is in equally many."""
        if splits <= self._paths:
            self._paths -= self._paths % splits
        self._sums, self._sums_of_squares = np.zeros(self._paths), np.zeros(self._paths)
        self._origin = pooled.mean() if len(pooled) else 0.0
        self._scale = float(np.abs(pooled - self._origin).max(initial=0.0)) or 1.0

    def _splits(self, pooled: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the sum, and that of squares, of the first side of this group's split in each path."""
        interim = len(self._tops)
        rng = np.random.default_rng([self._stream, interim])
        splits = math.comb(len(pooled), size)
        if splits <= EXACT_SPLITS:
            if interim or splits > self._paths:
                chosen = rng.integers(splits, size=self._paths)
                chosen[0] = 0  # the first subset is that of the first values
            else:
                chosen = np.arange(self._paths) % splits
            return subset_sums(pooled, size)[chosen], subset_sums(pooled**2, size)[chosen]
        sums, squares = np.empty(self._paths), np.empty(self._paths)
        for start in range(0, self._paths, 10_000):
            rows = np.tile(pooled, (min(10_000, self._paths - start), 1))
            part = rng.permuted(rows, axis=1)[:, :size]
            sums[start : start + len(part)] = part.sum(axis=1)
            squares[start : start + len(part)] = (part**2).sum(axis=1)
        sums[0], squares[0] = pooled[:size].sum(), (pooled[:size] ** 2).sum()
        return sums, squares

    def _top(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the paths that can be among those rejected now, with one to spare, and their statistic."""
        n, m = self._sizes
        if min(n, m) < 2 or spread(self._values) == 0:
            return np.empty(0, dtype=int), np.empty(0)
        values = welch_extremity(self._sums, self._sums_of_squares, n, m, self._total, self._squares)
        interim = len(self._tops) + 1
        count = min(self._budget(interim, 1) + 1, self._paths)
        paths = np.argpartition(-values, count - 1)[:count]
        paths = paths[np.argsort(-values[paths], kind="stable")]
        return paths, values[paths]

    def _budget(self, interim: int, tests: int) -> int:
        """Give how many paths may be rejected by this interim in a family of ``tests``."""
        return int(self._level * self._paths * interim / (self._interims * tests) + 1e-9)

    def strength(self, limit: int) -> int:
        """Give the largest family, of up to ``limit`` tests, in which the run is rejected by now.

        It is also rejected, to the same side, in every smaller one, which Holm's steps rely on.
        """
        return next((tests - 1 for tests in range(1, limit + 1) if not self._rejects(tests)), limit)

    def _rejects(self, tests: int) -> bool:
        """Say whether the path that was run is rejected by now at ``level / tests``, and still leads as then.

        A path crosses its boundary to one side: scores since that turn the lead do not decide the other way.
        """
        rejected = np.zeros(self._paths, dtype=bool)
        spent = 0
        for interim, (paths, values) in enumerate(self._tops, start=1):
            budget = self._budget(interim, tests)
            alive = np.flatnonzero(~rejected[paths[: budget + 1]])
            drops = values[alive][:-1] - values[alive][1:] > _TIE  # equal ones are rejected together or not
            whole = np.flatnonzero(drops[: budget - spent])
            if len(whole):
                now = paths[alive[: whole[-1] + 1]]
                if 0 in now:
                    return self._leads[interim - 1] * self._leads[-1] > 0
                rejected[now] = True
                spent += len(now)
        return False
