"""The main job against Stable-Baselines3: whole commands, start to exit, side by side on both cores.

Run by ``tox -e bench``; not part of the tests. ``RLBENCH_BENCH_ROUNDS`` sets the number of pairs (default 3).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = int(os.environ.get("RLBENCH_BENCH_ROUNDS", "3"))
REQUEST = ["run", "--algos", "dqn,a2c", "--seeds", "5"]
LARGEST_SHARE = 1 / 3
"""rlbench may take at most this share of the peer's wall-clock."""


def timed(arguments: list[str], folder: Path) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun, done.stdout


def test_the_main_job_takes_at_most_a_third_of_stable_baselines3(benchmark, tmp_path):
    _, document = timed(["-m", "rlbench", *REQUEST, "--dry-run", "--json"], tmp_path)
    (tmp_path / "plan.json").write_text(document)
    peer = str(Path(__file__).with_name("sb3_comparison.py"))
    ours: list[float] = []
    theirs: list[float] = []
    scores: list[str] = []

    def pair() -> None:
        folder = f"round-{len(ours)}"
        seconds, output = timed(["-m", "rlbench", *REQUEST, "--out", folder, "--json"], tmp_path)
        ours.append(seconds)
        found = {row["algorithm"]: round(row["mean"], 1) for row in json.loads(output)["scores"]}
        seconds, output = timed([peer, "plan.json"], tmp_path)
        theirs.append(seconds)
        scores.append(f"rlbench {found}, Stable-Baselines3 {json.loads(output)}")

    benchmark.pedantic(pair, rounds=ROUNDS, iterations=1)
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    benchmark.extra_info.update(ours=ours, theirs=theirs, ratios=ratios, scores=scores)
    for our, their, ratio, score in zip(ours, theirs, ratios, scores, strict=True):
        print(f"rlbench {our:.1f} s, Stable-Baselines3 {their:.1f} s, {1 / ratio:.1f} times; {score}")
    print(f"median: {1 / statistics.median(ratios):.1f} times as fast")
    assert statistics.median(ratios) <= LARGEST_SHARE
