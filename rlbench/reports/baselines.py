"""The section of figures that others published, beside the scores of these results."""

from __future__ import annotations

from typing import Any

from rlbench.api import Section
from rlbench.reports.markup import fragment
from rlbench.reports.numbers import decimals_for
from rlbench.reports.style import looks_of


def baselines(results: Any) -> Section | None:
    """Show published figures for these environments, each with its protocol; nothing is compared."""
    published = results.baselines()
    if published.empty:
        return None
    learners = results.trials[results.trials["kind"] != "solver"]
    steps = learners.dropna(subset=["steps"]).groupby(["algorithm", "env"])["steps"].first()
    scores = results.scores()
    scores = scores[[(row.algorithm, row.env) in steps.index for row in scores.itertuples()]]
    groups = []
    for env, rows in published.groupby("env", sort=True):
        mine = scores[scores["env"] == env].sort_values("mean", ascending=False, kind="stable")
        decimals = decimals_for([*mine["mean"], *rows["score"]])
        own = [(row, steps[row.algorithm, env]) for row in mine.itertuples()]
        groups.append((env, decimals, own, list(rows.itertuples())))
    sources = published.drop_duplicates(["project", "protocol", "document"])
    html = fragment(
        "baselines.html",
        groups=groups,
        sources=list(sources.sort_values("project", kind="stable").itertuples()),
        looks=looks_of(results),
    )
    return Section(html, tables={"baselines": published})
