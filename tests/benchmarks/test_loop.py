"""The training loop: what the harness adds to a bare one, and where a step's time goes.

Run by ``tox -e bench``; not part of the tests. One cohort in this process, one thread, as in a worker.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.commands import ROUNDS
from benchmarks.test_speed import WORK

from rlbench import api, experiment
from rlbench.algorithms.a2c import A2C
from rlbench.algorithms.dqn import DQN
from rlbench.environments.gymnasium_vector import GymnasiumVector
from rlbench.plugins import Catalogue
from rlbench.running.cohort import Cohort
from rlbench.running.evaluation import Evaluator
from rlbench.running.worker import CohortRun, run_cohort

SEEDS = 5
LARGEST_OVERHEAD = 1.05
LEARNERS = {"a2c": A2C, "dqn": DQN}
PARTS = ("environment", "action", "update", "evaluation", "the rest")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def cohort(work: str, folder: Path, **more) -> tuple[Cohort, Catalogue]:
    algorithm, env, steps, settings, _ = WORK[work]
    given = {"algos": algorithm, "envs": env, "seeds": SEEDS, "steps": steps, "out": str(folder), **more}
    options, catalogue = experiment.read_request({**given, "settings": {algorithm: settings}})
    plan = experiment.make_plan(options, catalogue)
    return Cohort(trials=list(plan.trials), device="cpu", root=str(plan.folder)), catalogue


@pytest.mark.parametrize("work", ["a2c", "dqn 128x128"])
def test_the_harness_adds_little_to_a_bare_loop(benchmark, tmp_path, work):
    """The same agents in the same environments, with and without all that the harness does around them."""
    ratios = []

    def bare(run: CohortRun) -> float:
        task, seeds = run._task, run._seeds
        agent = run._factory(task, run._config, run._rngs())
        streams, shape = run._streams, (len(seeds), task.n_envs)
        episodes = np.zeros(len(seeds) * task.n_envs, dtype=int)

        def seeds_of(rows: np.ndarray) -> list[int]:
            numbers = [
                (seeds[row // task.n_envs], int(row % task.n_envs), int(episodes[row])) for row in rows
            ]
            episodes[rows] += 1
            return [streams.training_episode(*number) for number in numbers]

        everybody = np.ones(len(episodes), dtype=bool)
        first = seeds_of(np.flatnonzero(everybody))
        environment = run._make_vector(first)
        obs = environment.reset(everybody, first)
        obs = obs.reshape(*shape, *obs.shape[1:])
        begun = time.perf_counter()
        for _ in range(task.steps // task.n_envs):
            actions = agent.act(obs)
            following, reward, terminated, truncated = environment.step(actions.reshape(-1))
            rows = (one.reshape(shape) for one in (reward, terminated, truncated))
            following = following.reshape(obs.shape)
            agent.observe(api.Transition(obs, actions, next(rows), following, *rows))
            done = terminated | truncated
            obs = following
            if done.any():
                obs = environment.reset(done, seeds_of(np.flatnonzero(done))).reshape(obs.shape)
        return time.perf_counter() - begun

    def pair() -> None:
        one, catalogue = cohort(work, tmp_path, eval_points=1)
        ended = []
        run_cohort(one, lambda event: ended.append(event) if hasattr(event, "timing") else None)
        clock = ended[0].timing
        ours = clock["wall_seconds"] - clock["evaluation_seconds"]
        ratios.append(ours / bare(CohortRun(one, catalogue, lambda event: None, lambda: False)))

    benchmark.pedantic(pair, rounds=ROUNDS, iterations=1)
    found = statistics.median(ratios)
    benchmark.extra_info["ratio"] = found
    print(f"{work}: the harness takes {found:.3f} times the bare loop ({[round(one, 3) for one in ratios]})")
    assert found <= LARGEST_OVERHEAD


@pytest.mark.parametrize("work", ["a2c", "dqn 128x128", "dqn 64x64"])
def test_where_a_steps_time_goes(benchmark, tmp_path, monkeypatch, work):
    seconds: Counter[str] = Counter()
    inside: list[str] = []

    def timed(owner: type, name: str, part: str) -> None:
        function = getattr(owner, name)

        def measured(*arguments, **keywords):
            if inside:  # evaluation acts and steps as well: all of that is evaluation
                return function(*arguments, **keywords)
            inside.append(part)
            begun = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                seconds[part] += time.perf_counter() - begun
                inside.pop()

        monkeypatch.setattr(owner, name, measured)

    learner = LEARNERS[WORK[work][0]]
    for owner, name, part in (
        *((GymnasiumVector, name, "environment") for name in ("step", "reset")),
        *((learner, "act", "action"), (learner, "update", "update"), (Evaluator, "__call__", "evaluation")),
    ):
        timed(owner, name, part)
    one, _ = cohort(work, tmp_path)
    begun = time.perf_counter()
    benchmark.pedantic(run_cohort, args=(one, lambda event: None), rounds=1)
    seconds["the rest"] = time.perf_counter() - begun - sum(seconds.values())
    steps = WORK[work][2] * SEEDS
    split = {part: 1e6 * seconds[part] / steps for part in PARTS}
    benchmark.extra_info.update(work=work, seeds=SEEDS, split=split)
    print(f"{work}, µs a step of a seed: {json.dumps({part: round(one, 2) for part, one in split.items()})}")
