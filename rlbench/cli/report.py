"""``rlbench report``: write the report of a results folder again."""

from __future__ import annotations

from pathlib import Path

import click

from rlbench.cli import external_plugins, no_plugins_option

RESULTS = Path("results")


@click.command(name="report")
@click.argument("folder", required=False, metavar="[RESULTS/NAME]")
@click.option("--out", metavar="DIR", help="Where to write the report [RESULTS/NAME/report].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(context: click.Context, folder: str | None, out: str | None, as_json: bool) -> None:
    """Write the report of a results folder again, from what is stored alone.

    Without a folder, the newest one in results/ is taken. What is running can be reported, too.
    """
    from rlbench.cli.tables import print_outcome
    from rlbench.loaded import Results
    from rlbench.plugins import load_catalogue

    path = Path(folder) if folder else newest(RESULTS)
    results = Results(path, load_catalogue(external=external_plugins(context)))
    print_outcome(results, results.report(out), as_json=as_json)


def newest(parent: Path) -> Path:
    """Give the results folder in ``parent`` with the latest request; ``UsageError`` if there is none."""
    from rlbench.api import UsageError
    from rlbench.results.frames import is_results_folder

    found = [path for path in sorted(parent.glob("*")) if is_results_folder(path)]
    if not found:
        raise UsageError(f"no results in {parent}; make some with: rlbench run --algos dqn,a2c")
    return max(found, key=_last_request)


def _last_request(folder: Path) -> float:
    files = [*(folder / "experiments").glob("*.json")] or [folder]
    return max(file.stat().st_mtime for file in files)
