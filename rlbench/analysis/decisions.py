"""Decisions of runs that add seeds until they are decided, beside the trials and comparisons they concern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rlbench.results.journal import Journal

COLUMNS = [
    "env", "first", "second", "verdict", "n_first", "n_second", "interim", "of",
    "seeds", "max_seeds", "tests", "reason", "run",
]  # fmt: skip


def decided(journals: Sequence[Journal], trials: pd.DataFrame) -> pd.DataFrame:
    """Give the last decision on each pair, named as ``trials`` name it.

    Columns: ``env``; ``first, second``, as in claims the better one first, which of an open pair is the one
    whose mean is higher now; ``verdict``: ``better`` (the first is) or ``undecided``; ``n_first, n_second``
    scores that it is of; ``interim, of``: after which group, of how many; ``seeds, max_seeds``: the same in
    seeds a side; ``tests``: how many pairs share the family-wise error; ``reason``: why a decision does not
    count, being ``undecided`` as not all of its scores are there; ``run``: its journal's hash.
    """
    names = dict(zip(trials["hash"], zip(trials["algorithm"], trials["env"], strict=True), strict=True))
    scored = trials[np.isfinite(trials["score"].to_numpy(float))]
    there, means = set(scored["hash"]), scored.groupby(["algorithm", "env"])["score"].mean().to_dict()
    rows = []
    for journal in journals:
        layout = journal.layout
        arms = [
            next((names[trial] for trial in arm.trials if trial in names), (arm.label, arm.env))
            for arm in layout.arms
        ]
        for one in journal.last():
            pair = layout.tests[one.test]
            env, seeds = arms[pair[0]][1], one.interim * layout.group
            sides = [(arms[arm][0], n) for arm, n in zip(pair, (one.n_first, one.n_second), strict=True)]
            left = [len(there.intersection(layout.arms[arm].trials[:seeds])) for arm in pair]
            reason = " and ".join(
                f"{kept} of {n} scores of {name} are left"
                for (name, n), kept in zip(sides, left, strict=True)
                if kept < n
            )
            verdict = "undecided" if reason or one.verdict == "undecided" else "better"
            if verdict == "undecided":
                sides.sort(key=lambda side: (-means.get((side[0], env), -math.inf), side[0]))
            elif one.verdict == "smaller":
                sides.reverse()
            (first, n_first), (second, n_second) = sides
            groups = (one.interim, layout.interims, seeds, layout.interims * layout.group)
            rows.append(
                (
                    env,
                    first,
                    second,
                    verdict,
                    n_first,
                    n_second,
                    *groups,
                    len(layout.tests),
                    reason,
                    layout.hash,
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["env", "first", "second"], kind="stable", ignore_index=True
    )


def arms_of(decisions: pd.DataFrame) -> set[tuple[str, str]]:
    """Give the ``(algorithm, env)`` whose scores chose how many seeds they have."""
    return {(name, row.env) for row in decisions.itertuples() for name in (row.first, row.second)}


def trials_used(journals: Sequence[Journal]) -> tuple[int, int]:
    """Give how many trials of learners were asked for, and how many ``max_seeds`` for all would have been.

    A trial that several journals share counts once.
    """
    used: set[str] = set()
    most: set[str] = set()
    for one in journals:
        for arm, groups in one.groups().items():
            trials = one.layout.arms[arm].trials
            used.update(trials[: groups * one.layout.group])
            most.update(trials)
    return len(used), len(most)


def with_decisions(
    pairs: pd.DataFrame, decisions: pd.DataFrame, metric_decided: bool, unknown: str = ""
) -> pd.DataFrame:
    """Put the decisions in the place of verdicts that take the number of seeds as fixed.

    Where the scores said when to stop, p-values are not what they seem: they go, as do ``seeds_needed``, and
    ``reason`` says what decided. So they do where a comparison with others chose the seeds of either side,
    and for all pairs where what chose the seeds is ``unknown``, for the reason given. Without
    ``metric_decided`` another score did, and the pair is undecided by this one.
    """
    gone = [name for name in ("p", "p_corrected", "p_equivalent", "seeds_needed") if name in pairs]
    said: dict[tuple[str, str, str], list[Any]] = {}
    for row in decisions.itertuples():
        said.setdefault((row.env, *sorted((row.first, row.second))), []).append(row)
    arms = arms_of(decisions)
    pairs = pairs.copy()
    for index, pair in pairs.iterrows():
        mine = said.get((pair["env"], *sorted((pair["first"], pair["second"]))), [])
        chosen = {(pair["first"], pair["env"]), (pair["second"], pair["env"])} & arms
        verdict = "undecided"
        if unknown:
            reason = unknown
        elif not chosen:
            continue
        elif not metric_decided:
            reason = "sequential comparison, whose seeds another score has chosen"
        elif not mine:
            reason = "sequential comparison with others chose its seeds"
        else:
            verdict, reason = _verdict(pair["first"], mine)
        pairs.loc[index, ["verdict", "reason"]] = [verdict, reason]
        pairs.loc[index, gone] = math.nan
    return pairs


def _verdict(first: str, rows: Sequence[Any]) -> tuple[str, str]:
    """Give the verdict and its reason, by one pair's decisions, where ``first`` has the larger mean now."""
    winners = {row.first if row.verdict == "better" else "" for row in rows}
    how = f"after {rows[0].seeds} of at most {rows[0].max_seeds} seeds"
    if rows[0].tests > 1:
        how += f", {rows[0].tests} comparisons together"
    lost = [row.reason for row in rows if row.reason]
    if lost:
        return "undecided", f"sequential comparison, of whose data {lost[0]}"
    if len(winners) > 1:
        return "undecided", f"sequential comparison, on which {len(rows)} runs do not agree"
    (winner,) = winners
    if not winner:
        return "undecided", f"sequential comparison, undecided {how}"
    if winner != first:
        return (
            "undecided",
            f"sequential comparison, {winner} better {how}, and the scores since say otherwise",
        )
    return "better", f"sequential comparison, decided {how}"
