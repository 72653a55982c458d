"""The command line: verbs that are imported when used, and the one place where errors become messages."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import click

from rlbench import __version__, discovery


class Verb(NamedTuple):
    """Where a verb's ``command`` is, and its line in ``rlbench --help``."""

    module: str
    help: str


VERBS = {
    "run": Verb("rlbench.cli.run", "Train algorithms on environments, evaluate them, and write a report."),
    "report": Verb(
        "rlbench.cli.report", "Write the report of a results folder again, from what is stored alone."
    ),
    "compare": Verb(
        "rlbench.cli.compare", "Compare two results folders, such as two versions, seed by seed."
    ),
    "status": Verb("rlbench.cli.status", "Show what is finished, running, failed, missing or stale."),
    "verify": Verb("rlbench.cli.verify", "Run trials of a results folder again, and compare every number."),
    "replay": Verb("rlbench.cli.replay", "Play a stored evaluation episode again, as a moving picture."),
    "plugins": Verb("rlbench.cli.plugins", "List plugins, what they provide, and what is wrong with them."),
    "doctor": Verb("rlbench.cli.doctor", "Look for what would keep a run from going well, and say the cure."),
}
NO_PLUGINS = "rlbench.no_plugins"


def _switch_off(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[NO_PLUGINS] = True


no_plugins_option = click.option(
    "--no-plugins",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_switch_off,
    help="Use nothing but what rlbench itself provides.",
)
"""For verbs that load plugins: the same as ``rlbench --no-plugins VERB``."""


def external_plugins(context: click.Context) -> bool:
    """Whether the running verb may load external plugins."""
    return not context.meta.get(NO_PLUGINS, False)


class Main(click.Group):
    """Lists built-in verbs and the commands of plugins without importing any of them."""

    def _foreign(self, ctx: click.Context) -> dict[str, list[discovery.Found]]:
        commands: dict[str, list[discovery.Found]] = {}
        for one in discovery.find(discovery.COMMANDS, os.environ, external_plugins(ctx)):
            if not one.disabled and one.point.name not in VERBS:
                commands.setdefault(one.point.name, []).append(one)
        return commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every verb, the built-in ones first."""
        return [*VERBS, *sorted(self._foreign(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name in VERBS:
            return importlib.import_module(VERBS[cmd_name].module).command
        claims = self._foreign(ctx).get(cmd_name)
        return _load_foreign(cmd_name, claims) if claims else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs."""
        foreign = self._foreign(ctx)
        rows = [(name, verb.help) for name, verb in VERBS.items()]
        rows += [
            (name, "From the plugin " + " and ".join(one.distribution for one in foreign[name]) + ".")
            for name in sorted(foreign)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one was probably meant."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from rlbench.api import did_you_mean

            cure = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"there is no command {args[0]!r}; {cure}", ctx)
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the verb; it returns its exit code, or ``None`` for 0."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        _open_standard_streams()
        gc.set_threshold(100_000)  # imports make many objects and no garbage: a third of their time
        try:
            code = super().main(args, prog_name, complete_var, False, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _stop(_usage_message(error), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)
        except BrokenPipeError:  # whoever reads our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _stop(f"the output could not be written: {error.strerror}; free space and run it again", 3)
        except Exception as error:
            api = sys.modules.get("rlbench.api")  # whoever raised one of its errors has imported it
            if api is None or not isinstance(error, api.RlbenchError):
                raise
            _stop(str(error), error.exit_code)
        gc.freeze()  # the process ends: looking for garbage in all that it imported takes half a second
        sys.exit(code or 0)


def _open_standard_streams() -> None:
    """Open those of descriptors 0 to 2 that whoever started this process had closed, to nothing."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def _load_foreign(name: str, claims: list[discovery.Found]) -> click.Command:
    from rlbench.api import PluginError

    if len(claims) > 1:
        owners = " and ".join(f"{one.distribution} {one.version}" for one in claims)
        raise PluginError(f"the command {name!r} is claimed by {owners}; uninstall one")
    owner = f"{claims[0].distribution} {claims[0].version}"
    try:
        command = claims[0].point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"the command {name!r} of {owner} cannot be loaded: {type(error).__name__}: {error}; "
            f"reinstall or uninstall {claims[0].distribution}"
        ) from error
    if not isinstance(command, click.Command):
        raise PluginError(f"the command {name!r} of {owner} is {command!r}; it must be a click command")
    return command


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None or "; " in message or message.endswith("?"):
        return message
    return f"{message}; see `{context.command_path} --help`"


def _stop(message: str, code: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rlbench", message="%(prog)s %(version)s")
@no_plugins_option
def main() -> None:
    """Compare reinforcement-learning algorithms: many seeds at once, reproducible to the bit."""
