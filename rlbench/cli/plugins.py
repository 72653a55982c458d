"""``rlbench plugins``: what is installed, what it provides, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rlbench.cli import external_plugins, no_plugins_option

if TYPE_CHECKING:
    from rlbench.plugins import Catalogue

_MOST_NUMBERS = 4  # shown of a plugin that brings references or published figures


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List plugins, what they provide, and what is wrong with them.

    Broken plugins are shown with their traceback; they are no reason to fail.
    """
    from rlbench.plugins import load_catalogue

    catalogue = load_catalogue(external=external_plugins(context))
    if as_json:
        click.echo(json.dumps(document(catalogue), indent=2, ensure_ascii=False))
    else:
        show(catalogue)


def document(catalogue: Catalogue) -> dict[str, object]:
    """Give the catalogue as JSON: every field of every plugin, and the names that are in dispute."""
    return {
        "schema_version": 1,
        "plugins": [asdict(plugin) for plugin in catalogue.plugins],
        "conflicts": [
            {"hook": hook, "name": name, "distributions": [plugin.distribution for plugin in plugins]}
            for (hook, name), plugins in catalogue.conflicts.items()
        ],
        "overruled": [
            {"hook": hook, "name": name, "distributions": [plugin.distribution for plugin in plugins]}
            for (hook, name), plugins in catalogue.overruled.items()
        ],
    }


def show(catalogue: Catalogue) -> None:
    """Print a table of plugins, then conflicts and tracebacks."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rlbench.plugins import EXTENSIONS

    console = Console(highlight=False, markup=False)
    table = Table("plugin", "distribution", "version", "provides")
    for plugin in catalogue.plugins:
        lines = [
            f"{EXTENSIONS[hook].noun}: {_listed(names, EXTENSIONS[hook].measured)}"
            for hook, names in plugin.provides.items()
            if not plugin.error
        ]
        if plugin.disabled:
            lines = [f"switched off by {plugin.disabled}"]
        if plugin.error:
            lines = [f"broken: {plugin.error}"]
        row = (plugin.name, plugin.distribution, plugin.version, "\n".join(lines) or "nothing")
        table.add_row(*map(Text, row), style="red" if plugin.error else "")
    console.print(table)
    for (hook, name), plugins in catalogue.conflicts.items():
        owners = " and ".join(plugin.owner for plugin in plugins)
        console.print(f"conflict: the {EXTENSIONS[hook].noun} {name!r} is claimed by {owners}", style="red")
    for (hook, name), plugins in catalogue.overruled.items():
        owners = " and ".join(plugin.owner for plugin in plugins)
        console.print(f"overruled: the {EXTENSIONS[hook].noun} {name!r} of {owners}; rlbench's own is frozen")
    for plugin in catalogue.plugins:
        if plugin.error:
            console.print(f"\n{plugin.owner} is broken:", style="red")
            console.print(plugin.traceback.rstrip(), soft_wrap=True)


def _listed(names: Sequence[str], measured: bool) -> str:
    """Give the names; of many numbers, those that fit on a few lines."""
    if measured and len(names) > _MOST_NUMBERS:
        return f"{len(names)}, such as {names[0]}; --json lists them"
    return ", ".join(name or "(none)" for name in names)
