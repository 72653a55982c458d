"""Which of two algorithms is better, where the data decide."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rlbench.analysis.intervals import FEWEST, spread, stratified_effect, weakness, welch

LEVEL = 0.05
"""The family-wise error rate at which a difference is called decided."""

EXACT_SPLITS = 10**6
RESAMPLES = 99_999
POWER = 0.8
_MOST_TRIED = 100  # seeds a side: far beyond those whose splits are counted
TRUNCATION = 0.5
"""The share of a pair's part of the level at which its equivalence is tested; see ``holm``."""

BUDGET = ["steps", "evaluation_points", "evaluation_episodes"]
"""What two algorithms must have alike to be compared."""

_COLUMNS = [
    "env", "first", "second", "mean_first", "mean_second", "difference", "low", "high", "weak", "p",
    "p_corrected", "margin", "p_equivalent", "tests", "equivalences", "n_first", "n_second", "of_first",
    "of_second", "verdict", "reason", "seeds_needed",
]  # fmt: skip


def permutation_p(first: np.ndarray, second: np.ndarray, seed: int = 0) -> float:
    """Give the two-sided p-value of the studentised permutation test of ``[n]`` and ``[m]`` scores.

    The statistic is Welch's t, so that the test is exact where the scores are exchangeable and, unlike that
    of the raw difference, asymptotically valid for the means whatever the variances and sizes of the groups
    (Janssen 1997; Chung and Romano 2013). Each group has two scores or more. Every split is counted where
    there are at most 10^6, else 99 999 random ones and the split at hand (Phipson and Smyth 2010), seeded.
    """
    pooled = np.concatenate([first, second]).astype(float)
    if spread(pooled) == 0:
        return 1.0
    pooled -= pooled.mean()
    pooled /= np.abs(pooled).max()  # neither the scale nor the origin matters; the squares must not overflow
    small, large = sorted((len(first), len(second)))
    sample = pooled[: len(first)] if len(first) == small else pooled[len(first) :]
    total, squares = pooled.sum(), (pooled**2).sum()

    def extremity(sums: np.ndarray, sums_of_squares: np.ndarray) -> np.ndarray:
        return welch_extremity(sums, sums_of_squares, small, large, total, squares)

    observed = extremity(sample.sum(), (sample**2).sum()) - 1e-10  # sums in another order differ a little
    if math.comb(len(pooled), small) <= EXACT_SPLITS:
        values = extremity(subset_sums(pooled, small), subset_sums(pooled**2, small))
        return float(np.mean(~(values < observed)))  # NaN, of an overflow, counts as extreme
    rng = np.random.default_rng(seed)
    extreme = 0
    for start in range(0, RESAMPLES, 10_000):
        rows = np.tile(pooled, (min(10_000, RESAMPLES - start), 1))  # [R, n + m]
        part = rng.permuted(rows, axis=1)[:, :small]
        extreme += int(np.count_nonzero(~(extremity(part.sum(axis=1), (part**2).sum(axis=1)) < observed)))
    return (extreme + 1) / (RESAMPLES + 1)


def welch_extremity(
    sums: np.ndarray, sums_of_squares: np.ndarray, n: int, m: int, total: float, squares: float
) -> np.ndarray:
    """Give t^2 / (1 + t^2) of Welch's t: 1 where neither group has variance, and no split has 0 / 0.

    Arguments as of ``welch_parts``; the scores are not all equal.
    """
    difference, within = welch_parts(sums, sums_of_squares, n, m, total, squares)
    return np.asarray(difference**2 / (difference**2 + within))


