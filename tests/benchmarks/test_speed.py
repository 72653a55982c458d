"""One algorithm at a time against the peers: many seeds, and a lone one. The table of docs/performance.md.

Whole commands from start to exit on both cores, start-up and evaluation included; networks, sub-environments,
update counts and evaluation points are equal on both sides. Only against rejax, which compiles, training
alone is timed. Run by ``tox -e bench``; ``RLBENCH_BENCH_ROUNDS`` sets the number of pairs (default 3).
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import pytest
from benchmarks.commands import ROUNDS, rlbench, stable_baselines3, timed

import rlbench as package

A2C = {"n_envs": 8, "n_steps": 5, "hidden_sizes": [64, 64]}
DQN = {
    **{"n_envs": 1, "train_freq": 4, "gradient_steps": 1, "learning_starts": 1000, "buffer_size": 50_000},
    **{"tau": 1.0, "target_update_interval": 500, "loss": "huber", "double_q": False},
    **{"learning_rate": 1e-3, "max_grad_norm": 10.0, "gamma": 0.99, "exploration_fraction": 0.2},
}
WORK = {
    "a2c": ("a2c", "CartPole-v1", 100_000, A2C, 5.0),
    "a2c on EnvPool": ("a2c", "envpool:CartPole-v1", 100_000, A2C, 8.0),
    "dqn 128x128": ("dqn", "CartPole-v1", 50_000, DQN | {"hidden_sizes": [128, 128], "batch_size": 128}, 5.0),
    "dqn 64x64": ("dqn", "CartPole-v1", 50_000, DQN | {"hidden_sizes": [64, 64], "batch_size": 64}, 6.0),
}
REJAX = {"steps": 50_000, "seeds": 10, "n_envs": 4, "batch_size": 128, "hidden_sizes": [64, 64]}
REJAX_FLOOR = 3.0


def request(work: str, seeds: int) -> list[str]:
    algorithm, env, steps, settings, _ = WORK[work]
    changed = [f"--set={algorithm}.{key}={json.dumps(value)}" for key, value in settings.items()]
    return ["run", f"--algos={algorithm}", f"--envs={env}", f"--seeds={seeds}", f"--steps={steps}", *changed]


@pytest.mark.parametrize("seeds", [10, 1])
@pytest.mark.parametrize("work", WORK)
def test_against_stable_baselines3(benchmark, tmp_path, work, seeds):
    pairs: list[tuple[float, float]] = []

    def pair() -> None:
        ours, scores = rlbench(request(work, seeds), tmp_path, f"round-{len(pairs)}")
        theirs, peer_scores = stable_baselines3(request(work, seeds), tmp_path)
        pairs.append((ours, theirs))
        print(f"{work}, {seeds} seeds: rlbench {ours:.1f} s {scores}, peer {theirs:.1f} s {peer_scores}")

    benchmark.pedantic(pair, rounds=ROUNDS, iterations=1)
    speed_up = statistics.median(theirs / ours for ours, theirs in pairs)
    benchmark.extra_info.update(work=work, seeds=seeds, pairs=pairs, speed_up=speed_up)
    print(f"{work}, {seeds} seeds: median {speed_up:.2f} times as fast")
    assert speed_up >= (WORK[work][-1] if seeds > 1 else 1.0)


def test_training_against_rejax(benchmark, tmp_path):
    settings = DQN | {
        **{"n_envs": REJAX["n_envs"], "train_freq": 1, "target_update_interval": 400},
        **{"batch_size": REJAX["batch_size"], "hidden_sizes": REJAX["hidden_sizes"]},
    }
    pairs: list[tuple[float, float]] = []

    def pair() -> None:
        results = package.run(
            "dqn",
            seeds=REJAX["seeds"],
            steps=REJAX["steps"],
            settings={"dqn": settings},
            eval_points=1,
            jobs=2,
            out=tmp_path / f"round-{len(pairs)}",
            progress=False,
        )
        clocks = [
            json.loads(path.read_text()) for path in Path(results.path).glob("trials/*/*/*/timing.json")
        ]
        ours = max(clock["wall_seconds"] - clock["evaluation_seconds"] for clock in clocks)
        peer = str(Path(__file__).with_name("rejax_comparison.py"))
        _, output = timed([peer, json.dumps(REJAX)], tmp_path)
        theirs = json.loads(output)["seconds"]
        pairs.append((ours, theirs))
        print(f"dqn against rejax: {ours:.1f} s, {theirs:.1f} s on {sys.platform}")

    benchmark.pedantic(pair, rounds=ROUNDS, iterations=1)
    speed_up = statistics.median(theirs / ours for ours, theirs in pairs)
    benchmark.extra_info.update(work="dqn against rejax", seeds=10, pairs=pairs, speed_up=speed_up)
    print(f"against rejax: median {speed_up:.2f} times as fast")
    assert speed_up >= REJAX_FLOOR
