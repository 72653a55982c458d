"""Numbers as people read them, alike in the page, the tables and the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rlbench.reports.sentences import enumerated

MISSING = "–"


def decimals_for(values: Iterable[float]) -> int:
    """Give the decimals that show numbers of this size to about four figures: 1 for 494.3, 3 for 0.741."""
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    if not sizes:
        return 0
    return min(3, max(0, 3 - math.floor(math.log10(max(sizes)))))


def number(value: float | None, decimals: int) -> str:
    """Give ``1,234.5`` or ``−0.50``; a dash for what is missing."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) != 0 else text.lstrip("-")


def interval(low: float, high: float, decimals: int) -> str:
    """Give ``480.1 to 500.0``; a dash where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    return f"{number(low, decimals)} to {number(high, decimals)}"


def outcome(low: float, high: float, decimals: int) -> str:
    """Give ``480.1 to 500.0`` for what a run may give; an infinite end is a run that fails."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    ends = ["no score" if math.isinf(end) else number(end, decimals) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def reasons(marks: Iterable[str]) -> list[str]:
    """Give each reason once for which one of several intervals is marked as weak."""
    return list(dict.fromkeys(reason for mark in marks for reason in mark.split("; ") if reason))


def reasons_in(*tables: Any) -> list[str]:
    """Give the reasons of frames with ``low`` and ``weak``, of those intervals that are there."""
    return reasons(mark for table in tables for mark in table.loc[table["low"].notna(), "weak"])


def weak(marks: Iterable[str]) -> str:
    """Give ``weak: fewer than 10 seeds`` from the marks of several intervals; empty where none is marked."""
    found = enumerated(reasons(marks))
    return f"weak: {found}" if found else ""


def p_value(value: float) -> str:
    """Give ``p = 0.016``, or ``p < 0.001``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"


def duration(seconds: float) -> str:
    """Give ``45 s``, ``12 min`` or ``3.2 h``."""
    if math.isnan(seconds):
        return MISSING
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5940 else f"{seconds / 3600:.1f} h"


def count(number: int, noun: str) -> str:
    """Give ``1 trial`` or ``1,200 trials``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
