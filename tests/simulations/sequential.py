"""How often runs until decided call equal algorithms different, what they find, and the seeds they save.

``PYTHONPATH=tests python -m simulations.sequential`` prints the figures of ``docs/statistics.md``, with the
number of samples and of paths as its arguments (10 000 each); it takes about an hour.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from rlbench.analysis.comparisons import LEVEL, holm, subset_sums
from rlbench.analysis.intervals import welch
from rlbench.analysis.sequential import STREAM, decide

GROUP, INTERIMS = 5, 6
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
Pairs = list[tuple[np.ndarray, np.ndarray]]
Family = Callable[[np.random.Generator, str], tuple[Pairs, set[int]]]
"""Draws pairs of one shape, and says which of them are equal."""

SHAPES: Mapping[str, Draw] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "exponential": lambda rng, size: rng.exponential(size=size),
    "lognormal": lambda rng, size: rng.lognormal(sigma=1.5, size=size),
    "80 % at 500, 20 % at 100": lambda rng, size: (
        np.where(rng.random(size) < 0.2, 100, 500) + rng.normal(0, 10, size)
    ),
    "at most 500, half the runs there": lambda rng, size: np.minimum(rng.normal(500, 50, size), 500),
    "5 episodes, won or lost": lambda rng, size: rng.binomial(5, 0.7, size) / 5,
}


def draw(rng: np.random.Generator, shape: str, algorithms: int) -> np.ndarray:
    """Give scores ``[algorithms, interims, group]`` of one shape."""
    return SHAPES[shape](rng, (algorithms, INTERIMS, GROUP))


def pairs_of(scores: np.ndarray) -> Pairs:
    """Give every two algorithms."""
    return list(itertools.combinations(scores, 2))


def verdicts(pairs: Pairs, paths: int) -> dict[int, str]:
    """Give the last verdict on each pair."""
    return {one.test: one.verdict for one in decide(pairs, INTERIMS, paths=paths)}


def all_equal(algorithms: int) -> Family:
    """Make families in which every pair is equal."""

    def family(rng: np.random.Generator, shape: str) -> tuple[Pairs, set[int]]:
        pairs = pairs_of(draw(rng, shape, algorithms))
        return pairs, set(range(len(pairs)))

    return family


def some_equal(rng: np.random.Generator, shape: str) -> tuple[Pairs, set[int]]:
    """Make five algorithms of which the first three are equal; the others are far better and a little."""
    scores = draw(rng, shape, 5)
    deviation = scores.std()
    scores[3] += 3 * deviation
    scores[4] += 1 * deviation
    equal = {index for index, pair in enumerate(itertools.combinations(range(5), 2)) if max(pair) < 3}
    return pairs_of(scores), equal


def environments(rng: np.random.Generator, shape: str) -> tuple[Pairs, set[int]]:
    """Make three equal algorithms on three environments of unequal shapes and scales."""
    pairs = [
        pair
        for scale, name in zip((1, 100, 1e4), (shape, *SHAPES), strict=False)
        for pair in pairs_of(scale * draw(rng, name, 3))
    ]
    return pairs, set(range(len(pairs)))


def failures(rng: np.random.Generator, shape: str) -> tuple[Pairs, set[int]]:
    """Make three equal algorithms of which every fifth trial has no score."""
    scores = draw(rng, shape, 3)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    return pairs_of(scores), {0, 1, 2}


def unequal_spreads(rng: np.random.Generator, shape: str) -> tuple[Pairs, set[int]]:
    """Make two algorithms of equal means, one with five times the spread of the other."""
    first, second = draw(rng, "normal", 2)
    return [(first, 5 * second)], {0}


def unequal_shapes(rng: np.random.Generator, shape: str) -> tuple[Pairs, set[int]]:
    """Make two algorithms of equal means, one normal and one exponential."""
    return [(draw(rng, "normal", 1)[0] + 1, draw(rng, "exponential", 1)[0])], {0}


def errors(family: Family, samples: int, paths: int, seed: int = 0, *, screened: bool = True) -> int:
    """Count the families in which any equal pair is called different; shapes take turns.

    Until one of them is, at least all equal pairs are left: that is the level at which they are ``screened``.
    """
    found, screen = 0, Screen(paths)
    for index, shape in zip(range(samples), itertools.cycle(SHAPES), strict=False):
        pairs, equal = family(np.random.default_rng([seed, index]), shape)
        suspects = [pairs[test] for test in sorted(equal)]
        if screened and np.isfinite(pairs).all() and not screen.may_differ(suspects, len(equal)):
            continue
        said = verdicts(pairs, paths)
        found += any(said[test] != "undecided" for test in equal)
    return found


class Screen:
    """Finds pairs that ``decide`` cannot call different at a level, without looking at all that it looks at.

    With equally many scores a side, Welch's t orders splits as the difference of sums does. A path is
    rejected by an interim only if all that have as large a one may be rejected by then.
    """

    def __init__(self, paths: int) -> None:
        splits = math.comb(2 * GROUP, GROUP)
        self._paths = paths - paths % splits
        signs = np.stack([subset_sums(row, GROUP) for row in np.eye(2 * GROUP)], axis=1) * 2 - 1
        self._signs = []
        for interim in range(INTERIMS):
            chosen = np.random.default_rng([STREAM, interim]).integers(splits, size=self._paths)
            chosen[0] = 0
            chosen = chosen if interim else np.arange(self._paths) % splits
            self._signs.append(signs[chosen])

    def may_differ(self, pairs: Pairs, tests: int) -> bool:
        """Say whether any pair might be called different in a family of ``tests``."""
        scores = np.array([np.concatenate(pair, axis=1) for pair in pairs])  # [P, interims, 2 group]
        scores -= scores.mean(axis=(1, 2), keepdims=True)
        scores /= np.abs(scores).max(axis=(1, 2), keepdims=True) + 1e-300
        sums = np.zeros((self._paths, len(pairs)))
        for interim, signs in enumerate(self._signs):
            sums += signs @ scores[:, interim].T
            sizes = np.abs(sums)
            as_large = np.count_nonzero(sizes >= sizes[0] - 1e-9, axis=0)
            if np.any(as_large <= LEVEL * self._paths * (interim + 1) / (INTERIMS * tests)):
                return True
        return False


def adastop(scores: np.ndarray, paths: int, seed: int) -> tuple[dict[int, int], int]:
    """Decide with the boundaries of AdaStop (Mathieu et al. 2023, algorithm 1) on ``[L, K, n]`` scores.

    Gives at which interim each pair is decided (0: never), and how many groups were run.
    """
    pairs = list(itertools.combinations(range(len(scores)), 2))
    rng = np.random.default_rng(seed)
    sums = np.zeros((len(pairs), paths))
    alive, spent, groups = np.ones(paths, dtype=bool), 0.0, 0
    decided = dict.fromkeys(range(len(pairs)), 0)
    for interim in range(1, scores.shape[1] + 1):
        left = [test for test in decided if not decided[test]]
        groups += len({arm for test in left for arm in pairs[test]})
        for test in left:
            pooled = scores[list(pairs[test]), interim - 1].ravel()
            half = len(pooled) // 2
            order = rng.permuted(np.tile(np.arange(len(pooled)), (paths, 1)), axis=1)
            order[0] = np.arange(len(pooled))
            sums[test] += pooled[order[:, :half]].sum(axis=1) - pooled[order[:, half:]].sum(axis=1)
        while left:
            largest = np.abs(sums[left])[:, alive].max(axis=0)
            ordered = np.sort(largest)[::-1]
            count = int((LEVEL * interim / scores.shape[1] - spent) * paths)
            boundary = ordered[count] if count < len(ordered) else -np.inf
            test = left[int(np.argmax(np.abs(sums[left, 0])))]
            if abs(sums[test, 0]) <= boundary:
                break
            decided[test] = interim
            left.remove(test)
        if not left:
            break
        over = alive & (np.abs(sums[left]).max(axis=0) > boundary)
        spent += over.sum() / paths
        alive &= ~over
    return decided, groups


def power(
    means: Sequence[float], shape: str, samples: int, paths: int, peer: bool = False
) -> dict[str, float]:
    """Give which share of the true differences is found, and of the seeds used, beside a fixed number.

    ``fixed`` is Welch's test with Holm's correction at all seeds; ``peer`` adds AdaStop.
    """
    true = [index for index, pair in enumerate(itertools.combinations(means, 2)) if pair[0] != pair[1]]
    most = len(means) * INTERIMS
    total = dict.fromkeys(("found", "seeds", "fixed", "adastop", "adastop seeds"), 0.0)
    for index in range(samples):
        scores = draw(np.random.default_rng([1, index]), shape, len(means))
        scores += np.reshape(means, (-1, 1, 1)) * _deviation(shape)
        pairs = pairs_of(scores)
        found = decide(pairs, INTERIMS, paths=paths)
        last = {one.test: one for one in found}
        arms = list(itertools.combinations(range(len(means)), 2))
        used = {arm: max(one.interim for one in found if arm in arms[one.test]) for arm in range(len(means))}
        total["found"] += sum(last[test].verdict == "smaller" for test in true) / len(true)
        total["seeds"] += sum(used.values()) / most
        p = [stats.ttest_ind(a.ravel(), b.ravel(), equal_var=False).pvalue for a, b in pairs]
        total["fixed"] += np.mean(holm(np.array(p))[true] <= LEVEL)
        if peer:
            decided, groups = adastop(scores, min(paths, 10_000), index)
            total["adastop"] += sum(decided[test] > 0 for test in true) / len(true)
            total["adastop seeds"] += groups / most
    shown = list(total) if peer else ["found", "seeds", "fixed"]
    return {name: round(float(total[name]) / samples, 3) for name in shown}


def estimates(effect: float, samples: int, paths: int) -> dict[str, float]:
    """Give the mean difference of two normal algorithms when they stop, in units of their spread.

    Also how often Welch's interval of it covers ``effect``, and how often Student's covers the first's mean.
    """
    found = []
    for index in range(samples):
        scores = draw(np.random.default_rng([2, index]), "normal", 2)
        scores[0] += effect
        stop = decide([tuple(scores)], INTERIMS, paths=paths)[-1].interim
        first, second = (side[:stop].ravel() for side in scores)
        low, high = welch(first, second)
        t = abs(first.mean() - effect) / (first.std(ddof=1) / math.sqrt(len(first)))
        own = t <= stats.t.ppf(0.975, len(first) - 1)
        found.append((first.mean() - second.mean(), low <= effect <= high, own))
    names = ("difference", "coverage", "coverage of the mean")
    return dict(zip(names, np.mean(found, axis=0).round(3).tolist(), strict=True))


def _deviation(shape: str) -> float:
    return float(SHAPES[shape](np.random.default_rng(0), (100_000,)).std())


NULLS: Mapping[str, Family] = {
    **{f"{count} equal algorithms": all_equal(count) for count in (2, 3, 5, 10)},
    "3 of 5 algorithms equal": some_equal,
    "3 equal algorithms, 3 environments": environments,
    "3 equal algorithms, 20 % failures": failures,
    "equal means, spreads 1 and 5": unequal_spreads,
    "equal means, normal and exponential": unequal_shapes,
}
EFFECTS: Sequence[tuple[str, tuple[float, ...]]] = (
    *(
        (shape, (0.0, d))
        for shape in ("normal", "80 % at 500, 20 % at 100")
        for d in (0.5, 0.8, 1.0, 1.5, 2.0, 3.0)
    ),
    ("normal", (0.0, 0.0, 1.0)),
    ("normal", (0.0, 1.0, 2.0)),
    ("normal", (0.0, 0.0, 0.5, 1.0, 2.0)),
    ("normal", (0.0, 0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0)),
)


def main(samples: int = 10_000, paths: int = 10_000) -> None:
    """Print the tables."""
    print(f"{samples} samples, {paths} paths, groups of {GROUP}, {INTERIMS} of them", flush=True)
    for shape, means in EFFECTS:
        row = power(means, shape, max(samples // (50 if len(means) > 5 else 10), 1), paths, peer=True)
        print(f"power | {shape} | {means} | {row}", flush=True)
    for effect in (0.5, 1.0, 2.0):
        print(f"estimates | {effect} | {estimates(effect, samples, paths)}", flush=True)
    for name, family in NULLS.items():
        found = errors(family, samples, paths)
        print(f"errors | {name} | {found} of {samples} | {found / samples:.2%}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
