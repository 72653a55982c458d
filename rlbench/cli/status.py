"""``rlbench status``: what stands in a results folder, and what the same command would do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlbench.cli.report import RESULTS, newest
from rlbench.cli.tables import aligned
from rlbench.results.rows import name_seeds, printable

if TYPE_CHECKING:
    from rich.console import Console

    from rlbench.running.overview import Overview, Standing

SCHEMA = 1
STYLES = {"skip": "dim", "retry": "yellow", "leave": "yellow"}


@click.command(name="status")
@click.argument("folder", required=False, metavar="[RESULTS/NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
def command(folder: str | None, as_json: bool) -> None:
    """Show what is finished, running, failed, missing or stale, and what the same command would do about it.

    Without a folder, the newest one in results/ is taken. Nothing is written or locked: it works while a run
    is on. The tables of finished trials are not read; `rlbench report` checks those.
    """
    from rlbench.running.overview import overview_of

    seen = overview_of(Path(folder) if folder else newest(RESULTS))
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(document(seen))).decode())
        return
    from rich.console import Console

    show(seen, Console(highlight=False, markup=False))


def document(seen: Overview) -> dict[str, Any]:
    """Give the overview as JSON."""
    return {
        "schema_version": SCHEMA,
        "results": str(seen.path),
        "running_for": seen.running_for,
        "summary": seen.summary(),
        "trials": seen.trials,
        "unsupported": seen.unsupported,
        "problems": seen.problems,
    }


def show(seen: Overview, console: Console) -> None:
    """Print counts, then every trial with what would be done and why, equal ones in one line."""
    from rlbench.running.overview import ACTIONS, STATES, duration

    def say(line: str, style: str = "") -> None:
        console.print(printable(line), style=style, soft_wrap=True)

    say(str(seen.path), "bold")
    if seen.running_for is not None:
        say(
            f"a run has been writing here for {duration(seen.running_for)}; "
            "the same command is refused until it ends, and then does what is below"
        )
    head, *rows = _counts(seen.summary(), (*STATES, "stale"))
    say(head, "bold")
    for line in rows:
        say(line)
    say("")
    cell = None
    for (algorithm, env, action, why), trials in _together(seen.trials):
        if cell != (algorithm, env):
            cell = (algorithm, env)
            say(f"{algorithm} on {env}", "bold")
        say(f"  {action:<8}  {_seeds(trials)}: {why}", STYLES.get(action, ""))
    for row in seen.unsupported:
        say(f"unsupported: {row['algorithm']} on {row['env']}: {row['reason']}", "dim")
    for problem in sorted(set(seen.problems) - {trial.error for trial in seen.trials}):
        say(f"damaged: {problem}", "red")
    counts = Counter(trial.action for trial in seen.trials)
    plan = ", ".join(f"{action} {counts[action]}" for action in ACTIONS if counts[action])
    say(f"the same command would {plan or 'do nothing'}")


def _counts(summary: list[dict[str, Any]], names: tuple[str, ...]) -> list[str]:
    """Align the summary in lines that no width cuts off, without the columns that hold nothing."""
    names = tuple(name for name in names if any(row[name] for row in summary))
    rows = [["algorithm", "environment", *names, "all"]]
    for row in summary:
        cell = [printable(row["algorithm"]), printable(row["env"])]
        rows.append(cell + [str(row[name] or "") for name in (*names, "all")])
    return aligned(rows, texts=2)


def _together(trials: Iterable[Standing]) -> list[tuple[tuple[str, str, str, str], list[Standing]]]:
    """Group trials of which the same is to be said, in their order."""
    groups: dict[tuple[str, str, str, str], list[Standing]] = {}
    for trial in trials:
        groups.setdefault((trial.algorithm, trial.env, trial.action, trial.why), []).append(trial)
    return sorted(groups.items(), key=lambda group: group[0][:2])


def _seeds(trials: list[Standing]) -> str:
    """Name trials by their seeds, as in ``seeds 0-3, 7``."""
    seeds = {trial.seed for trial in trials if trial.seed is not None}
    return name_seeds(seeds) if seeds else f"{len(trials)} trials"
