"""The local executor: what it starts ends with it, and nothing that a worker leaves behind holds it up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from families import alive, family

import rlbench as package

ENVIRONMENTS = """
    import subprocess
    import time

    import gymnasium
    import numpy as np


    class Plain(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)
        steps = 0

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return np.zeros(2, np.float32), {}

        def step(self, action):
            return np.zeros(2, np.float32), 1.0, False, False, {}


    class Simulated(Plain):
        '''Leaves a process in a session of its own behind.'''

        simulator = None

        def __init__(self, pids=None):
            self.pids = pids

        def reset(self, *, seed=None, options=None):
            if self.simulator is None:
                self.simulator = subprocess.Popen(["sleep", "600"], start_new_session=True)
                with open(self.pids, "a") as file:
                    print(self.simulator.pid, file=file)
            return super().reset(seed=seed)


    class Hoarding(Plain):
        '''Takes memory with every step, in whatever process that is.'''

        def __init__(self):
            self.hoard = []

        def step(self, action):
            self.hoard.append(np.ones(4_000_000))
            time.sleep(0.02)
            return super().step(action)


    gymnasium.register("Simulated-v0", Simulated, max_episode_steps=10)
    gymnasium.register("Hoarding-v0", Hoarding, max_episode_steps=1000)
"""


@pytest.fixture
def simulators(distribution):
    """Register the environments above, here and in every process started meanwhile."""
    import gymnasium

    distribution("simulators", {"simulators": "simulators"}, {"simulators.py": ENVIRONMENTS})
    __import__("simulators")
    yield
    for name in ("Simulated-v0", "Hoarding-v0"):
        del gymnasium.registry[name]


def run(env: str, folder, **options):
    return package.run(
        "random",
        env,
        seeds=1,
        steps=60,
        eval_points=1,
        jobs=1,
        retries=0,
        out=folder,
        progress=False,
        **options,
    )


def test_what_an_environment_leaves_behind_neither_holds_up_the_run_nor_outlives_it(simulators, tmp_path):
    pids = tmp_path / "pids"
    results = run("Simulated-v0", tmp_path / "results", env_settings={"Simulated-v0": {"pids": str(pids)}})
    assert results.trials["status"].tolist() == ["finished"]
    left = [int(line) for line in pids.read_text().split()]
    assert left
    assert not [pid for pid in left if alive(pid)]


def test_the_memory_of_sub_environment_processes_counts(simulators, tmp_path):
    results = run("async:Hoarding-v0", tmp_path / "results", memory_limit=600)
    assert results.trials["status"].tolist() == ["failed"]
    assert "used more than 600 MiB (--memory-limit)" in results.trials["error"][0]


def test_nothing_outlives_a_killed_runner_though_its_own_child_holds_its_descriptors(tmp_path):
    program = """if True:
        import os, threading, time
        import rlbench

        def fork():
            time.sleep(3)
            if os.fork() == 0:
                time.sleep(600)

        threading.Thread(target=fork, daemon=True).start()
        rlbench.run("random", seeds=2, steps=10**9, jobs=2, out="results", progress=False)
    """
    runner = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    roles: dict[int, str] = {}
    while list(roles.values()).count("worker") < 2 or list(roles.values()).count("server") < 2:
        assert runner.poll() is None
        time.sleep(0.1)
        roles = family(runner.pid)  # the child is a "server" by its place
    helper = max(pid for pid, role in roles.items() if role == "server")
    try:
        runner.kill()
        runner.wait()
        others = set(roles) - {helper, runner.pid}
        for _ in range(100):
            if not any(alive(pid) for pid in others):
                break
            time.sleep(0.1)
        assert alive(helper)
        assert not [pid for pid in others if alive(pid)]
    finally:
        os.kill(helper, signal.SIGKILL)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_run_needs_no_standard_streams(tmp_path, closed):
    command = f"{sys.executable} -m rlbench run --algos random --seeds 1 --steps 40 --out results {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert package.load(tmp_path / "results").trials["status"].tolist() == ["finished"]


def test_output_that_cannot_be_written_is_one_line(tmp_path):
    command = f"{sys.executable} -m rlbench plugins --json > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == (
        "error: the output could not be written: No space left on device; free space and run it again\n"
    )


def test_workers_use_the_installation_of_their_parent(tmp_path):
    """Whatever is called rlbench in the folder that the command is given in."""
    (tmp_path / "rlbench").mkdir()
    (tmp_path / "rlbench" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    command = [sys.executable, "-P", "-m", "rlbench", "run", "--algos=random", "--seeds=1", "--steps=20"]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_backend_may_start_threads_when_it_is_imported(distribution, tmp_path):
    """Workers are forked from a process that has imported it, and a fork would lose the thread."""
    plugin = """
        from rlbench.api import EnvironmentSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_environments():
            yield EnvironmentSpec(
                "threaded",
                make_vector="threaded_code:Vector",
                describe="threaded_code:describe",
                seeds_episodes=True,
                replayable=True,
            )
    """
    code = """
        import threading
        import time

        import gymnasium
        import numpy as np

        from rlbench.api import EnvironmentDescription

        thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
        thread.start()

        def describe(env_id, env_kwargs):
            box = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
            actions = gymnasium.spaces.Discrete(2)
            return EnvironmentDescription(observation_space=box, action_space=actions, max_episode_steps=5)

        class Vector:
            def __init__(self, env_id, env_kwargs, seeds, max_episode_steps):
                assert thread.is_alive(), "the thread was lost"
                self.count, self.obs = len(seeds), np.zeros((len(seeds), 2), np.float32)
            def reset(self, mask, episode_seeds):
                return self.obs.copy()
            def step(self, actions):
                never = np.zeros(self.count, bool)
                return self.obs.copy(), np.ones(self.count), never, ~never
            def close(self):
                pass
    """
    files = {"threaded_plugin.py": plugin, "threaded_code.py": code}
    distribution("threaded", {"t": "threaded_plugin"}, files)
    folder = tmp_path / "results"
    results = package.run(
        "random", "threaded:X", seeds=2, steps=20, eval_points=1, out=folder, progress=False
    )
    assert list(results.trials["status"]) == ["finished", "finished"], results.trials["error"].tolist()
