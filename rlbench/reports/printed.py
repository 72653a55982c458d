"""Tables as a paper prints them: few columns, in words, rounded as on the page. CSV has every number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from rlbench.api import Table
from rlbench.reports.numbers import MISSING, decimals_for, interval, number, p_value, weak

MARK = "†"
"""Beside an interval that may be too narrow; the note below says why."""


def scores(table: pd.DataFrame) -> Table:
    """Print the scores of ``Results.scores``, the best of each environment first."""
    rows = []
    for env, mine in table.groupby("env", sort=True):
        decimals = decimals_for(mine["mean"])
        for row in mine.sort_values("mean", ascending=False, kind="stable").itertuples():
            mean, reach = number(row.mean, decimals), _reach(row, decimals)
            rows.append((env, row.algorithm, mean, reach, f"{row.n} of {row.of}"))
    columns = ["Environment", "Algorithm", "Mean score", "95 % interval", "Trials"]
    return Table(table, pd.DataFrame(rows, columns=columns), _note(table))


def claims(found: Iterable[Any], data: pd.DataFrame) -> Table:
    """Print claims, environment after environment, with the fields of a ``Claim``; CSV has ``data``."""
    rows = []
    for (env, _), group in itertools.groupby(found, lambda claim: (claim.env, claim.environments)):
        mine = list(group)
        decimals = decimals_for(claim.effect for claim in mine)
        for claim in mine:
            p = MISSING if math.isnan(claim.p_corrected) else p_value(claim.p_corrected)[2:].lstrip("= ")
            verdict = _verdict(claim, decimals)
            effect, trials = number(claim.effect, decimals), f"{claim.n_first} and {claim.n_second}"
            reach = _reach(claim, decimals)
            where = env if claim.environments == 1 else f"{env}, normalised"
            rows.append((where, claim.first, verdict, claim.second, effect, reach, p, trials))
    columns = ["Environment", "First", "Verdict", "Second", "Difference", "95 % interval", "p", "Trials"]
    note = "; ".join(filter(None, ["p is corrected", _note(data)]))
    return Table(data, pd.DataFrame(rows, columns=columns), note)


def aggregates(table: pd.DataFrame, titles: Mapping[str, str], decimals: int, data: pd.DataFrame) -> Table:
    """Print the statistics over environments of ``Results.aggregates``, a column each; CSV has ``data``."""
    rows = []
    for algorithm, mine in table.groupby("algorithm", sort=False):
        by_name = {row.statistic: row for row in mine.itertuples()}
        cells = [_reach(by_name[name], decimals, number(by_name[name].value, decimals)) for name in titles]
        rows.append((algorithm, *cells, f"{mine['n'].iloc[0]} of {mine['of'].iloc[0]}"))
    note = "; ".join(filter(None, ["in brackets: 95 % intervals", _note(table)]))
    return Table(data, pd.DataFrame(rows, columns=["Algorithm", *titles.values(), "Trials"]), note)


def _verdict(claim: Any, decimals: int) -> str:
    """Give the words between the first and the second, with what else is to be known of them."""
    known = {"better": "better than", "equivalent": f"within {number(claim.margin, decimals)} of"}
    words = known.get(claim.verdict, claim.verdict)
    return f"{words} ({claim.reason})" if claim.reason else words


def _reach(row: Any, decimals: int, value: str = "") -> str:
    """Give an interval, behind ``value`` in brackets, with a mark where it is weak; a dash for none."""
    text = interval(row.low, row.high, decimals)
    mark = f" {MARK}" if row.weak and text != MISSING else ""
    return (f"{value} ({text})" if value else text) + mark


def _note(table: pd.DataFrame) -> str:
    """Say what the marks mean."""
    text = weak(table.loc[table["low"].notna(), "weak"])
    return f"{MARK} {text}" if text else ""
