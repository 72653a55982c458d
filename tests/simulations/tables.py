"""The page of the simulations: ``docs/coverage.md``, written from the numbers in ``docs/coverage.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

Row = Mapping[str, Any]
SHOWN = 500
"""Unmarked samples below which their coverage is not shown: its standard error is a per cent or more."""

PROMISED = 0.93
PASSES = 0.5
"""A shape passes the rule at n where at least this share of its samples is unmarked."""

SUITES = ("aggregates", "profiles", "improvements")
"""The parts of ``coverage.json`` on what is over environments."""

RARE = "rare failures"
TOO_MANY = 0.057
"""Of 10 000 families: the nominal 5 % and three standard errors."""


def share(row: Row) -> float:
    """Give the share of samples that are not marked."""
    return float(row["unmarked"] / row["samples"])


def covered(row: Row) -> float:
    """Give the coverage of the intervals that are not marked; 0 where there are none."""
    return float(row["covered_unmarked"] / max(row["unmarked"], 1))


def passing(rows: Sequence[Row]) -> list[Row]:
    """Give the rows whose shape passes the rule, rare failures left out."""
    return [row for row in rows if row["kind"] != RARE and share(row) >= PASSES]


def pooled(rows: Sequence[Row]) -> float:
    """Give the coverage of all unmarked intervals together, each shape as often, rare failures left out."""
    counted = [row for row in rows if row["kind"] != RARE]
    return sum(map(covered_share, counted)) / sum(map(share, counted))


def covered_share(row: Row) -> float:
    """Give the share of samples that are not marked and covered."""
    return float(row["covered_unmarked"] / row["samples"])


def as_json(numbers: Mapping[str, Any]) -> str:
    """Give the numbers with a line for each row."""
    parts = [
        f'"{name}": {{"size": {numbers[name]["size"]}, "rows": [\n'
        + ",\n".join(json.dumps(row) for row in numbers[name]["rows"])
        + "\n]}"
        for name in sorted(numbers)
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def table(
    rows: Sequence[Row],
    down: Mapping[str, str],
    across: Callable[[Row], str],
    cell: Callable[[Row], str],
) -> str:
    """Give a Markdown table: a line for each value of ``down``, key to heading, a column for ``across``."""
    columns = list(dict.fromkeys(map(across, rows)))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(tuple(str(row[key]) for key in down), dict.fromkeys(columns, ""))
        line[across(row)] = cell(row)
    written = [[*down.values(), *columns], ["---"] * len(down) + ["---:"] * len(columns)]
    written += [[*key, *line.values()] for key, line in lines.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in written)


def percent(part: float) -> str:
    """Give a share in per cent, as in ``94.8``."""
    return f"{100 * part:.1f}"


def overall(row: Row) -> str:
    """Give the coverage of all intervals, marked or not."""
    return percent(row["coverage"])


def of_unmarked(row: Row) -> str:
    """Give which per cent is unmarked and, of those, the coverage; bold where the promise is broken."""
    text = percent(covered(row)) if row["unmarked"] >= SHOWN else "–"
    broken = share(row) >= PASSES and covered(row) < PROMISED
    return f"{100 * share(row):.0f}: " + (f"**{text}**" if broken else text)


def size(row: Row) -> str:
    """Give the numbers of seeds as a heading."""
    return f"{row['n']} and {row['m']}" if "m" in row else f"n = {row['n']}"


def with_unmarked(rows: Sequence[Row], down: Mapping[str, str]) -> str:
    """Give a table of the coverage of all, with columns at its end for the unmarked where there are any."""
    marks = {row["n"] for row in rows if row["unmarked"]}
    both = [*rows, *({**row, "only": "unmarked"} for row in rows if row["n"] in marks)]
    return table(
        both,
        down,
        lambda row: f"{size(row)}, unmarked" if "only" in row else size(row),
        lambda row: of_unmarked(row) if "only" in row else overall(row),
    )


def extent(rows: Sequence[Row]) -> dict[str, str]:
    """Say how many experiments there are with many seeds and with few, and how sure that makes coverages."""
    sizes = [row["samples"] for row in rows]
    fewest = min(row["unmarked"] for row in passing([row for row in rows if row["unmarked"]]))
    return {
        "size": f"{max(sizes):,}",
        "few": f"{min(sizes):,}",
        "size_error": _error(0.95, max(sizes)),
        "few_error": _error(0.95, min(sizes)),
        "most_error": _error(PROMISED, fewest),
    }


def _error(coverage: float, samples: int) -> str:
    return percent(float((coverage * (1 - coverage) / samples) ** 0.5))


def page(numbers: Mapping[str, Any]) -> str:
    """Give the whole page."""
    means, differences, errors, power = (
        numbers[part]["rows"] for part in ("means", "differences", "errors", "power")
    )
    aggregates, profiles, improvements = (numbers[part]["rows"] for part in SUITES)
    shape, pair = {"shape": "scores"}, {"shape": "scores", "against": "against"}
    suite = {"suite": "scores", "environments": "environments"}
    suite_differences, suite_errors = (numbers[f"suite_{part}"]["rows"] for part in ("differences", "errors"))
    suite_even = [row for row in suite_errors if row["exchangeable"]]
    suite_uneven = [row for row in suite_errors if not row["exchangeable"]]
    even = [row for row in errors if row["exchangeable"]]
    uneven = [row for row in errors if not row["exchangeable"]]
    family = {"null": "scores", "algorithms": "algorithms"}
    statistics = dict.fromkeys(row["statistic"] for row in aggregates)
    marks = {row["n"] for row in aggregates if row["unmarked"]}
    ends = {
        f"{name}_{what}": function([row for row in rows if row["unmarked"]])
        for name in ("means", "differences", *SUITES, "suite_differences")
        for rows in [numbers[name]["rows"]]
        for what, function in (
            ("worst", lambda rows: percent(min(map(covered, passing(rows))))),
            ("pooled", lambda rows: percent(pooled(rows))),
            ("passing", lambda rows: str(len(passing(rows)))),
        )
    }
    text = Template(Path(__file__).with_name("page.md").read_text(encoding="utf-8"))
    return text.substitute(
        ends,
        means_size=f"{numbers['means']['size']:,}",
        differences_size=f"{numbers['differences']['size']:,}",
        **{f"{name}_{what}": text for name in SUITES for what, text in extent(numbers[name]["rows"]).items()},
        errors_size=f"{numbers['errors']['size']:,}",
        power_size=f"{numbers['power']['size']:,}",
        pooled_by_n="; ".join(
            f"{percent(pooled([row for row in means if row['n'] == n]))} at {n}"
            for n in dict.fromkeys(row["n"] for row in means if row["unmarked"])
        ),
        means_wrong=percent(max(share(row) - covered_share(row) for row in means if row["kind"] != RARE)),
        rare_wrong=", ".join(
            f"{100 * (share(row) - covered_share(row)):.0f} % of samples of "
            + row["shape"].replace(", ", " and ")
            for row in means
            if row["kind"] == RARE and row["n"] == 10
        ),
        normal_marked="; ".join(
            f"{100 - 100 * share(row):.0f} % at {row['n']}"
            for row in means
            if row["shape"] == "normal" and row["unmarked"]
        ),
        means=table(means, shape, size, overall),
        means_unmarked=table([row for row in means if row["n"] >= 10], shape, size, of_unmarked),
        differences=table(differences, pair, size, overall),
        differences_unmarked=table(
            [row for row in differences if min(row["n"], row["m"]) >= 10], pair, size, of_unmarked
        ),
        aggregates="\n\n".join(
            f"**{name.replace('_', ' ').capitalize()}**\n\n"
            + table([row for row in aggregates if row["statistic"] == name], suite, size, overall)
            for name in statistics
        ),
        aggregates_unmarked=table(
            [row for row in aggregates if row["n"] in marks],
            suite,
            lambda row: f"{row['statistic'].replace('_', ' ')}, n = {row['n']}",
            of_unmarked,
        ),
        suite_differences_size=f"{numbers['suite_differences']['size']:,}",
        suite_differences_unmarked=table(
            suite_differences,
            {**pair, "environments": "environments"},
            lambda row: f"spreads {row['spreads']}, {size(row)}",
            of_unmarked,
        ),
        suite_errors_size=f"{numbers['suite_errors']['size']:,}",
        suite_errors_environments=" and ".join(sorted({str(row["environments"]) for row in suite_errors})),
        suite_errors_most=percent(max(row["error"] for row in suite_even)),
        suite_errors=table(suite_even, family, size, lambda row: percent(row["error"])),
        suite_uneven=table(suite_uneven, family, size, lambda row: percent(row["error"])),
        profiles=with_unmarked(profiles, {**suite, "above": "share above"}),
        improvements=with_unmarked(
            improvements, {**suite, "lead": "lead", "probability": "true probability"}
        ),
        errors_most=percent(max(row["error"] for row in even)),
        errors_bar=percent(TOO_MANY),
        errors=table(even, family, size, lambda row: percent(row["error"])),
        uneven=table(uneven, family, size, lambda row: percent(row["error"])),
        power=table(
            power,
            {"scores": "scores", "algorithms": "algorithms", "n": "seeds each"},
            lambda row: f"{row['effect']} deviations",
            lambda row: percent(row["power"]),
        ),
    )
