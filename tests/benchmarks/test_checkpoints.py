"""What checkpoints cost: the same dqn run with one every ten seconds and with none, side by side.

Run by ``tox -e bench``; not part of the tests. ``RLBENCH_BENCH_ROUNDS`` sets the number of pairs (default 3).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("RLBENCH_BENCH_ROUNDS", "3"))
REQUEST = ["run", "--algos=dqn", "--seeds=4", "--steps=100000", "--jobs=2", "--json"]
LARGEST_RATIO = 1.03


def test_checkpoints_every_ten_seconds_cost_under_three_per_cent(benchmark, tmp_path):
    seconds: dict[str, list[float]] = {"10": [], "0": []}

    def pair() -> None:
        number = len(seconds["0"])
        for cadence in ("10", "0") if number % 2 else ("0", "10"):  # neither is always the second
            command = [*REQUEST, f"--checkpoint-every={cadence}", f"--out={cadence}-{number}"]
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "rlbench", *command],
                cwd=tmp_path,
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
            seconds[cadence].append(time.perf_counter() - begun)

    benchmark.pedantic(pair, rounds=ROUNDS, iterations=1)
    ratios = [with_ / without for with_, without in zip(seconds["10"], seconds["0"], strict=True)]
    benchmark.extra_info.update(seconds=seconds, ratios=ratios)
    for with_, without, ratio in zip(seconds["10"], seconds["0"], ratios, strict=True):
        print(f"with {with_:.2f} s, without {without:.2f} s, ratio {ratio:.3f}")
    print(f"median: {statistics.median(ratios):.3f}")
    assert min(seconds["10"]) > 20.0, "too short a run to hold two checkpoints"
    assert statistics.median(ratios) <= LARGEST_RATIO
