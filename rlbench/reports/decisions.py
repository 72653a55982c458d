"""The section on comparisons that were decided while seeds came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlbench.api import Section
from rlbench.reports.markup import fragment
from rlbench.reports.numbers import count

if TYPE_CHECKING:
    import pandas as pd


def decisions(results: Any) -> Section | None:
    """Show what runs until decided have decided, and after how many seeds."""
    table = results.decisions()
    if table.empty:
        return None
    rows = [(row, outcome(row)) for row in table.itertuples()]
    groups = [(env, [pair for pair in rows if pair[0].env == env]) for env in dict.fromkeys(table["env"])]
    families = [int(tests) for tests in table.groupby("run")["tests"].first()]
    html = fragment(
        "decisions.html",
        groups=groups,
        families=[count(tests, "comparison") for tests in sorted(families)],
        savings=savings(*results.trials_used),
    )
    return Section(html, tables={"decisions": table})


def chosen(pairs: pd.DataFrame) -> pd.Series:
    """Say of each comparison whether a reason stands in the place of p, which takes the seeds as fixed."""
    return pairs["p"].isna() & (pairs["reason"] != "")


def outcome(row: Any) -> str:
    """Say one decision in words."""
    if row.verdict == "undecided":
        return f"{row.first} or {row.second}: undecided{row.reason and f' ({row.reason})'}"
    return f"{row.first} is better than {row.second}"


def savings(used: int, most: int) -> str:
    """Say how many trials the decisions took, and how many all seeds for all would have been."""
    saved = f"{1 - used / most:.0%} fewer than all seeds for all" if used < most else "all seeds for all"
    return f"{used:,} of {count(most, 'trial')} were run: {saved}"
