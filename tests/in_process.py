"""Runs without processes: an executor that steps worker and parent in turn, in this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rlbench.plugins import Catalogue, load_catalogue
from rlbench.running.options import resolve_options
from rlbench.running.plan import Plan, make_plan
from rlbench.running.progress import Silent
from rlbench.running.runner import Runner

EXECUTOR = '''
    import queue
    import threading
    import traceback

    from rlbench.api import ExecutorSpec
    from rlbench.hookspecs import hookimpl
    from rlbench.running.events import Ended, Started
    from rlbench.running.worker import run_cohort


    class Killed(BaseException):
        pass


    class Lockstep:
        """The worker waits at each event until the parent has dealt with it."""

        def __init__(self, limits):
            pass

        def run(self, cohorts, stopping):
            while cohorts and not stopping():
                cohort = cohorts.popleft()
                yield cohort, Started()
                yield from self._run(cohort, stopping)

        def _run(self, cohort, stopping):
            events, answers = queue.Queue(), queue.Queue()

            def emit(event):
                events.put(event)
                if answers.get() == "killed":
                    raise Killed

            def work():
                try:
                    run_cohort(cohort, emit, stopping)
                    emit(Ended())
                except Killed:
                    pass
                except Exception:
                    emit(Ended(traceback.format_exc()))

            thread = threading.Thread(target=work)
            thread.start()
            try:
                while True:
                    event = events.get()
                    yield cohort, event
                    answers.put("go on")
                    if isinstance(event, Ended):
                        break
            except GeneratorExit:
                answers.put("killed")
            thread.join()


    @hookimpl
    def rlbench_executors():
        yield ExecutorSpec("lockstep", Lockstep)
'''


@pytest.fixture
def lockstep(distribution: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the executor; leave out what takes longer than these runs: long requests and real syncs."""
    distribution("lockstep", {"lockstep": "lockstep"}, {"lockstep.py": EXECUTOR})
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(Runner, "_document", lambda *_: {"schema_version": 1, "command": "a test"})


def plan_for(folder: Path, **asked: Any) -> tuple[Plan, Catalogue]:
    """Give a plan of trials that take milliseconds and make a checkpoint after each vector step."""
    catalogue = load_catalogue()
    small = {
        "algos": "a2c",
        "settings": {"a2c": {"hidden_sizes": [2], "n_envs": 1, "n_steps": 2}},
        "seeds": 2,
        "steps": 5,
        "max_episode_steps": 4,
        "eval_points": 2,
        "eval_episodes": 1,
        "jobs": 1,
        "executor": "lockstep",
        "checkpoint_every": 1e-9,
        "device": "cpu",
        "out": str(folder),
    }
    return make_plan(resolve_options({**small, **asked}, environ={}), catalogue), catalogue


def run(plan: Plan, catalogue: Catalogue) -> None:
    """Run what is missing, with nothing remembered of earlier runs."""
    Runner(plan, catalogue).run(Silent())


def final(state: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Give what of a folder must not depend on what befell it: all but ``timing.json`` and the lock."""
    return {name: content for name, content in state.items() if not name.endswith("timing.json")}
