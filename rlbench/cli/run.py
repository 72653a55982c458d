"""``rlbench run``: train algorithms on environments, evaluate them, and write a report."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from rlbench.cli import external_plugins, no_plugins_option

if TYPE_CHECKING:
    from rich.console import Console


@click.command(name="run", context_settings={"show_default": False})
@click.option("--algos", metavar="NAMES", help="Algorithms, comma-separated; LABEL=NAME gives a label.")
@click.option("--envs", metavar="IDS", help="Environments, comma-separated [CartPole-v1].")
@click.option("--seeds", metavar="SEEDS", help="A count (5), a list (3,8 or 3,) or a range (3:8) [5].")
@click.option(
    "--until-decided",
    is_flag=True,
    default=None,
    help="Add as many seeds again and again, only where a comparison is undecided.",
)
@click.option("--max-seeds", metavar="N", help="With --until-decided, seeds at most [30].")
@click.option("--steps", metavar="N", help="Environment steps of each trial [50000].")
@click.option("--jobs", metavar="N", help="Processes at a time [the cores].")
@click.option("--out", metavar="DIR", help="Results folder [results/NAME]; what is there is not run again.")
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:INDEX [auto].")
@click.option(
    "--set", "settings", multiple=True, metavar="LABEL.KEY=VALUE", help="A setting of an algorithm."
)
@click.option(
    "--env-set", "env_settings", multiple=True, metavar="ENV.KEY=VALUE", help="An argument of an environment."
)
@click.option("--eval-points", metavar="N", help="Evaluations of each trial [20].")
@click.option("--eval-episodes", metavar="N", help="Episodes of each evaluation [5].")
@click.option("--max-episode-steps", metavar="N", help="Time limit [the environment's own, else 1000].")
@click.option("--config", metavar="FILE.toml", help="Read options from a TOML file.")
@click.option("--executor", metavar="NAME", help="What runs the cohorts [local].")
@click.option("--retries", metavar="N", help="Further attempts at a trial whose worker dies [2].")
@click.option("--checkpoint-every", metavar="SECONDS", help="Time between checkpoints; 0 for never [60].")
@click.option("--stall-limit", metavar="SECONDS", help="Silence after which a worker is killed [600].")
@click.option("--memory-limit", metavar="MIB", help="Memory beyond which a worker is killed [none].")
@click.option("--trackers", metavar="NAMES", help="Trackers that are told what happens, comma-separated.")
@click.option("--allow-import", is_flag=True, default=None, help="Let module:Env-v0 ids import their module.")
@click.option(
    "--video", is_flag=True, default=None, help="Draw an episode of each algorithm on each environment."
)
@click.option("--dry-run", is_flag=True, help="Show the resolved plan, and where each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(
    context: click.Context, config: str | None, dry_run: bool, as_json: bool, **options: Any
) -> int | None:
    """Train algorithms on environments, evaluate them, and write a report.

    The same command again runs only what is missing. Options win over environment variables
    (RLBENCH_STEPS and so on), over the file, over presets, over defaults.

    \b
    Examples:
      rlbench run --algos dqn,a2c --seeds 5
      rlbench run --algos dqn,a2c,reinforce --seeds 5 --until-decided --max-seeds 30
      rlbench run --algos dqn,small=dqn --set small.hidden_sizes=[32] --envs Acrobot-v1
    """
    from rich.console import Console

    from rlbench import experiment
    from rlbench.running.options import VARIABLES
    from rlbench.running.runner import started_executor

    given = {name: value for name, value in options.items() if value not in (None, ())}
    external = external_plugins(context)
    request, catalogue = experiment.read_request(
        given, config=config, external_plugins=external, origin="command line"
    )
    if dry_run:
        _show_plan(experiment.describe_plan(experiment.make_plan(request, catalogue), catalogue), as_json)
        return None
    variables = [f"{name}={shlex.quote(os.environ[name])}" for name in VARIABLES if os.environ.get(name)]
    with started_executor(request, catalogue) as executor:
        plan = experiment.make_plan(request, catalogue)
        unchanged = not (request.until_decided or experiment.describe_plan(plan, catalogue)["missing"])
        results = experiment.run_plan(
            plan,
            catalogue,
            executor=executor,
            console=Console(stderr=as_json),
            command=" ".join([*variables, "rlbench", *map(shlex.quote, sys.argv[1:])]),
            external_plugins=external,
            last=_prepare_report,
        )
    if unchanged and not as_json and (current := results.current_report()):
        click.echo(f"report: {current} (`rlbench report` prints its table)")
        return None
    report = results.report()
    from rlbench.cli.tables import print_outcome

    print_outcome(results, report, as_json=as_json)
    return 1 if results.trials["status"].isin(["failed", "damaged"]).any() else None


def _prepare_report() -> None:
    """Import what the end needs, a second's work, beside the last cohorts instead of after them."""

    def load() -> None:
        for module in ("pyarrow.parquet", "rlbench.reports.page", "rlbench.reports.sections"):
            importlib.import_module(module)

    threading.Thread(target=load, daemon=True).start()


def _show_plan(document: dict[str, Any], as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
        return
    _print_plan(document, Console())


def _print_plan(document: dict[str, Any], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="options", title_justify="left")
    for column in ("option", "value", "from"):
        table.add_column(column)
    for row in document["options"]:
        table.add_row(Text(row["name"]), Text(str(row["value"])), Text(row["origin"]))
    console.print(table)
    for arm in document["arms"]:
        table = Table(
            title=Text(f"{arm['label']} ({arm['algorithm']}) on {arm['env']}"), title_justify="left"
        )
        for column in ("setting", "value", "from"):
            table.add_column(column)
        for key, value in arm["config"].items():
            table.add_row(Text(key), Text(str(value)), Text(arm["origins"][key]))
        console.print(table)
    for row in document["unsupported"]:
        console.print(Text(f"unsupported: {row['algorithm']} on {row['env']}: {row['reason']}"))
    for line in _work(document):
        console.print(Text(line))


def _work(document: dict[str, Any]) -> list[str]:
    """Say what the run would do next."""
    missing, folder = document["missing"], document["folder"]
    counts = f"{document['trials']} trials, {missing} of them to run, in {folder}"
    if "group" not in document:
        return [counts]
    group = document["group"]
    number, of, seeds = group["number"], group["of"], group["seeds"]
    pairs = "; ".join(group["undecided"])
    if missing:
        where = f"group {number} of {of}, seeds {seeds[0]} to {seeds[-1]}: {counts}"
        return [where, f"at most {document['at_most']} trials until decided; undecided: {pairs}"]
    return [
        f"nothing to run in {folder}: "
        + (f"undecided at the last seed: {pairs}" if pairs else "all is decided")
    ]
