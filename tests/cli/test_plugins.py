"""The frame of the command line, and ``rlbench plugins``."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from rlbench import __version__, api
from rlbench.cli import VERBS, main

GOOD = """
    from rlbench.api import AlgorithmSpec
    from rlbench.hookspecs import hookimpl

    @hookimpl
    def rlbench_algorithms():
        yield AlgorithmSpec("{name}", config=dict, agent=object)
"""
HELLO = """
    import click

    @click.command()
    @click.argument("name")
    def hello(name):
        "Greet."
        click.echo(f"hello {name}")
"""


def test_help_lists_every_verb_with_its_line(rlbench):
    shown = rlbench("--help")
    assert shown.returncode == 0
    for verb in VERBS:
        assert f"  {verb} " in shown.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_of_its_own(verb):
    shown = CliRunner().invoke(main, [verb, "--help"], prog_name="rlbench")
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: rlbench {verb} ")


def test_version(rlbench):
    assert rlbench("--version").stdout == f"rlbench {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "error: there is no command 'rnu'; did you mean 'run'?\n"),
        (["plugins", "--jsn"], "error: No such option '--jsn'. Did you mean '--json'?\n"),
        (["plugins", "extra"], "see `rlbench plugins --help`\n"),
    ],
)
def test_wrong_usage_is_one_line_with_its_cure(rlbench, arguments, message):
    answer = rlbench(*arguments)
    assert answer.returncode == 2
    assert answer.stderr.endswith(message)
    assert answer.stderr.count("\n") == 1
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (api.UsageError("cause; cure"), 2),
        (api.FolderError("cause; cure"), 3),
        (api.PluginError("cause; cure"), 4),
    ],
)
def test_every_error_of_ours_is_a_message_and_an_exit_code(monkeypatch, error, code):
    @click.command("broken")
    def command():
        raise error

    monkeypatch.setattr(type(main), "get_command", lambda *_: command)
    answer = CliRunner().invoke(main, ["run"])
    assert (answer.exit_code, answer.stderr) == (code, "error: cause; cure\n")


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_what_a_verb_returns_is_the_exit_code(monkeypatch, returned, code):
    command = click.command("verb")(lambda: returned)
    monkeypatch.setattr(type(main), "get_command", lambda *_: command)
    assert CliRunner().invoke(main, ["run"]).exit_code == code


def test_an_interrupt_is_130(monkeypatch):
    @click.command("slow")
    def command():
        raise KeyboardInterrupt

    monkeypatch.setattr(type(main), "get_command", lambda *_: command)
    assert CliRunner().invoke(main, ["run"]).exit_code == 130


def test_a_reader_that_leaves_early_is_no_error():
    child = subprocess.Popen(
        [sys.executable, "-c", "input(); from rlbench.cli import main; main(['plugins', '--json'])"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child.stdout.close()
    _, complaint = child.communicate("go\n")
    assert complaint == ""


def test_a_command_of_a_plugin_is_listed_unimported_and_runs(distribution, rlbench):
    distribution(
        "rlbench-hello",
        {"rlbench.commands": {"hello": "hello_command:hello", "sulk": "sulk_command:sulk"}},
        {"hello_command.py": HELLO, "sulk_command.py": "raise ImportError('not today')"},
    )
    shown = rlbench("--help")
    assert shown.returncode == 0
    assert "hello    From the plugin rlbench-hello." in shown.stdout
    assert rlbench("hello", "you").stdout == "hello you\n"
    broken = rlbench("sulk")
    assert broken.returncode == 4
    assert "'sulk' of rlbench-hello 1.0 cannot be loaded: ImportError: not today" in broken.stderr
    assert rlbench("--no-plugins", "hello", "you").returncode == 2
    assert rlbench("hello", "you", env={"RLBENCH_PLUGINS": ""}).returncode == 2


def test_two_owners_of_one_command_and_a_command_that_is_none(distribution, rlbench):
    for owner in ("alpha", "beta"):
        entry_points = {
            "rlbench.commands": {"hello": f"{owner}_command:hello", owner: f"{owner}_command:HELLO"}
        }
        distribution(f"rlbench-{owner}", entry_points, {f"{owner}_command.py": HELLO + "    HELLO = 3"})
    contested = rlbench("hello", "you")
    assert contested.returncode == 4
    assert "claimed by rlbench-alpha 1.0 and rlbench-beta 1.0" in contested.stderr
    assert "must be a click command" in rlbench("alpha").stderr


def test_a_plugin_cannot_replace_a_verb(distribution, rlbench):
    distribution("rlbench-x", {"rlbench.commands": {"plugins": "x_command:hello"}}, {"x_command.py": HELLO})
    assert "plugins" in json.loads(rlbench("plugins", "--json").stdout)


def test_plugins_shows_what_each_provides_and_the_traceback_of_a_broken_one(distribution, rlbench):
    distribution(
        "rlbench-one", {"first": "one_plugin"}, {"one_plugin.py": GOOD.format(name="one")}, version="3.1"
    )
    distribution("rlbench-bad", {"bad": "bad_plugin"}, {"bad_plugin.py": "import [red]absent"})
    shown = rlbench("plugins", env={"COLUMNS": "160"})
    assert shown.returncode == 0
    (row,) = [line for line in shown.stdout.splitlines() if "rlbench-one" in line]
    assert "3.1" in row
    assert "algorithm: one" in row
    assert "rlbench-bad 1.0 (entry point 'bad') is broken:" in shown.stdout
    assert "import [red]absent" in shown.stdout


def test_plugins_as_json(distribution, rlbench):
    distribution("rlbench-one", {"first": "one_plugin"}, {"one_plugin.py": GOOD.format(name="dqn")})
    distribution("rlbench-bad", {"bad": "bad_plugin"}, {"bad_plugin.py": "import absent"})
    shown = rlbench("plugins", "--json")
    assert shown.returncode == 0
    document = json.loads(shown.stdout)
    rows = {(row["distribution"], row["name"]): row for row in document["plugins"]}
    assert rows["rlbench-one", "first"]["provides"] == {"rlbench_algorithms": ["dqn"]}
    assert rows["rlbench-one", "first"]["hooks"] == ["rlbench_algorithms"]
    assert rows["rlbench-bad", "bad"]["error"] == "ModuleNotFoundError: No module named 'absent'"
    assert document["conflicts"] == [
        {"hook": "rlbench_algorithms", "name": "dqn", "distributions": ["rlbench", "rlbench-one"]}
    ]
    switched_off = json.loads(rlbench("plugins", "--json", "--no-plugins").stdout)
    assert {row["distribution"]: row["disabled"] for row in switched_off["plugins"]} == {
        "rlbench": "",
        "rlbench-one": "--no-plugins",
        "rlbench-bad": "--no-plugins",
    }


def test_plugins_names_who_claims_a_frozen_number_in_vain_and_shortens_long_tables(distribution, rlbench):
    text = """
        from rlbench.api import ReferenceSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_references():
            yield ReferenceSpec("CartPole-v1", 0.0, 1.0, max_episode_steps=500, source="mine")
    """
    distribution("rlbench-mine", {"mine": "mine_plugin"}, {"mine_plugin.py": text})
    shown = rlbench("plugins", env={"COLUMNS": "200"})
    assert shown.returncode == 0
    line = "overruled: the reference 'CartPole-v1 [max_episode_steps=500]' of rlbench-mine 1.0"
    assert line in shown.stdout
    assert "conflict" not in shown.stdout
    assert "reference: 10, such as CartPole-v1 [max_episode_steps=500]" in shown.stdout
    document = json.loads(rlbench("plugins", "--json").stdout)
    (overruled,) = document["overruled"]
    assert overruled["distributions"] == ["rlbench-mine"]
    assert document["conflicts"] == []
