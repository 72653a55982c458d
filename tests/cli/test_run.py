"""``rlbench run``: bad input is one line and leaves nothing behind; good input leaves results and a page."""

from __future__ import annotations

import json

import pytest

TINY = ("--steps", "400", "--eval-points", "2", "--eval-episodes", "1", "--seeds", "2")

BAD_INPUT = [
    (["--algos", "dqm"], "unknown algorithm 'dqm'; did you mean 'dqn'?"),
    ([], "no algorithm was named; give --algos"),
    (["--algos", "dqn", "--envs", "CartPool-v1"], "CartPole-v1"),
    (["--algos", "dqn", "--envs", "CartPole-v9"], "CartPole-v1"),
    (["--algos", "dqn", "--set", "dqn.learning_rat=1e-3"], "did you mean 'learning_rate'?"),
    (["--algos", "dqn", "--set", "a2c.gamma=0.9"], "--set speaks of 'a2c'"),
    (["--algos", "dqn", "--set", "dqn.gamma=high"], "dqn.gamma = 'high' does not fit"),
    (["--algos", "dqn", "--set", "dqn.batch_size=0"], "dqn.batch_size = 0 does not fit"),
    (["--algos", "dqn", "--set", "dqn.loss=hubber"], "did you mean 'huber'?"),
    (["--algos", "dqn", "--set", "gamma=0.9"], "LABEL.KEY=VALUE"),
    (["--algos", "dqn", "--env-set", "CartPole-v1.nonsense=1"], "nonsense"),
    (["--algos", "dqn", "--seeds", "0"], "gives no seed at all"),
    (["--algos", "dqn", "--steps", "-5"], "--steps -5 is out of range"),
    (["--algos", "dqn", "--steps", "5"], "lower --eval-points"),
    (["--algos", "value-iteration", "--envs", "CartPole-v1"], "no algorithm supports any environment"),
    (["--algos", "random", "--envs", "Blackjack-v1"], "observation space"),
    (["--algos", "dqn", "--device", "cuda:7"], "cuda"),
    (["--algos", "dqn", "--device", "gpu"], "device"),
    (["--algos", "dqn", "--out", "/proc/none"], "/proc/none"),
    (["--algos", "dqn", "--envs", "mymodule:Env-v0"], "--allow-import"),
    (["--algos", "dqn", "--executor", "locall"], "did you mean 'local'?"),
    (["--algos", "dqn", "--config", "none.toml"], "cannot read none.toml"),
    (["--algo", "dqn"], "--algos"),
    (["--algos", "dqn", "--until-decided"], "no environment has two"),
    (["--algos", "dqn,random", "--until-decided", "--max-seeds", "12"], "give 10 or 15"),
    (["--algos", "dqn,random", "--max-seeds", "12"], "--max-seeds is for runs --until-decided"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=lambda value: " ".join(value)[:40])
def test_bad_input_is_one_line_with_exit_code_2_and_nothing_written(rlbench, tmp_path, arguments, message):
    done = rlbench("run", *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_broken_and_a_contested_plugin_are_exit_code_4_with_nothing_written(
    rlbench, distribution, tmp_path
):
    work = tmp_path / "work"
    work.mkdir()
    spec = """
        from dataclasses import dataclass
        from rlbench.api import AlgorithmSpec
        from rlbench.hookspecs import hookimpl

        @dataclass(frozen=True)
        class Config:
            pass

        @hookimpl
        def rlbench_algorithms():
            yield AlgorithmSpec("twice", Config, agent="nowhere:Agent")
    """
    distribution("one", {"one": "plugin_one"}, {"plugin_one.py": spec})
    distribution("two", {"two": "plugin_two"}, {"plugin_two.py": spec})
    distribution("shaky", {"shaky": "plugin_shaky"}, {"plugin_shaky.py": "import nothing_of_that_name"})
    contested = rlbench("run", "--algos", "twice", cwd=work)
    broken = rlbench("run", "--algos", "shaky", cwd=work)
    assert (contested.returncode, broken.returncode) == (4, 4)
    assert "one 1.0" in contested.stderr
    assert "two 1.0" in contested.stderr
    assert "nothing_of_that_name" in broken.stderr
    assert not list(work.iterdir())


def test_a_run_leaves_results_a_table_and_a_report(rlbench, tmp_path):
    done = rlbench("run", "--algos", "dqn,random", *TINY)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "dqn-random_CartPole-v1"
    assert (folder / "report" / "index.html").is_file()
    assert len(list(folder.glob("trials/*/*/*/status.json"))) == 4
    assert "2 of 2" in done.stdout
    assert "index.html" in done.stdout
    assert "left" in done.stdout  # progress, in plain lines where there is no terminal


def test_the_same_command_again_runs_nothing_and_more_seeds_run_only_those(rlbench, tmp_path):
    arguments = ("run", "--algos", "random", *TINY[:-1])
    assert rlbench(*arguments, "2").returncode == 0
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/*/trials/*/*/*/*")}
    again = rlbench(*arguments, "2")
    assert "nothing to do" in again.stdout
    more = rlbench(*arguments, "3")
    assert more.returncode == 0
    assert "3 of 3" in more.stdout
    now = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/*/trials/*/*/*/*")}
    assert files.items() <= now.items()
    assert len(now) > len(files)


@pytest.mark.parametrize("name", ["evaluations.parquet", "trial.json"])
def test_the_same_command_again_on_damage_says_so_each_time(rlbench, tmp_path, name):
    arguments = ("run", "--algos", "random", *TINY)
    assert rlbench(*arguments).returncode == 0
    (page,) = tmp_path.glob("results/*/report/index.html")
    written = page.stat().st_mtime_ns
    sound = rlbench(*arguments)
    assert (sound.returncode, page.stat().st_mtime_ns) == (0, written)
    file = sorted(tmp_path.glob(f"results/*/trials/*/*/*/{name}"))[0]
    file.write_bytes(file.read_bytes()[:-9])
    for _ in range(2):
        again = rlbench(*arguments)
        assert again.returncode == 1
        assert "nothing to do" in again.stdout
        assert "is damaged or missing" in " ".join(again.stdout.split())
        assert f"{name} is damaged or missing" in page.read_text(encoding="utf-8")


def test_json_prints_one_document_and_nothing_else(rlbench, tmp_path):
    done = rlbench(
        "run", "--algos", "random,value-iteration", "--envs", "CartPole-v1,FrozenLake-v1", *TINY, "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema_version"] == 1
    assert {(row["algorithm"], row["env"], row["n"], row["of"]) for row in document["scores"]} == {
        ("random", "CartPole-v1", 2, 2),
        ("random", "FrozenLake-v1", 2, 2),
        ("value-iteration", "FrozenLake-v1", 2, 2),
    }
    (unsupported,) = document["unsupported"]
    assert (unsupported["algorithm"], unsupported["env"]) == ("value-iteration", "CartPole-v1")
    assert "transition table" in unsupported["reason"]
    assert len(document["trials"]) == 6


def test_a_dry_run_shows_every_value_with_its_origin_and_writes_nothing(rlbench, tmp_path):
    file = tmp_path / "experiment.toml"
    file.write_text('algos = "dqn"\nsteps = 1000\n[set.dqn]\ngamma = 0.5\n')
    done = rlbench(
        *("run", "--config", str(file), "--set", "dqn.tau=0.5", "--dry-run", "--json"),
        *("--env-set", "CartPole-v1.sutton_barto_reward=true"),
        env={"RLBENCH_SEEDS": "7,"},
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    options = {row["name"]: (row["value"], row["origin"].split()[0]) for row in document["options"]}
    assert options["steps"] == (1000, "file")
    assert options["seeds"] == ([7], "environment")
    assert options["eval_points"] == (20, "default")
    assert options["env-set.CartPole-v1.sutton_barto_reward"] == (True, "command")
    (arm,) = document["arms"]
    assert (arm["config"]["gamma"], arm["origins"]["gamma"].split()[0]) == (0.5, "file")
    assert (arm["config"]["tau"], arm["origins"]["tau"]) == (0.5, "command line")
    assert "preset" in arm["origins"].values()
    assert (document["trials"], document["missing"]) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["experiment.toml"]
    assert "command line" in rlbench("run", "--algos", "dqn", "--dry-run").stdout


def test_until_decided_adds_seeds_and_says_what_was_decided_and_what_that_saved(rlbench, tmp_path):
    asked = ("run", "--algos", "random,again=random,idle=random", "--envs", "CartPole-v1", *TINY[:-2])
    sequential = ("--seeds", "3", "--until-decided", "--max-seeds", "6")
    planned = rlbench(*asked, *sequential, "--dry-run", "--json")
    document = json.loads(planned.stdout)
    assert (document["trials"], document["at_most"]) == (9, 18)
    first = " ".join(rlbench(*asked, *sequential, "--dry-run").stdout.split())
    assert "group 1 of 2, seeds 0 to 2: 9 trials, 9 of them to run" in first
    assert "at most 18 trials until decided; undecided: random against again on CartPole-v1; " in first
    done = rlbench(*asked, *sequential)
    assert done.returncode == 0, done.stderr
    assert "after 3 seeds: 0 of 3 comparisons decided; 3 more seeds for random" in done.stdout
    assert "CartPole-v1: again or random: undecided after 6 of at most 6 seeds" in done.stdout
    assert "18 of 18 trials were run: all seeds for all" in done.stdout
    (folder,) = tmp_path.glob("results/*")
    assert "Decided while seeds came in" in (folder / "report" / "index.html").read_text()
    again = rlbench(*asked, *sequential, "--json")
    assert "nothing to do" in again.stderr
    then = " ".join(rlbench(*asked, *sequential, "--dry-run").stdout.split())
    assert "nothing to run in results/" in then
    assert "undecided at the last seed: random against again on CartPole-v1; " in then
    decisions = json.loads(again.stdout)["decisions"]
    assert [(row["verdict"], row["interim"], row["of"], row["seeds"]) for row in decisions] == [
        ("undecided", 2, 2, 6)
    ] * 3
    refused = rlbench(*asked, "--seeds", "3", "--until-decided", "--max-seeds", "9")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "give another folder with --out" in refused.stderr
