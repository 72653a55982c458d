"""P3 and P1-P5 together: stopped anywhere, continued in any cohorts, the bits on disk are the same."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disk import stored
from families import family
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlbench.plugins import load_catalogue
from rlbench.running.options import resolve_options
from rlbench.running.plan import make_plan
from rlbench.running.progress import Silent
from rlbench.running.runner import Interrupted, Runner

STEPS = 240
SETTINGS = {
    "dqn": {
        "learning_starts": 32,
        "batch_size": 16,
        "buffer_size": 100,
        "target_update_interval": 30,
        "hidden_sizes": [12],
    },
    "a2c": {"n_envs": 3, "hidden_sizes": [12]},
    "reinforce": {"baseline": "value", "n_envs": 2, "episodes_per_update": 2, "hidden_sizes": [12]},
    "random": {},
    "value-iteration": {},
    "policy-iteration": {},
}
CASES = [
    *((algorithm, "FrozenLake-v1") for algorithm in SETTINGS),
    *((learner, env) for learner in list(SETTINGS)[:4] for env in ("CartPole-v1", "Chase-v0")),
]
IN_PROCESS = """
    import traceback
    from rlbench.api import ExecutorSpec
    from rlbench.hookspecs import hookimpl
    from rlbench.running.events import Ended, Started
    from rlbench.running.worker import run_cohort


    class InProcess:
        def __init__(self, limits):
            pass

        def run(self, cohorts, stopping):
            while cohorts and not stopping():
                cohort, events = cohorts.popleft(), []
                yield cohort, Started()
                run_cohort(cohort, events.append, stopping)
                for event in [*events, Ended()]:
                    yield cohort, event


    @hookimpl
    def rlbench_executors():
        yield ExecutorSpec("in-process", InProcess)
"""


def run(
    folder: Path, algorithm: str, env: str, seeds: list[int], jobs: int, calls: float, eval_points: int = 4
) -> bool:
    """Run what is missing until ``stopping`` has been asked so many times; say whether that was the end."""
    asked = {
        "algos": algorithm,
        "envs": env,
        "seeds": seeds,
        "steps": STEPS,
        "settings": {algorithm: SETTINGS[algorithm]},
        "eval_points": eval_points,
        "eval_episodes": 1,
        "jobs": jobs,
        "out": str(folder),
        "executor": "in-process",
        "checkpoint_every": 0,
    }
    catalogue = load_catalogue()
    counter = itertools.count()
    try:
        plan = make_plan(resolve_options(asked, environ={}), catalogue)
        Runner(plan, catalogue).run(Silent(), lambda: next(counter) > calls)
    except Interrupted:
        return False
    return True


@pytest.fixture
def in_process(distribution, environments):
    distribution("in-process", {"in-process": "executor_here"}, {"executor_here.py": IN_PROCESS})


def test_every_built_in_algorithm_is_interrupted_here():
    assert set(load_catalogue(external=False).algorithms) == set(SETTINGS)


@pytest.mark.parametrize(("algorithm", "env"), CASES)
def test_stopped_anywhere_and_continued_in_other_cohorts_gives_the_same_bits(
    in_process, tmp_path_factory, algorithm, env
):
    seeds = [0, 1, 2, 3]
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    assert run(undisturbed, algorithm, env, seeds, 1, float("inf"))
    expected = stored(undisturbed)
    assert len(expected) == 4 * (5 if algorithm == "random" else 6)

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(st.permutations(seeds), st.integers(1, 4), st.integers(1, 4), st.integers(1, 800)),
            max_size=4,
        )
    )
    def interrupted(stops):
        folder = tmp_path_factory.mktemp("interrupted")
        for order, count, jobs, calls in stops:
            run(folder, algorithm, env, order[:count], jobs, calls)
        assert run(folder, algorithm, env, seeds, 1, float("inf"))
        assert stored(folder) == expected

    interrupted()


@pytest.mark.parametrize("algorithm", SETTINGS)
def test_no_cadence_of_evaluation_cohort_or_order_changes_what_is_learnt(
    in_process, tmp_path_factory, algorithm
):
    env = "FrozenLake-v1"
    learnt: dict[int, dict[str, bytes]] = {}

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.permutations(range(4)), st.integers(1, 4), st.integers(1, 4), st.integers(1, 24))
    def differently(order, count, jobs, points):
        folder = tmp_path_factory.mktemp("differently")
        assert run(folder, algorithm, env, order[:count], jobs, float("inf"), eval_points=points)
        for path in folder.glob("trials/*/*/seed-*"):
            kept = {
                name: (path / name).read_bytes()
                for name in ("final.safetensors", "episodes.parquet", "diagnostics.parquet")
                if (path / name).exists()
            }
            seed = int(path.name.split("-")[1])
            assert kept == learnt.setdefault(seed, kept)

    differently()
    assert set(learnt) <= set(range(4))
    assert all(learnt.values())


def test_an_interruption_exits_with_130_and_the_same_command_continues_to_the_same_bits(rlbench, tmp_path):
    command = ["run", "--algos=a2c", "--seeds=2", "--steps=40000", "--eval-points=4", "--jobs=1"]
    first = subprocess.Popen(
        [sys.executable, "-m", "rlbench", *command, "--out=interrupted"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not list(tmp_path.glob("interrupted/trials/*/*/*/evaluations.jsonl")):
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate()
    assert first.returncode == 130, output
    assert "stopped with 2 trials left; the same command continues" in output
    committed = list(tmp_path.glob("interrupted/trials/*/*/*/checkpoint/*.json"))
    assert len(committed) == 2
    assert all(0 < json.loads(path.read_text())["step"] < 40_000 for path in committed)
    again = rlbench(*command, "--out=interrupted")
    undisturbed = rlbench(*command, "--out=undisturbed")
    assert (again.returncode, undisturbed.returncode) == (0, 0), again.stderr
    assert stored(tmp_path / "interrupted") == stored(tmp_path / "undisturbed")
    timings = [json.loads(path.read_text()) for path in tmp_path.glob("interrupted/trials/*/*/*/timing.json")]
    assert [timing["attempts"] for timing in timings] == [2, 2]


def test_a_worker_that_somebody_else_stops_continues_from_its_last_checkpoint(tmp_path):
    command = [
        *(sys.executable, "-m", "rlbench", "run", "--algos=a2c", "--seeds=2", "--steps=40000", "--jobs=1"),
        *("--eval-points=4", "--checkpoint-every=0.2"),
    ]
    first = subprocess.Popen([*command, "--out=stopped"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("stopped/trials/*/*/*/checkpoint/*.json"))) < 2:
        assert first.poll() is None
        time.sleep(0.02)
    (worker,) = (pid for pid, role in family(first.pid).items() if role == "worker")
    os.kill(worker, signal.SIGTERM)
    assert first.wait() == 0
    subprocess.run([*command, "--out=undisturbed"], cwd=tmp_path, check=True, capture_output=True)
    assert stored(tmp_path / "stopped") == stored(tmp_path / "undisturbed")
    timings = [json.loads(path.read_text()) for path in tmp_path.glob("stopped/trials/*/*/*/timing.json")]
    assert [(timing["attempts"], timing.get("restarted")) for timing in timings] == [(2, None), (2, None)]
