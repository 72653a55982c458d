"""The page of the simulations: ``docs/coverage.md``, written from the numbers in ``docs/coverage.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
FEWEST = 500
"""Unmarked samples below which their coverage is not shown: its standard error is a percent or more."""
PROMISED = 0.93
PASSES = 0.5
"""A shape passes the rule at n where at least this share of its samples is unmarked."""


def passing(rows: Sequence[Row]) -> list[Row]:
    """Give the rows whose shape passes the rule."""
    return [row for row in rows if row["unmarked"] >= PASSES]


def broken(rows: Sequence[Row]) -> list[Row]:
    """Give the rows whose shape passes, but whose unmarked intervals cover less than is promised."""
    return [row for row in passing(rows) if row["coverage_unmarked"] < PROMISED]


def pooled(rows: Sequence[Row]) -> float:
    """Give the coverage of all unmarked intervals of these rows together."""
    unmarked = sum(row["samples_unmarked"] for row in rows)
    return sum(row["samples_unmarked"] * (row["coverage_unmarked"] or 0.0) for row in rows) / unmarked


def table(head: Sequence[str], lines: Sequence[Sequence[str]], words: int = 1) -> str:
    """Give a Markdown table whose first ``words`` columns are text and the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def spread(
    rows: Sequence[Row], down: Sequence[str], across: Sequence[str], cell: Callable[[Row], str],
    heads: Sequence[str], title: Callable[[Row], str],
) -> str:  # fmt: skip
    """Give a table with a line for each value of ``down`` and a column for each of ``across``."""
    columns = list(dict.fromkeys(tuple(row[name] for name in across) for row in rows))
    titles = {tuple(row[name] for name in across): title(row) for row in rows}
    lines = {}
    for row in rows:
        line = lines.setdefault(tuple(str(row[name]) for name in down), dict.fromkeys(columns, ""))
        line[tuple(row[name] for name in across)] = cell(row)
    head = [*heads, *(titles[column] for column in columns)]
    return table(head, [[*key, *line.values()] for key, line in lines.items()], len(down))


def percent(share: float) -> str:
    """Give a share as per cent, as in ``94.8``."""
    return f"{100 * share:.1f}"


def of_unmarked(row: Row) -> str:
    """Give the coverage of unmarked intervals: bold where a shape that passes breaks the promise."""
    if row["samples_unmarked"] < FEWEST:
        return "–"
    text = percent(row["coverage_unmarked"])
    if row["unmarked"] < PASSES:
        return f"({text})"
    return f"**{text}**" if row["coverage_unmarked"] < PROMISED else text
