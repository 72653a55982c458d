"""The section on how fast learners learn: area under the curve, and steps to a threshold."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rlbench.analysis.metrics import THRESHOLD
from rlbench.analysis.scores import CELL
from rlbench.api import Section
from rlbench.reports.markup import fragment
from rlbench.reports.numbers import decimals_for, reasons
from rlbench.reports.style import looks_of

_METRICS = ("auc", "steps-to-threshold", "threshold-reached")


def efficiency(results: Any) -> Section | None:
    """Show each learner's area under the curve, and when it came 95 % of the way to the reference."""
    learners = results.trials.loc[results.trials["kind"] != "solver", CELL].drop_duplicates()
    summaries = {name: results.scores(name).merge(learners, on=CELL) for name in _METRICS}
    area, steps, reached = summaries.values()
    table = area[area["n"] > 0].merge(steps, on=CELL, suffixes=("", "_steps"))
    table = table.merge(reached[[*CELL, "mean"]], on=CELL, suffixes=("", "_reached"))
    if table.empty:
        return None
    known = results.references().set_index("env")
    thresholds = known["random"] + THRESHOLD * (known["reference"] - known["random"])
    groups = []
    for env, rows in table.groupby("env", sort=True):
        ranked = rows.sort_values("mean", ascending=False, kind="stable")
        groups.append((env, decimals_for(rows["mean"]), thresholds.get(env), list(ranked.itertuples())))
    marks = [*table.loc[table["n"] > 1, "weak"], *table.loc[table["n_steps"] > 1, "weak_steps"]]
    html = fragment(
        "efficiency.html",
        groups=groups,
        looks=looks_of(results),
        reasons=reasons(marks),
    )
    tables = [summary.assign(metric=name) for name, summary in summaries.items()]
    return Section(html, tables={"efficiency": pd.concat(tables, ignore_index=True)})
