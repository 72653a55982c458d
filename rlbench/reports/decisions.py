"""The section on comparisons that were decided while seeds came in."""

from __future__ import annotations

from typing import Any

from rlbench.api import Section
from rlbench.reports.markup import fragment
from rlbench.reports.numbers import count


def decisions(results: Any) -> Section | None:
    """Show what runs until decided have decided, and after how many seeds."""
    table = results.decisions()
    if table.empty:
        return None
    rows = [(row, outcome(row)) for row in table.itertuples()]
    groups = [(env, [pair for pair in rows if pair[0].env == env]) for env in dict.fromkeys(table["env"])]
    families = sorted({int(tests) for tests in table["tests"]})
    html = fragment(
        "decisions.html",
        groups=groups,
        families=" and of ".join(count(tests, "comparison") for tests in families),
        savings=savings(*results.trials_used),
    )
    return Section(html, tables={"decisions": table})


def outcome(row: Any) -> str:
    """Say one decision in words."""
    if row.verdict == "undecided":
        return f"{row.first} or {row.second}: undecided"
    better, worse = (row.first, row.second) if row.verdict == "larger" else (row.second, row.first)
    return f"{better} is better than {worse}"


def savings(used: int, most: int) -> str:
    """Say how many trials the decisions took, and how many all seeds for all would have been."""
    saved = f"{1 - used / most:.0%} fewer than all seeds for all" if used < most else "all seeds for all"
    return f"{used:,} of {count(most, 'trial')} were run: {saved}"
