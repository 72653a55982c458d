"""The main job against Stable-Baselines3: whole commands, start to exit, side by side on both cores.

Run by ``tox -e bench``; not part of the tests. ``RLBENCH_BENCH_ROUNDS`` sets the number of pairs (default 3).
"""

from __future__ import annotations

import statistics

from benchmarks.commands import ROUNDS, rlbench, stable_baselines3

REQUEST = ["run", "--algos", "dqn,a2c", "--seeds", "5"]
SMALLEST_SPEED_UP = 3.0


def test_the_main_job_takes_at_most_a_third_of_stable_baselines3(benchmark, tmp_path):
    pairs: list[tuple[float, float]] = []

    def pair() -> None:
        ours, scores = rlbench(REQUEST, tmp_path, f"round-{len(pairs)}")
        theirs, peer_scores = stable_baselines3(REQUEST, tmp_path)
        pairs.append((ours, theirs))
        print(f"rlbench {ours:.1f} s {scores}, Stable-Baselines3 {theirs:.1f} s {peer_scores}")

    benchmark.pedantic(pair, rounds=ROUNDS, iterations=1)
    speed_up = statistics.median(theirs / ours for ours, theirs in pairs)
    benchmark.extra_info.update(pairs=pairs, speed_up=speed_up)
    print(f"median: {speed_up:.2f} times as fast")
    assert speed_up >= SMALLEST_SPEED_UP
