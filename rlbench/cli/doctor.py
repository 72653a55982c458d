"""``rlbench doctor``: look for what would keep a run from going well."""

from __future__ import annotations

from pathlib import Path

import click

from rlbench.cli import external_plugins, no_plugins_option
from rlbench.cli.report import RESULTS
from rlbench.results.rows import printable

SCHEMA = 1


@click.command(name="doctor")
@click.option("--out", metavar="DIR", help="The results folder to look at [results].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(context: click.Context, out: str | None, as_json: bool) -> int | None:
    """Check plugins, the results folder, locks, versions and devices, and run one trial of a moment.

    Each problem comes with its cure. Nothing is left behind. Exit code 1 if something is wrong.
    """
    from rich.console import Console

    from rlbench.running.doctor import examine

    console = Console(highlight=False, markup=False)
    checks = []
    for check in examine(Path(out) if out else RESULTS, external_plugins=external_plugins(context)):
        checks.append(check)
        if not as_json:
            line = "; ".join(filter(None, (f"{check.name}: {check.text}", check.cure)))
            mark = "ok     " if check.ok else "problem"
            console.print(f"{mark}  {printable(line)}", style="" if check.ok else "red", soft_wrap=True)
    well = all(check.ok for check in checks)
    if as_json:
        import json

        rows = [check._asdict() for check in checks]
        click.echo(
            json.dumps({"schema_version": SCHEMA, "ok": well, "checks": rows}, indent=2, ensure_ascii=False)
        )
    return None if well else 1