def welch_parts(
    sums: np.ndarray, sums_of_squares: np.ndarray, n: int, m: int, total: Any, squares: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Give the difference of two groups' means and its variance after Welch, for each split.

    ``sums, sums_of_squares`` are those of the group of ``n`` scores in each split, ``total, squares`` those
    of all ``n + m``.
    """
    difference = sums / n - (total - sums) / m
    within = np.maximum(sums_of_squares - sums**2 / n, 0) / (n * (n - 1))
    rest = squares - sums_of_squares - (total - sums) ** 2 / m
    within += np.maximum(rest, 0) / (m * (m - 1))
    return difference, within


def subset_sums(values: np.ndarray, size: int) -> np.ndarray:
    """Give the sums of all subsets of ``size`` values: ``[comb(len(values), size)]``."""
    sums: list[np.ndarray] = [np.zeros(1)] + [np.empty(0)] * size  # by the size of the subset so far
    for used, value in enumerate(values):
        left = len(values) - used - 1
        for count in range(min(used + 1, size), 0, -1):
            if count + left >= size:  # smaller subsets can no longer grow to the full size
                sums[count] = np.concatenate([sums[count], sums[count - 1] + value])
    return sums[size]


def smallest_p(n: int, m: int) -> float:
    """Give the smallest p-value that the permutation test can attain with ``n`` and ``m`` scores."""
    splits = math.comb(n + m, n)
    if splits > EXACT_SPLITS:
        return 1 / (RESAMPLES + 1)
    return min(1.0, (2 if n == m else 1) / splits)  # equal groups: each split and its mirror tie


def holm(p: np.ndarray, equivalences: int = 0) -> np.ndarray:
    """Give Holm's (1979) corrected p-values ``[k]``, which control the family-wise error rate.

    With ``equivalences`` the family also holds tests of equivalence of that many of the k pairs, each at
    ``TRUNCATION / k`` of the level. A pair that differs by its margin or more is not equal, and one that is
    equal does not differ: at most one of its two null hypotheses is true. So what equivalence takes is taken
    from what the steps of Holm's method would gain from the pairs that are decided: a truncated Holm method
    (Dmitrienko, Tamhane and Wiens 2008), whose first step is Holm's and whose last are at half its level.

    Proof, by Goeman and Solari (2010): the levels only grow as hypotheses are rejected, and where all false
    ones are, with r differences among them, the k - r true equalities have together ``1 - TRUNCATION
    min(r, equivalences) / k`` of the level, and the true inequivalences, at most min(r, equivalences), no
    more than the rest.
    """
    order = np.argsort(p, kind="stable")
    decided = np.arange(len(p))
    kept = 1 - TRUNCATION * np.minimum(decided, equivalences) / max(len(p), 1)
    stepped = np.maximum.accumulate(p[order] * (len(p) - decided) / kept)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def equivalence_p(first: np.ndarray, second: np.ndarray, margin: float) -> float:
    """Give the larger p of the two one-sided tests that the means differ by ``margin`` or more.

    Schuirmann (1987), with Welch's t: p is at most ``a`` where Welch's interval at level ``1 - 2 a`` lies
    within the margin. There must be some spread on either side.
    """
    return stratified_effect([first], [second]).equivalence_p(margin)


def seeds_needed(first: np.ndarray, second: np.ndarray, level: float) -> float:
    """Give how many seeds each side would need to show the observed effect with 80 % power.

    See ``seeds_for``; NaN where nothing varies.
    """
    fewest = min(len(first), len(second))
    variance = spread(first) ** 2 + spread(second) ** 2 if fewest > 1 else 0.0
    difference = float(np.mean(first) - np.mean(second))
    return seeds_for(difference, variance, level, fewest, lambda n: smallest_p(n, n))


def seeds_for(
    difference: float, variance: float, level: float, fewest: int, smallest: Callable[[int], float]
) -> float:
    """Give the seeds a side that show a difference with 80 % power, whose variance is theirs over ``n``.

    The normal approximation ``(z_level + z_power)^2 variance / difference^2``; infinite without a
    difference, NaN where nothing varies. It inherits the uncertainty of the difference, and is more than the
    ``fewest`` there are: asked for an undecided pair, these did not suffice. ``smallest`` gives the smallest
    p-value that so many seeds can attain.
    """
    if variance == 0:
        return math.nan
    if difference == 0:
        return math.inf
    quantiles = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER)
    attainable = next((n for n in range(2, _MOST_TRIED) if smallest(n) <= level), math.inf)
    return float(max(math.ceil(quantiles**2 * variance / difference**2), attainable, fewest + 1))


def compare_pairs(
    trials: pd.DataFrame,
    higher_is_better: bool = True,
    margins: Mapping[str, float] | None = None,
    untested: Collection[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Compare every two algorithms of one budget on each environment, from trials with a ``score``.

    Columns: ``env``; ``first, second``, the better mean first; ``mean_first, mean_second`` and their
    ``difference`` with Welch's 95 % interval ``low, high``, and why that may be too narrow in ``weak``; ``p``
    of the permutation test, with the missing scores imputed against the first where that makes it larger, and
    ``p_corrected`` by ``holm`` over the ``tests`` pairs of this call; ``margin``, from ``margins`` by
    environment, and the corrected ``p_equivalent`` of the two one-sided tests against it, for which the
    correction leaves room in ``equivalences`` pairs; ``n_first, n_second`` trials with a score of ``of_first,
    of_second``; ``verdict``: ``better`` (the first is), ``equivalent`` within the margin, ``undecided``, or
    ``cannot be decided`` where no data could pass at this n; ``reason``, where only missing scores stand in
    the way; ``seeds_needed`` a side, where undecided for want of seeds.

    Equivalence rests on an interval, and so is said only of undecided pairs whose trials all have a score
    and whose intervals are not ``weak``. No pair with one of the ``(algorithm, env)`` in ``untested`` is
    tested or in the family. Pairs whose ``BUDGET`` columns differ are left out, where ``trials``
    has them.
    """
    pairs = [
        pair
        for env, group in trials.groupby("env", sort=True)
        for pair in _pairs(str(env), group, higher_is_better)
    ]
    sign = 1 if higher_is_better else -1
    return verdicts(
        [
            _examined(
                pair,
                sign,
                (margins or {}).get(pair.env, math.nan),
                not any((name, pair.env) in untested for name in pair.names),
            )
            for pair in pairs
        ]
    )


@dataclass(frozen=True)
class Examined:
    """What is known of a pair before any correction, the better mean first in every ``(first, second)``.

    ``p``, ``p_at_worst`` for the missing scores and ``p_smallest`` that the test can attain are NaN where
    there was none; ``bar`` is the verdict and the reason then, empty where it is for want of scores.
    ``p_equivalent`` is of the two one-sided tests, NaN where equivalence is not to be claimed, and
    ``allowed`` whether the design leaves room for it. ``missing`` names the trials without a score;
    ``needed`` gives the seeds it would take at a level.
    """

    env: str
    names: tuple[str, str]
    means: tuple[float, float]
    interval: tuple[float, float]
    weak: str
    n: tuple[int, int]
    of: tuple[int, int]
    margin: float
    p: float
    p_at_worst: float
    p_smallest: float
    p_equivalent: float
    allowed: bool
    missing: str
    needed: Callable[[float], float]
    bar: tuple[str, str] = ("", "")


def verdicts(pairs: Sequence[Examined]) -> pd.DataFrame:
    """Correct the tests of one family and give its verdicts, a row a pair, as ``compare_pairs`` does."""
    observed, worst, floors = (
        np.array([getattr(pair, name) for pair in pairs], dtype=float)
        for name in ("p", "p_at_worst", "p_smallest")
    )
    tested = ~np.isnan(observed)
    safe = np.fmax(observed, worst)
    allowed = np.array([pair.allowed and math.isfinite(pair.margin) for pair in pairs], dtype=bool)
    equivalences, tests = int((tested & allowed).sum()), int(tested.sum())
    seen, corrected, reachable = (_corrected(p, tested, equivalences) for p in (observed, safe, floors))
    table = []
    for index, pair in enumerate(pairs):
        decided, possible = corrected[index] <= LEVEL, reachable[index] <= LEVEL
        p_equivalent = float(np.minimum(pair.p_equivalent * tests / TRUNCATION, 1))
        verdict = "undecided" if possible else "cannot be decided"
        if decided:
            verdict = "better"
        elif possible and p_equivalent <= LEVEL:
            verdict = "equivalent"
        reason = pair.missing if seen[index] <= LEVEL and not decided else ""
        if pair.bar[0]:
            verdict, reason = pair.bar
        short = not reason and verdict in ("undecided", "cannot be decided")
        table.append(
            {
                "env": pair.env,
                "first": pair.names[0],
                "second": pair.names[1],
                "mean_first": pair.means[0],
                "mean_second": pair.means[1],
                "difference": pair.means[0] - pair.means[1],
                "low": pair.interval[0],
                "high": pair.interval[1],
                "weak": pair.weak,
                "p": safe[index],
                "p_corrected": corrected[index],
                "margin": pair.margin,
                "p_equivalent": p_equivalent,
                "tests": tests,
                "equivalences": equivalences,
                "n_first": pair.n[0],
                "n_second": pair.n[1],
                "of_first": pair.of[0],
                "of_second": pair.of[1],
                "verdict": verdict,
                "reason": reason,
                "seeds_needed": pair.needed(LEVEL / max(tests, 1)) if short else math.nan,
            }
        )
    return pd.DataFrame(table, columns=_COLUMNS)


def unequal_budgets(trials: pd.DataFrame) -> list[str]:
    """Give the environments on which algorithms of different budgets have scores."""
    return [
        str(env)
        for env, group in trials[np.isfinite(trials["score"].to_numpy(float))].groupby("env", sort=True)
        if len(group[BUDGET].drop_duplicates()) > 1
    ]


@dataclass(frozen=True)
class _Pair:
    """Two algorithms' scores on one environment, the better mean first; ``of`` counts all their trials."""

    env: str
    names: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    of: tuple[int, int]

    @property
    def weak(self) -> str:
        """Why the interval of the difference may be too narrow; empty where nothing shows."""
        marks = "; ".join(weakness(scores) for scores in (self.first, self.second))
        return "; ".join(dict.fromkeys(filter(None, marks.split("; "))))


def missing(names: tuple[str, str], n: tuple[int, int], of: tuple[int, int]) -> str:
    """Say how many trials have no score, as in ``6 of 10 trials of dqn have no score``."""
    lacks = [(all_ - scored, all_, name) for name, scored, all_ in zip(names, n, of, strict=True)]
    return " and ".join(
        f"{lack} of {all_} trials of {name} {'has' if lack == 1 else 'have'} no score"
        for lack, all_, name in lacks
        if lack
    )


def _examined(pair: _Pair, sign: int, margin: float, test: bool) -> Examined:
    n = (len(pair.first), len(pair.second))
    test = test and min(n) >= 2
    return Examined(
        env=pair.env,
        names=pair.names,
        means=(pair.first.mean(), pair.second.mean()),
        interval=welch(pair.first, pair.second),
        weak=pair.weak,
        n=n,
        of=pair.of,
        margin=margin,
        p=permutation_p(pair.first, pair.second) if test else math.nan,
        p_at_worst=_p_at_worst(pair, sign) if test else math.nan,
        p_smallest=smallest_p(*n) if test else math.nan,
        p_equivalent=_p_equivalent(pair, margin),
        allowed=min(pair.of) >= FEWEST,  # by design, not by the data
        missing=missing(pair.names, n, pair.of),
        needed=lambda level: seeds_needed(pair.first, pair.second, level),
    )


def _pairs(env: str, group: pd.DataFrame, higher_is_better: bool) -> list[_Pair]:
    sign = 1 if higher_is_better else -1
    samples, sizes, budgets = {}, {}, {}
    for name, part in group.groupby("algorithm", sort=True):
        scores = part["score"].to_numpy(float)
        scored = np.isfinite(scores)
        if scored.any():
            samples[name], sizes[name] = scores[scored], len(part)
            budgets[name] = tuple(part.loc[scored, column].iloc[0] for column in BUDGET if column in part)
    ranked = sorted(samples, key=lambda name: (-sign * samples[name].mean(), name))
    return [
        _Pair(env, (one, other), samples[one], samples[other], (sizes[one], sizes[other]))
        for one, other in itertools.combinations(ranked, 2)
        if budgets[one] == budgets[other]
    ]


def _p_at_worst(pair: _Pair, sign: int) -> float:
    """Give p with the first's missing scores the worst seen and the second's the best; 1 if that turns it."""
    if pair.of == (len(pair.first), len(pair.second)):
        return 0.0
    both = sign * np.concatenate([pair.first, pair.second])
    first = np.append(sign * pair.first, np.full(pair.of[0] - len(pair.first), both.min()))
    second = np.append(sign * pair.second, np.full(pair.of[1] - len(pair.second), both.max()))
    return permutation_p(first, second) if first.mean() > second.mean() else 1.0


def _p_equivalent(pair: _Pair, margin: float) -> float:
    """Give the p of equivalence within the margin; NaN where it is not to be claimed."""
    if pair.weak or pair.of != (len(pair.first), len(pair.second)) or math.isnan(margin):
        return math.nan
    return equivalence_p(pair.first, pair.second, margin)


def _corrected(p: np.ndarray, tested: np.ndarray, equivalences: int) -> np.ndarray:
    corrected = np.full(len(p), math.nan)
    corrected[tested] = holm(p[tested], equivalences)
    return corrected
