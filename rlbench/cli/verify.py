"""``rlbench verify``: run stored trials again and compare every number, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlbench.cli import external_plugins, no_plugins_option
from rlbench.results.rows import printable

if TYPE_CHECKING:
    from rich.console import Console

    from rlbench.running.verification import Verdict, Verification

SCHEMA = 1
MOST_PACKAGES = 12
STYLES = {"equal": "green", "different": "red", "damaged": "red"}


@click.command(name="verify")
@click.argument("folder", metavar="RESULTS/NAME")
@click.option(
    "--trials",
    multiple=True,
    metavar="NAMES",
    help="all, or LABEL, LABEL/ENV, LABEL/ENV/seed-K, comma-separated.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many of each algorithm and environment [1; all that --trials names].",
)
@click.option("--jobs", metavar="N", help="Processes at a time [the cores].")
@click.option("--allow-import", is_flag=True, default=None, help="Let module:Env-v0 ids import their module.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(
    context: click.Context,
    folder: str,
    trials: tuple[str, ...],
    sample: int | None,
    jobs: str | None,
    allow_import: bool | None,
    as_json: bool,
) -> int | None:
    """Run trials of a results folder again, elsewhere, and compare every stored number bitwise.

    By default one finished trial of each algorithm and environment. Where something differs, it says what,
    and which versions and hardware are not as they were. Exit code 0 if all is equal, 1 if not.
    """
    from rich.console import Console

    from rlbench.plugins import load_catalogue
    from rlbench.running.options import resolve_options
    from rlbench.running.progress import reporter_for
    from rlbench.running.signals import stop_on_signals
    from rlbench.running.verification import verify

    external = external_plugins(context)
    options = resolve_options({"jobs": jobs, "allow_import": allow_import}, origin="command line")
    names = [name.strip() for text in trials for name in text.split(",") if name.strip()]
    talk = Console(stderr=as_json)
    with stop_on_signals(talk) as stopping:
        found = verify(
            Path(folder),
            options,
            load_catalogue(external=external),
            trials=names,
            sample=sample,
            reporter=lambda: reporter_for(talk),
            stopping=stopping,
            external_plugins=external,
        )
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(document(found))).decode())
    else:
        show(found, Console(highlight=False, markup=False))
    return None if found.equal else 1


def document(found: Verification) -> dict[str, Any]:
    """Give the verification as JSON."""
    return {
        "schema_version": SCHEMA,
        "results": str(found.path),
        "equal": found.equal,
        "trials": found.verdicts,
        "packages": found.packages,
    }


def show(found: Verification, console: Console) -> None:
    """Print each verdict, what differs first, and what is not as it was."""

    def say(line: str, style: str = "") -> None:
        console.print(printable(line), style=style, soft_wrap=True)

    for verdict in found.verdicts:
        name = f"{verdict.algorithm} on {verdict.env}, seed {verdict.seed}"
        say(f"{verdict.outcome:<9}  {name}: {_sum(verdict)}", STYLES[verdict.outcome])
        for file, finding in verdict.files.items():
            if finding.likeness in ("different", "damaged"):
                say(f"           {file}: {finding.detail}")
        for line in _changes(verdict):
            say(f"           {line}")
    if not found.equal and found.packages:
        say(f"packages that are not what they were: {_listed(found.packages)}")
    equal = sum(verdict.outcome == "equal" for verdict in found.verdicts)
    say(f"{equal} of {len(found.verdicts)} trials are bitwise equal")


def _sum(verdict: Verdict) -> str:
    likeness = [finding.likeness for finding in verdict.files.values()]
    parts = [f"{likeness.count(kind)} {kind}" for kind in dict.fromkeys(likeness)]
    return f"files: {', '.join(parts)}"


def _changes(verdict: Verdict) -> list[str]:
    """Say what is not as it was: where it matters, and always where the trial is another one today."""
    from rlbench.running.verification import PLUGIN

    lines = []
    if PLUGIN in verdict.changed:
        then, now = verdict.changed[PLUGIN]
        lines.append(f"it is of {then}, and {now} is installed: today it is another trial, equal or not")
    if verdict.outcome == "different":
        rest = {name: pair for name, pair in verdict.changed.items() if name != PLUGIN}
        if rest:
            lines.append(f"not as it was then: {_listed(rest)}")
        elif not lines:
            lines.append(
                "versions, platform and processor are those of then: a promise is broken, please tell us"
            )
    return lines


def _listed(changes: Mapping[str, tuple[str | None, str | None]]) -> str:
    shown = [f"{name} {then or '(none)'} -> {now or '(none)'}" for name, (then, now) in changes.items()]
    more = f" and {len(shown) - MOST_PACKAGES} more" if len(shown) > MOST_PACKAGES else ""
    return ", ".join(shown[:MOST_PACKAGES]) + more
