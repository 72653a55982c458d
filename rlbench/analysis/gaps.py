"""How far policies are from the best there is: exactly, where an environment's model is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rlbench.analysis.intervals import student_t, weakness
from rlbench.analysis.references import reference_for
from rlbench.analysis.scores import CELL, TRIAL
from rlbench.api import ReferenceSpec

EXACT = "exact"
"""The source of an optimum that no policy exceeds: the frozen table's, under the time limit."""

BEST_SOLVER = "best solver"
"""The source of an optimum that is the value of a solver's policy: a learner may exceed it."""


def gap_curves(
    evaluations: pd.DataFrame,
    trials: pd.DataFrame,
    documents: Mapping[str, Mapping[str, Any]],
    table: Mapping[str, ReferenceSpec],
) -> pd.DataFrame:
    """Give each finished trial's exact gap at each evaluation.

    Columns: ``algorithm, env, seed, step, optimum, source, value, gap``: the expected return of the best
    policy, where that comes from, that of the policy evaluated, and the first less the second; NaN without a
    known optimum. ``documents`` holds the trials' identities by ``hash``, ``table`` references by problem.
    """
    known = evaluations.dropna(subset=["exact_value"]).drop_duplicates([*TRIAL, "step"])
    finished = trials.loc[trials["status"] == "finished", [*TRIAL, "kind"]]
    rows = known[[*TRIAL, "step", "exact_value"]].rename(columns={"exact_value": "value"})
    rows = rows.merge(finished, on=TRIAL).sort_values([*TRIAL, "step"], kind="stable")
    optima = _optima(rows, trials, documents, table)
    sources = {env: source for env, (_, source) in optima.items()}
    rows["optimum"] = rows["env"].map({env: value for env, (value, _) in optima.items()}).astype(float)
    rows["source"] = rows["env"].map(sources).astype(object).fillna("")
    rows["gap"] = rows["optimum"] - rows["value"]
    return rows[[*TRIAL, "step", "optimum", "source", "value", "gap"]].reset_index(drop=True)


def _optima(
    rows: pd.DataFrame,
    trials: pd.DataFrame,
    documents: Mapping[str, Mapping[str, Any]],
    table: Mapping[str, ReferenceSpec],
) -> dict[str, tuple[float, str]]:
    """Give each environment's optimum and its source: from the frozen table, else of the best solver."""
    found = {}
    for env, here in rows.groupby("env", sort=True):
        digests = trials.loc[trials["env"] == env, "hash"]
        identity = next((documents[one] for one in digests if documents.get(one)), {})
        reference = reference_for(identity, table)
        solved = here.loc[here["kind"] == "solver", "value"]
        if reference is not None and reference.source == EXACT:
            found[str(env)] = (reference.reference, EXACT)
        elif len(solved):
            found[str(env)] = (float(solved.max()), BEST_SOLVER)
    return found


def gaps(curves: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Summarise the curves of ``gap_curves``: one row an algorithm and environment.

    Columns: ``algorithm, env, optimum, source``; ``value``, the exact expected return of the final policy;
    ``gap`` with ``low, high``; ``regret``, the mean gap over the evaluations of training, with ``regret_low,
    regret_high``, NaN for solvers; ``n`` finished trials with an exact value ``of`` all; ``weak`` and
    ``regret_weak``: why an interval may be too narrow. Means over trials, with Student's t at 95 %.
    """
    solvers = set(trials.loc[trials["kind"] == "solver", "algorithm"])
    worth = curves.groupby(TRIAL, sort=True)["value"].agg(["last", "mean"])
    cells = {cell: mine.to_numpy(float) for cell, mine in worth.groupby(level=CELL, sort=True)}
    optima = curves.groupby("env")[["optimum", "source"]].first()
    rows = []
    for (algorithm, env), group in trials[trials["env"].isin(optima.index)].groupby(CELL, sort=True):
        last, average = cells.get((algorithm, env), np.empty((0, 2))).T
        if algorithm in solvers:
            average = average[:0]  # a sweep is no step
        optimum, source = optima.loc[env]
        value, low, high = _mean(last)
        during, lowest, highest = _mean(average)
        rows.append(
            {
                "algorithm": algorithm,
                "env": env,
                "optimum": optimum,
                "source": source,
                "value": value,
                "gap": optimum - value,
                "low": optimum - high,
                "high": optimum - low,
                "regret": optimum - during,
                "regret_low": optimum - highest,
                "regret_high": optimum - lowest,
                "n": len(last),
                "of": len(group),
                "weak": weakness(last) if len(last) else "",
                "regret_weak": weakness(average) if len(average) else "",
            }
        )

    columns = [
        "algorithm", "env", "optimum", "source", "value", "gap", "low", "high",
        "regret", "regret_low", "regret_high", "n", "of", "weak", "regret_weak",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _mean(values: np.ndarray) -> tuple[float, float, float]:
    """Give the mean of ``[n]`` and the ends of its interval; NaN for what there is not."""
    if len(values) < 2:
        return (float(values[0]) if len(values) else np.nan), np.nan, np.nan
    mean = float(values.mean())
    low, high = student_t(np.array(mean), values.std(ddof=1), np.array(len(values)))
    return mean, float(low), float(high)
