"""Ten thousand finished trials: how long reading them takes, in a process of its own, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
from synthetic import identity, write_trial

from rlbench.plugins import load_catalogue
from rlbench.results.records import readable_json
from rlbench.results.store import Store
from rlbench.running.options import resolve_options
from rlbench.running.plan import make_plan

LABELS = tuple(f"random-{number}" for number in range(10))
ENVIRONMENTS = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "Pendulum-v1")
SEEDS = 250
TRIALS = len(LABELS) * len(ENVIRONMENTS) * SEEDS
REQUEST = {
    "algos": ",".join(f"{label}=random" for label in LABELS),
    "envs": ",".join(ENVIRONMENTS),
    "seeds": SEEDS,
}
MEMORY_BYTES = 10**9

MEASURED = """
    import json, resource, sys, time
    begun = time.perf_counter()
    {code}
    seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({{"seconds": seconds, "memory": memory, "counts": counts}}))
"""
LOAD = """
    import rlbench
    results = rlbench.load(sys.argv[1])
    frames = (results.trials, results.evaluations, results.episodes, results.diagnostics)
    counts = [len(frame) for frame in frames] + [len(results.problems)]
"""


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every trial of a request is finished: one trial's files under each identity."""
    root = tmp_path_factory.mktemp("many")
    model = Store(root / "model")
    write_trial(model, identity())
    files = {path.name: path.read_bytes() for path in model.folder(identity()).iterdir()}
    plan = make_plan(resolve_options({**REQUEST, "out": str(root / "results")}, environ={}), load_catalogue())
    store = Store(plan.folder)
    for trial in plan.trials:
        folder = store.folder(trial)
        folder.mkdir(parents=True)
        for name, content in {**files, "trial.json": readable_json(trial.document())}.items():
            (folder / name).write_bytes(content)
    store.write_experiment({"schema_version": 1, "trials": [trial.hash for trial in plan.trials]})
    return store.root


def measured(code: str, folder: Path) -> dict:
    whole = dedent(MEASURED).format(code=dedent(code).strip())
    done = subprocess.run(
        [sys.executable, "-c", whole, str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def command(*arguments: str) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "rlbench", *arguments], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - begun, done.stdout


def test_ten_thousand_trials_load_in_time_and_memory(many):
    found = measured(LOAD, many)
    print(f"load of {TRIALS} trials: {found['seconds']:.1f} s, {found['memory'] / 2**20:.0f} MiB")
    assert found["counts"] == [TRIALS, TRIALS * 100, TRIALS * 20, TRIALS * 20, 0]
    assert found["seconds"] < 20
    assert found["memory"] < MEMORY_BYTES


def test_their_status_is_there_in_time(many):
    seconds, output = command("status", str(many), "--json")
    print(f"status of {TRIALS} trials: {seconds:.1f} s")
    assert len(json.loads(output)["trials"]) == TRIALS
    assert seconds < 3


def test_nothing_to_do_is_known_in_time(many):
    run = ["run", f"--out={many}", *(f"--{name}={value}" for name, value in REQUEST.items())]
    first, _ = command(*run)
    seconds, output = command(*run)
    print(f"nothing to do among {TRIALS} trials: {seconds:.1f} s, with a first report {first:.1f} s")
    assert f"nothing to do: all {TRIALS} trials are there" in output
    assert seconds < 5
