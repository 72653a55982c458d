"""Which of two algorithms is better over a suite of environments, where the data decide."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rlbench.analysis.aggregates import members
from rlbench.analysis.comparisons import BUDGET, Examined, missing, seeds_for, verdicts
from rlbench.analysis.intervals import FEWEST, effect_weakness, spread, stratified_effect
from rlbench.analysis.scores import CELL
from rlbench.analysis.stratified import Strata, sizes_of, smallest_stratified_p, stratified_p


def compare_suite(
    trials: pd.DataFrame,
    margin: float = math.nan,
    untested: Collection[tuple[str, str]] = (),
    unknown: str = "",
) -> pd.DataFrame:
    """Compare every two algorithms over all environments with a normalised score of any, as one suite.

    ``trials`` has ``algorithm, env, normalised``, and the ``BUDGET`` columns where budgets are to be alike.
    The columns are those of ``comparisons.compare_pairs``, with ``env`` as in ``over 3 environments`` and
    ``environments`` how many. Means are of environments' means, which count alike; the interval is that of
    ``intervals.stratified_effect``; ``p`` is ``stratified_p``'s, corrected over the pairs of the suite, a
    family of their own; ``margin`` is for all pairs, in normalised units; ``n`` and ``of`` count trials on
    all environments, ``seeds_needed`` those of a side on each.

    A pair of which one side lacks an environment, or that had unequal budgets anywhere, ``cannot be
    decided``, for that reason. One with an ``(algorithm, env)`` in ``untested``, whose scores chose how many
    there are, is ``undecided``, and so are all others for the reason ``unknown``. None of these is in the
    family. Empty with fewer than two environments.
    """
    pairs = list(_pairs(trials, set(untested), unknown))
    tested = [index for index, pair in enumerate(pairs) if pair.testable]
    p, worst = (np.full(len(pairs), math.nan) for _ in range(2))
    p[tested] = stratified_p([pairs[index].scores for index in tested])
    worst[tested] = 0.0
    lacking = [index for index in tested if not pairs[index].whole]
    imputed = [pairs[index].at_worst for index in lacking]
    turned = np.array([stratified_effect(*one).difference <= 0 for one in imputed], dtype=bool)
    worst[lacking] = np.where(turned, 1.0, stratified_p(imputed))
    found = [_examined(pair, margin, *values) for pair, *values in zip(pairs, p, worst, strict=True)]
    return verdicts(found).assign(environments=len(pairs[0].envs) if pairs else 0)


@dataclass(frozen=True)
class _Pair:
    """Two algorithms on a suite, the better mean first; all in ``(first, second)``.

    ``scores [n]`` and the numbers of all trials ``counts`` are by environment.
    """

    envs: list[str]
    names: tuple[str, str]
    means: tuple[float, float]
    scores: Strata
    counts: tuple[list[int], list[int]]
    bar: tuple[str, str]

    @property
    def fewest(self) -> int:
        """The fewest scores of either on an environment."""
        return min(len(one) for side in self.scores for one in side)

    @property
    def testable(self) -> bool:
        """Whether a test could say something."""
        return not self.bar[0] and self.fewest >= 2

    @property
    def whole(self) -> bool:
        """Whether every trial has a score."""
        return all([*map(len, side)] == all_ for side, all_ in zip(self.scores, self.counts, strict=True))

    @property
    def at_worst(self) -> Strata:
        """The scores with the first's missing ones the worst seen there, and the second's the best."""
        filled: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for one, other, all_one, all_other in zip(*self.scores, *self.counts, strict=True):
            both = np.concatenate([one, other])
            filled[0].append(np.append(one, np.full(all_one - len(one), both.min())))
            filled[1].append(np.append(other, np.full(all_other - len(other), both.max())))
        return filled


def _pairs(trials: pd.DataFrame, untested: set[tuple[str, str]], unknown: str) -> Iterator[_Pair]:
    counts = trials.groupby(CELL).size()
    columns = [name for name in BUDGET if name in trials]
    known = trials[np.isfinite(trials["normalised"].to_numpy(float))]
    budgets = {cell: group[columns].iloc[0].tolist() for cell, group in known.groupby(CELL)}
    suite = members(trials)
    means = {
        one.algorithm: math.nan if one.lacks else float(np.mean([*map(np.mean, one.scores.values())]))
        for one in suite
    }
    complete = [one for one in suite if not one.lacks]
    complete.sort(key=lambda one: (-means[one.algorithm], one.algorithm))
    for one, other in itertools.combinations([*complete, *(one for one in suite if one.lacks)], 2):
        envs, names = list(one.scores), (one.algorithm, other.algorithm)
        lacks = [
            f"{side.algorithm} has no score on {', '.join(side.lacks)}" for side in (one, other) if side.lacks
        ]
        unequal = [env for env in envs if budgets.get((names[0], env)) != budgets.get((names[1], env))]
        chosen = [env for env in envs if any((name, env) in untested for name in names)]
        bar = ("", "")
        if lacks:
            bar = ("cannot be decided", " and ".join(lacks))
        elif unequal:
            bar = ("cannot be decided", f"budgets differ on {', '.join(unequal)}")
        elif unknown:
            bar = ("undecided", unknown)
        elif chosen:
            bar = ("undecided", f"sequential comparisons chose the seeds on {', '.join(chosen)}")
        scored = [*one.scores.values()], [*other.scores.values()]
        all_ = ([int(counts.get((name, env), 0)) for env in envs] for name in names)
        yield _Pair(envs, names, (means[names[0]], means[names[1]]), scored, (next(all_), next(all_)), bar)


def _examined(pair: _Pair, margin: float, p: float, p_at_worst: float) -> Examined:
    complete = pair.fewest > 0
    n = (sum(map(len, pair.scores[0])), sum(map(len, pair.scores[1])))
    of = (sum(pair.counts[0]), sum(pair.counts[1]))
    effect = stratified_effect(*pair.scores) if complete else None
    weak = effect_weakness(*pair.scores) if complete else ""
    claimable = effect is not None and not weak and pair.whole and pair.testable
    return Examined(
        env=f"over {len(pair.envs)} environments",
        names=pair.names,
        means=pair.means,
        interval=effect.interval() if effect else (math.nan, math.nan),
        weak=weak,
        n=n,
        of=of,
        margin=margin,
        p=p,
        p_at_worst=p_at_worst,
        p_smallest=smallest_stratified_p(sizes_of(pair.scores)) if pair.testable else math.nan,
        p_equivalent=effect.equivalence_p(margin) if claimable and effect else math.nan,
        allowed=min(map(min, pair.counts)) >= FEWEST,  # by design, not by the data
        missing=missing(pair.names, n, of),
        needed=lambda level: _needed(pair, level),
        bar=pair.bar,
    )


def _needed(pair: _Pair, level: float) -> float:
    """Give the seeds that each side would need on each environment to show the effect with 80 % power."""
    k, fewest = len(pair.envs), pair.fewest
    variance = sum(spread(one) ** 2 for side in pair.scores for one in side) if fewest > 1 else 0.0
    difference = pair.means[0] - pair.means[1]
    return seeds_for(
        difference, variance / k**2, level, fewest, lambda n: smallest_stratified_p([(n, n)] * k)
    )
