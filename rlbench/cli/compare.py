"""``rlbench compare``: what changed from one results folder to another, seed by seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlbench.cli import external_plugins, no_plugins_option
from rlbench.cli.tables import aligned
from rlbench.results.rows import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

SCHEMA = 1
STYLES = {"better": "green", "worse": "red", "identical": "dim", "not judged": "dim"}


@click.command(name="compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="A score to compare; repeatable [final]."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(context: click.Context, a: str, b: str, metrics: tuple[str, ...], as_json: bool) -> int | None:
    """Compare the results folder B with A, such as two versions of an algorithm, paired by seed.

    Exit code 0 if nothing in B is decided to be worse, 1 if something is, or if a trial that finished in A
    failed or is damaged in B, 2 if A and B have nothing in common. Speed is shown and not judged.
    """
    from rlbench.comparing import compare, failures
    from rlbench.loaded import DEFAULT_METRIC, Results
    from rlbench.plugins import load_catalogue

    catalogue = load_catalogue(external=external_plugins(context))
    before, after = (Results(Path(path), catalogue) for path in (a, b))
    names = metrics or (DEFAULT_METRIC,)
    rows, failed = compare(before, after, names), failures(before, after)
    if as_json:
        import json

        from rlbench.results.rows import json_rows

        document = {
            "schema_version": SCHEMA,
            "a": str(before.path),
            "b": str(after.path),
            "metrics": list(names),
            "comparisons": json_rows(rows),
            "failed": json_rows(failed),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        show(rows, failed, Console(highlight=False, markup=False))
    return 1 if (rows["verdict"] == "worse").any() or len(failed) else None


def show(rows: pd.DataFrame, failed: pd.DataFrame, console: Console) -> None:
    """Print a table for each environment, what is to be said of its rows, and the verdicts in numbers."""
    from rlbench.reports.numbers import count
    from rlbench.reports.numbers import weak as weakness

    def say(line: str, style: str = "") -> None:
        console.print(printable(line), style=style, soft_wrap=True)

    for env, mine in rows.groupby("env", sort=True):
        say(str(env), "bold")
        listed = list(mine.itertuples())
        head, *lines = aligned([_HEAD, *(_cells(row) for row in listed)], texts=3)
        say(head, "dim")
        for row, line in zip(listed, lines, strict=True):
            say(line, STYLES.get(row.verdict, ""))
        judged = Counter(row.algorithm for row in listed if row.verdict != "not judged")
        told: dict[tuple[str, str], list[str]] = {}
        for row in listed:
            for text in _told(row):
                told.setdefault((row.algorithm, text), []).append(row.metric)
        for (algorithm, text), scores in told.items():
            of_some = f" ({', '.join(scores)})" if len(scores) < judged[algorithm] else ""
            say(f"  {algorithm}{of_some}: {text}")
        say("")
    if weak := weakness(rows["weak"]):
        say(f"* {weak}", "dim")
    for row in failed.itertuples():
        say(f"{row.status} in B, finished in A: {row.algorithm} on {row.env}, seed {row.seed}", "red")
    verdicts = rows.loc[rows["verdict"] != "not judged", "verdict"].value_counts(sort=False).sort_index()
    tests = int(rows["tests"].max())
    sums = ", ".join(f"{amount} {verdict}" for verdict, amount in verdicts.items())
    say(f"B against A: {sums}" + (f"; p corrected over {count(tests, 'test')} (Holm)" if tests else ""))


_HEAD = ["algorithm", "score", "verdict", "A", "B", "B - A", "95 % interval", "p", "pairs"]


def _cells(row: Any) -> list[str]:
    from rlbench.reports.numbers import decimals_for, interval, number, p_value

    decimals = decimals_for([row.mean_a, row.mean_b])
    p = "" if row.p_corrected != row.p_corrected else p_value(row.p_corrected)[2:].removeprefix("= ")
    return [
        printable(row.algorithm),
        printable(row.metric),
        row.verdict,
        *(number(value, decimals) for value in (row.mean_a, row.mean_b, row.difference)),
        interval(row.low, row.high, decimals) + (" *" if row.weak else "  "),
        p,
        f"{row.n} of {row.of}",
    ]


def _told(row: Any) -> list[str]:
    """Give what a reader must know of a row."""
    if row.verdict == "not judged":
        return [f"speed is not judged: {row.reason}"]
    told = [row.reason, *row.notes.split("; ")]
    if row.verdict == "cannot be decided" and row.p_smallest == row.p_smallest:
        told.append(f"no p below {row.p_smallest:.3g} is possible with these pairs, before correction")
    return list(dict.fromkeys(filter(None, told)))
