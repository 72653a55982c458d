"""The sections of what holds over several environments, and of exact gaps where a model is known."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rlbench.analysis.gaps import EXACT
from rlbench.api import Section
from rlbench.reports import printed
from rlbench.reports import suite_figures as figures
from rlbench.reports.markup import fragment
from rlbench.reports.numbers import decimals_for, reasons, reasons_in
from rlbench.reports.style import looks_of

_DECIMALS = 2  # of normalised scores
_FEW_PAIRS = 6  # that are listed without being asked for


def suite(results: Any) -> Section | None:
    """Show scores over environments: statistics, profiles, sample efficiency, who is likely to beat whom."""
    table = results.aggregates()
    if table.empty:
        return None
    looks, order = looks_of(results), figures.ranked(table)
    shown = table[table["algorithm"].isin(order)]
    profiles, curves, improvements = results.profiles(), results.aggregate_curves(), results.improvements()
    drawn, tables = {}, {"aggregates": printed.aggregates(shown, figures.TITLES, _DECIMALS, table)}
    if order:
        drawn["intervals"] = figures.intervals(shown, looks)
        drawn["profiles"] = figures.profiles(profiles, looks)
        drawn["curves"] = figures.curves(curves, looks)
        tables |= {"profiles": profiles, "curves": curves}
    if len(order) > 1:
        drawn["improvements"] = figures.improvements(improvements, order)
        tables["improvements"] = improvements
    lacking = table.loc[table["lacks"] != "", ["algorithm", "lacks"]].drop_duplicates()
    inside, outside = _environments(results)
    html = fragment(
        "suite.html",
        version=_versions(results),
        environments=inside,
        outside=outside,
        solvers=bool((results.trials["kind"] == "solver").any()),
        titles=figures.TITLES,
        rows=[(name, shown[shown["algorithm"] == name].set_index("statistic")) for name in order],
        decimals=_DECIMALS,
        lacking=list(lacking.itertuples(index=False, name=None)),
        intervals=bool(shown["low"].notna().any()),
        reasons=reasons_in(shown),
        band_reasons=reasons_in(profiles, curves),
        pairs=_pairs(improvements),
        pair_reasons=reasons_in(improvements),
        few=_FEW_PAIRS,
        looks=looks,
    )
    return Section(html, figures=drawn, tables=tables)


def gaps(results: Any) -> Section | None:
    """Show how far policies are from the optimum, where a model says it exactly."""
    table = results.gaps()
    if table.empty:
        return None
    looks, curves = looks_of(results), results.gap_curves().dropna(subset=["gap"])
    points = curves.groupby(["algorithm", "env"])["step"].transform("nunique")
    learning = curves[points > 1]
    drawn = {str(env): figures.gap_curves(str(env), mine, looks) for env, mine in learning.groupby("env")}
    groups = [
        (env, rows["optimum"].iloc[0], rows["source"].iloc[0], _closest_first(rows))
        for env, rows in table.groupby("env", sort=True)
    ]
    marks = [*table.loc[table["low"].notna(), "weak"], *table.loc[table["regret_low"].notna(), "regret_weak"]]
    html = fragment(
        "gaps.html",
        version=_versions(results),
        exact=EXACT,
        sources=set(table["source"]),
        groups=groups,
        reasons=reasons(marks),
        curves=bool(drawn),
        decimals_for=decimals_for,
        looks=looks,
    )
    return Section(html, figures=drawn, tables={"gaps": table})


def _environments(results: Any) -> tuple[list[str], list[str]]:
    """Give the environments of the suite, and those of learners that are not in it."""
    learners = results.trials["kind"] != "solver"
    known = set(results.trials.loc[results.normalised.notna() & learners, "env"])
    return sorted(known), sorted(set(results.trials.loc[learners, "env"]) - known)


def _pairs(improvements: pd.DataFrame) -> list[Any]:
    """Give every pair once, the likelier winner first and the clearest on top."""
    fair = improvements["probability"] == 0.5
    winners = improvements[(improvements["probability"] > 0.5) | (fair & _alphabetical(improvements))]
    ordered = winners.sort_values(["probability", "first", "second"], ascending=[False, True, True])
    return list(ordered.itertuples(index=False))


def _alphabetical(pairs: pd.DataFrame) -> pd.Series:
    return pairs["first"].astype(str) < pairs["second"].astype(str)


def _closest_first(rows: pd.DataFrame) -> list[Any]:
    return list(rows.sort_values(["gap", "algorithm"], na_position="last").itertuples())


def _versions(results: Any) -> str:
    """Say which versions of references scores are normalised by."""
    return " and ".join(map(str, sorted(set(results.references()["version"]))))
