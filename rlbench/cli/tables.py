"""Results in the terminal: the score table, the claims, what went wrong, and where the report is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rlbench.loaded import Results


def print_outcome(results: Results, report: Path | None, *, as_json: bool) -> None:
    """Print the score table, the claims and the report's path, or one JSON document and nothing else."""
    from rich.console import Console

    if as_json:
        import json

        click.echo(json.dumps(results.document(report), indent=2, ensure_ascii=False, allow_nan=False))
        return
    print_scores(results, Console())
    print_decisions(results, Console())
    if report is not None:
        click.echo(f"report: {report}")


def aligned(rows: Sequence[Sequence[str]], texts: int) -> list[str]:
    """Give rows as lines that no width cuts off, the first ``texts`` columns to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if index < texts else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def print_scores(results: Results, console: Console) -> None:
    """Print scores by environment, the claims, then everything that has no score, with its reason."""
    from rich.text import Text

    from rlbench.reports.answer import answers
    from rlbench.reports.numbers import count, reasons
    from rlbench.reports.sentences import plain
    from rlbench.results.rows import printable
    from rlbench.running.overview import last_line

    scores = results.scores()
    for env, rows in scores.groupby("env", sort=True):
        console.print(_score_table(str(env), rows))
    weak = scores[(scores["weak"] != "") & (scores["n"] > 1)]
    if not weak.empty:
        console.print(Text(f"* weak interval: {'; '.join(reasons(weak['weak']))}", style="dim"))
    for sentence in answers(results):
        console.print(Text(printable(plain(sentence))))
    trials = results.trials
    for trial in trials[trials["status"] != "finished"].itertuples():
        cause = last_line(trial.error if isinstance(trial.error, str) else "")
        line = f"{trial.status}: {trial.algorithm} on {trial.env}, seed {trial.seed}"
        console.print(Text(line + (f": {cause}" if cause else ""), style="yellow"))
    for row in results.unsupported:
        console.print(Text(f"unsupported: {row['algorithm']} on {row['env']}: {row['reason']}", style="dim"))
    if results.missing:
        text = f"{count(results.missing, 'trial')} asked for and not started; the same command runs them"
        console.print(Text(text, style="yellow"))
    for problem in results.problems:
        console.print(Text(printable(f"damaged: {problem}"), style="red"))


def print_decisions(results: Results, console: Console) -> None:
    """Print what runs until decided have decided, after how many seeds, and what that saved."""
    from rich.text import Text

    from rlbench.reports.decisions import outcome, savings
    from rlbench.results.rows import printable

    decisions = results.decisions()
    if decisions.empty:
        return
    console.print(Text("decided while seeds came in (these decisions count, not p-values):", style="bold"))
    for row in decisions.itertuples():
        line = printable(f"  {row.env}: {outcome(row)} after {row.seeds} of at most {row.max_seeds} seeds")
        console.print(Text(line, style="" if row.verdict != "undecided" else "dim"))
    console.print(Text(savings(*results.trials_used)))


def _score_table(env: str, rows: Any) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from rlbench.reports.numbers import decimals_for, interval, number

    table = Table(title=Text(env, style="bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("algorithm")
    table.add_column("mean", justify="right")
    table.add_column("trials", justify="right")
    table.add_column("95 % interval", justify="right")
    decimals = decimals_for(rows["mean"])
    for row in rows.sort_values("mean", ascending=False, kind="stable").itertuples():
        span = interval(row.low, row.high, decimals)
        mark = " *" if row.weak and row.n > 1 else "  "
        table.add_row(
            Text(row.algorithm),
            number(row.mean, decimals),
            f"{row.n} of {row.of}",
            span + mark,
            style="yellow" if row.n < row.of else None,
        )
    return table
