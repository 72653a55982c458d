"""Two plugins that pip installed, one of them broken on purpose; tox's environment ``plugins`` has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def rlbench(tmp_path):
    """Give ``rlbench(*arguments, **environment)``: the installed command, in an empty folder."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("rlbench"), *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_both_are_listed_and_one_of_them_as_broken(rlbench):
    answer = rlbench("plugins", "--json")
    assert answer.returncode == 0
    plugins = {plugin["distribution"]: plugin for plugin in json.loads(answer.stdout)["plugins"]}
    assert plugins["rlbench-qlearning"]["provides"] == {"rlbench_algorithms": ["q-learning"]}
    assert plugins["rlbench-qlearning"]["error"] == ""
    assert "a_library_that_nobody_has" in plugins["rlbench-broken"]["error"]
    assert "Traceback" in plugins["rlbench-broken"]["traceback"]


def test_the_good_one_runs_beside_the_broken_one(rlbench, tmp_path):
    answer = rlbench(
        *(
            "run",
            "--algos",
            "q-learning",
            "--envs",
            "FrozenLake-v1",
            "--seeds",
            "2",
            "--steps",
            "2000",
            "--json",
        )
    )
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert [(trial["algorithm"], trial["seed"], trial["status"]) for trial in document["trials"]] == [
        ("q-learning", 0, "finished"),
        ("q-learning", 1, "finished"),
    ]
    assert (tmp_path / document["report"]).is_file()


def test_it_learns_the_shortest_path_through_the_runner(rlbench):
    answer = rlbench(
        *("run", "--algos", "q-learning,policy-iteration", "--envs", "CliffWalking-v1", "--json"),
        *("--seeds", "3", "--steps", "40000", "--set", "q-learning.exploration_final_eps=0.02"),
    )
    assert answer.returncode == 0, answer.stderr
    means = {score["algorithm"]: score["mean"] for score in json.loads(answer.stdout)["scores"]}
    assert means == {"q-learning": -13.0, "policy-iteration": -13.0}


def test_asking_for_the_broken_one_is_a_plugin_error(rlbench, tmp_path):
    answer = rlbench("run", "--algos", "broken", "--seeds", "1")
    assert answer.returncode == 4
    assert answer.stderr.startswith("error: ")
    assert "rlbench-broken 0.1.0" in answer.stderr
    assert "a_library_that_nobody_has" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not list(tmp_path.iterdir())


def test_its_command_is_listed_and_fails_alone(rlbench):
    assert "shatter" in rlbench("--help").stdout
    assert rlbench("shatter").returncode == 4


def test_a_name_of_a_plugin_that_is_switched_off(rlbench):
    for answer in (
        rlbench("run", "--algos", "q-learning", "--no-plugins"),
        rlbench("run", "--algos", "q-learning", RLBENCH_PLUGINS="broken"),
    ):
        assert answer.returncode == 2
        assert "rlbench-qlearning" in answer.stderr
