"""Environments made for tests, and trials run in this process."""

from __future__ import annotations

import importlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from rlbench.plugins import load_catalogue
from rlbench.running import events
from rlbench.running.cohort import Cohort
from rlbench.running.options import resolve_options
from rlbench.running.plan import Plan, make_plan
from rlbench.running.worker import run_cohort

ENVIRONMENTS = """
    import gymnasium
    import numpy as np


    class Chase(gymnasium.Env):
        '''A bright square drifts over noise; the reward says how close the marked column is.'''

        def __init__(self, size=12, channels=2):
            self.observation_space = gymnasium.spaces.Box(0, 255, (size, size, channels), np.uint8)
            self.action_space = gymnasium.spaces.Discrete(3)
            self.size = size

        def _picture(self):
            noise = self.np_random.integers(0, 60, self.observation_space.shape)
            noise[self.row : self.row + 3, self.column : self.column + 3] = 255
            return noise.astype(np.uint8)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.row, self.column = self.np_random.integers(0, self.size - 3, 2)
            return self._picture(), {}

        def step(self, action):
            self.column = int(np.clip(self.column + action - 1, 0, self.size - 3))
            reward = 1.0 - abs(self.column - self.size / 2) / self.size
            return self._picture(), reward, bool(self.np_random.random() < 0.05), False, {}


    class Fragile(gymnasium.Env):
        '''Breaks at the fifth step of one episode in sixteen, told by the episode's seed.'''

        observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

        def __init__(self, mode="raise"):
            self.mode = mode

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.steps = 0
            self.bad = seed % 16 == 0
            return np.zeros(2, np.float32), {}

        def step(self, action):
            self.steps += 1
            if self.bad and self.steps == 5:
                if self.mode == "raise":
                    raise RuntimeError("the simulator broke")
                if self.mode == "exit":
                    import os

                    os._exit(7)
            reward = np.nan if self.bad and self.mode == "nan" else 1.0
            return np.full(2, self.steps / 10, np.float32), reward, False, self.steps == 10, {}


    gymnasium.register("Chase-v0", Chase, max_episode_steps=20)
    gymnasium.register("Fragile-v0", Fragile)
"""


@pytest.fixture
def environments(distribution):
    """Register the environments above, here and in every process started meanwhile."""
    import gymnasium

    distribution(
        "test-environments",
        {"test-environments": "environments_for_tests"},
        {"environments_for_tests.py": ENVIRONMENTS},
    )
    importlib.import_module("environments_for_tests")
    yield
    for name in ("Chase-v0", "Fragile-v0"):
        del gymnasium.registry[name]


@dataclass
class Rows:
    """Everything that is stored of one trial, but for timings."""

    status: str = ""
    error: str | None = None
    weights: bytes | None = None
    tables: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def evaluations_at(self, steps: set[int]) -> list[Any]:
        return [row for row in self.tables["evaluations"] if row[0] in steps]


def plan_of(**given: Any) -> Plan:
    return make_plan(resolve_options(given, environ={}), load_catalogue(external=False))


@pytest.fixture
def train(environments):
    """Give ``train(seeds, **options) -> {seed: Rows}``: one cohort, trained in this process."""
    return _train


def _train(seeds: list[int], **given: Any) -> dict[int, Rows]:
    plan = plan_of(seeds=seeds, **given)
    cohort = Cohort(trials=plan.trials, device=plan.device, external_plugins=False)
    rows: dict[str, Rows] = defaultdict(Rows)

    def collect(event: events.AnyEvent) -> None:
        match event:
            case events.Evaluated():
                rows[event.trial].tables["evaluations"].append(msgspec.structs.astuple(event)[1:-1])
            case events.Episodes() | events.Diagnostics():
                rows[event.trial].tables[type(event).__name__] += zip(
                    *msgspec.structs.astuple(event)[1:], strict=True
                )
            case events.Finished():
                rows[event.trial].status, rows[event.trial].error = event.status, event.error
                rows[event.trial].weights = event.weights

    run_cohort(cohort, collect)
    return {trial.seed: rows[trial.hash] for trial in plan.trials}
