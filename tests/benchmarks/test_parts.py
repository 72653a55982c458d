"""The parts of a run: an environment step, an action, an update, start-up; and how they grow with the seeds.

Run by ``tox -e bench``; not part of the tests. Everything here uses one thread, as a worker does.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.commands import ROUNDS, rlbench
from benchmarks.test_speed import WORK
from gymnasium import spaces

import rlbench as package
from rlbench import api
from rlbench.algorithms.a2c import A2C, A2CConfig
from rlbench.algorithms.dqn import DQN, DQNConfig
from rlbench.environments.gymnasium_vector import make_sync

HIDDEN, BATCH, ACTIONS, WIDTH = 128, 128, 2, 4
LARGEST_UPDATE = 1.6  # times its matrix products
LARGEST_START_UP = 4.0  # seconds
SCALING = {"a2c on EnvPool": (40_000, 2.8), "dqn 128x128": (20_000, 7.0)}
"""Of the work of test_speed.py: how many steps, and the largest ratio of 10 seeds to 1."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def task(n_envs: int) -> api.Task:
    return api.Task(
        env="CartPole-v1",
        env_kwargs={},
        observation_space=spaces.Box(-np.inf, np.inf, (WIDTH,), np.float32),
        action_space=spaces.Discrete(ACTIONS),
        n_envs=n_envs,
        steps=50_000,
        device="cpu",
        max_episode_steps=500,
    )


def rngs(seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(np.random.SeedSequence(seed)) for seed in range(seeds)]


def transition(seeds: int, n_envs: int) -> api.Transition:
    rng, lead = np.random.default_rng(0), (seeds, n_envs)
    obs, next_obs = rng.standard_normal((2, *lead, WIDTH)).astype(np.float32)
    flags = np.zeros(lead, dtype=bool)
    return api.Transition(obs, rng.integers(0, ACTIONS, lead), np.ones(lead), next_obs, flags, flags)


def filled_dqn(seeds: int) -> DQN:
    config = DQNConfig(hidden_sizes=(HIDDEN, HIDDEN), batch_size=BATCH, buffer_size=5_000)
    agent = DQN(task(1), config, rngs(seeds))
    step = transition(seeds, 1)
    for _ in range(2_000):
        agent.replay.add(step, step.action)
    return agent


def median_seconds(function: Callable[[], object], calls: int = 100, repeats: int = 7) -> float:
    for _ in range(10):
        function()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - begun) / calls)
    return statistics.median(times)


@pytest.mark.parametrize("seeds", [1, 5, 10])
def test_a_dqn_update(benchmark, seeds):
    agent = filled_dqn(seeds)
    benchmark(lambda: agent.update(agent.replay.sample(), 1e-3))


@pytest.mark.parametrize("seeds", [1, 5, 10])
def test_a_dqn_action(benchmark, seeds):
    agent, obs = filled_dqn(seeds), transition(seeds, 1).obs
    benchmark(agent.greedy, obs)


@pytest.mark.parametrize("seeds", [1, 5, 10])
def test_five_a2c_steps_with_their_update(benchmark, seeds):
    agent, step = A2C(task(8), A2CConfig(), rngs(seeds)), transition(seeds, 8)

    def rollout() -> None:
        for _ in range(5):
            agent.act(step.obs)
            agent.observe(step)

    benchmark(rollout)


@pytest.mark.parametrize("count", [1, 8, 40, 80])
def test_a_vector_step_of_cartpole(benchmark, count):
    vector, everybody = make_sync("CartPole-v1", {}, range(count), 500), np.ones(count, dtype=bool)
    vector.reset(everybody, range(count))
    actions = np.arange(count) % 2

    def step() -> None:
        _, _, terminated, truncated = vector.step(actions)
        done = terminated | truncated
        if done.any():
            vector.reset(done, range(int(done.sum())))

    benchmark(step)
    vector.close()


def test_a_dqn_update_takes_little_more_than_its_matrix_products(benchmark):
    seeds = 10
    agent = filled_dqn(seeds)
    sizes = [WIDTH, HIDDEN, HIDDEN, ACTIONS]
    inputs = [torch.randn(seeds, BATCH, size) for size in sizes]
    weights = [torch.randn(seeds, one, other) for one, other in pairwise(sizes)]

    def products() -> None:
        for _ in ("target", "online"):
            for x, weight in zip(inputs, weights, strict=False):
                torch.bmm(x, weight)
        for layer in range(len(weights) - 1, -1, -1):
            torch.bmm(inputs[layer].mT, inputs[layer + 1])
            if layer:
                torch.bmm(inputs[layer + 1], weights[layer].mT)

    def ratio() -> float:
        update = median_seconds(lambda: agent.update(agent.replay.sample(), 1e-3))
        return update / median_seconds(products)

    found = benchmark.pedantic(lambda: statistics.median(ratio() for _ in range(ROUNDS)), rounds=1)
    benchmark.extra_info["ratio"] = found
    print(f"an update takes {found:.2f} times its products")
    assert found <= LARGEST_UPDATE


def test_a_run_of_nothing_starts_and_ends_within_seconds(benchmark, tmp_path):
    request = ["run", "--algos=dqn,a2c", "--seeds=2", "--steps=160", "--jobs=2"]
    seconds: list[float] = []

    def run() -> None:
        seconds.append(rlbench(request, tmp_path, f"round-{len(seconds)}")[0])

    benchmark.pedantic(run, rounds=ROUNDS, iterations=1)
    print(f"start-up, report included: {statistics.median(seconds):.2f} s")
    assert statistics.median(seconds) <= LARGEST_START_UP


@pytest.mark.parametrize("work", SCALING)
def test_training_time_grows_slower_than_the_seeds(benchmark, tmp_path, work):
    algorithm, env, _, settings, _ = WORK[work]
    steps, largest = SCALING[work]

    def training_seconds(seeds: int) -> float:
        """Of one process after the other, start-up and evaluation left out."""
        asked = {"steps": steps, "settings": {algorithm: settings}, "eval_points": 1, "jobs": 1}
        folder = tmp_path / f"{seeds}-{time.monotonic_ns()}"
        results = package.run(algorithm, env, seeds=seeds, out=folder, progress=False, **asked)
        clocks = [
            json.loads(path.read_text()) for path in Path(results.path).glob("trials/*/*/*/timing.json")
        ]
        return sum(
            (clock["wall_seconds"] - clock["evaluation_seconds"]) / clock["cohort_size"] for clock in clocks
        )

    seconds: dict[int, list[float]] = {1: [], 10: [], 100: []}

    def curve() -> None:
        for seeds in (1, 10, 100, 10):  # before and after: the machine is not as fast at all times
            seconds[seeds].append(training_seconds(seeds))

    benchmark.pedantic(curve, rounds=ROUNDS, iterations=1)
    once = {seeds: statistics.median(found) for seeds, found in seconds.items()}
    benchmark.extra_info["seconds"] = once
    print(f"{work}: {once}, 10 to 1: {once[10] / once[1]:.2f}, 100 to 10: {once[100] / once[10]:.2f}")
    assert once[10] <= largest * once[1]
    assert once[100] <= 9.0 * once[10]
