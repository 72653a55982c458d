"""Decisions of runs that add seeds until they are decided, beside the trials and comparisons they concern."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from rlbench.results.journal import Journal

COLUMNS = [
    "env", "first", "second", "verdict", "n_first", "n_second", "interim", "of",
    "seeds", "max_seeds", "tests",
]  # fmt: skip


def decided(journals: Sequence[Journal], trials: pd.DataFrame) -> pd.DataFrame:
    """Give the last decision on each pair, named as ``trials`` name it.

    Columns: ``env, first, second``; ``verdict``: ``larger`` (the first's scores are), ``smaller`` or
    ``undecided``; ``n_first, n_second`` scores that it is of; ``interim, of``: after which group, of how
    many; ``seeds, max_seeds``: the same in seeds a side; ``tests``: how many pairs share the family-wise
    error.
    """
    names = dict(zip(trials["hash"], zip(trials["algorithm"], trials["env"], strict=True), strict=True))
    rows = []
    for journal in journals:
        layout = journal.layout
        arms = [
            next((names[trial] for trial in arm.trials if trial in names), (arm.label, arm.env))
            for arm in layout.arms
        ]
        for one in journal.last():
            (first, env), (second, _) = (arms[arm] for arm in layout.tests[one.test])
            counts = (one.n_first, one.n_second, one.interim, layout.interims)
            seeds = (one.interim * layout.group, layout.interims * layout.group)
            rows.append((env, first, second, one.verdict, *counts, *seeds, len(layout.tests)))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["env", "first", "second"], kind="stable", ignore_index=True
    )


def trials_used(journals: Sequence[Journal]) -> tuple[int, int]:
    """Give how many trials of learners were asked for, and how many ``max_seeds`` for all would have been."""
    used = sum(group * one.layout.group for one in journals for group in one.groups().values())
    return used, sum(len(arm.trials) for one in journals for arm in one.layout.arms)


def with_decisions(pairs: pd.DataFrame, decisions: pd.DataFrame, metric_decided: bool) -> pd.DataFrame:
    """Put the decisions in the place of verdicts that take the number of seeds as fixed.

    Where the scores said when to stop, p-values are not what they seem: they go, as do ``seeds_needed``, and
    ``reason`` says what decided. Without ``metric_decided`` another score did, and the pair is undecided by
    this one.
    """
    gone = [name for name in ("p", "p_corrected", "p_equivalent", "seeds_needed") if name in pairs]
    taken: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in decisions.itertuples():
        said = taken.setdefault((row.env, *sorted((row.first, row.second))), {})
        winner = {"larger": row.first, "smaller": row.second}.get(row.verdict, "")
        together = f", {row.tests} comparisons together" if row.tests > 1 else ""
        said[winner] = f"after {row.seeds} of at most {row.max_seeds} seeds{together}"
    pairs = pairs.copy()
    for index, pair in pairs.iterrows():
        said = taken.get((pair["env"], *sorted((pair["first"], pair["second"]))), {})
        if not said:
            continue
        winners = {winner for winner in said if winner}
        how = said[min(winners)] if winners else said[""]
        verdict, reason = "undecided", f"sequential comparison, undecided {how}"
        if not metric_decided:
            reason = "sequential comparison, whose seeds another score has chosen"
        elif winners == {pair["first"]}:
            verdict, reason = "better", f"sequential comparison, decided {how}"
        elif winners:
            reason = f"sequential comparison, {min(winners)} better {how}, and the scores since say otherwise"
        pairs.loc[index, ["verdict", "reason"]] = [verdict, reason]
        pairs.loc[index, gone] = math.nan
    return pairs
