"""Whole commands, timed from start to exit, and the peer's side of a comparison made from our own plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROUNDS = int(os.environ.get("RLBENCH_BENCH_ROUNDS", "3"))
"""How many pairs are timed; the median of their ratios counts."""

PEER = str(Path(__file__).with_name("sb3_comparison.py"))


def timed(arguments: Sequence[str], folder: Path) -> tuple[float, str]:
    """Run ``python ARGUMENTS`` in ``folder``; give the seconds it took and what it printed."""
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


def rlbench(request: Sequence[str], folder: Path, out: str) -> tuple[float, dict[str, float]]:
    """Time a run with its report; give the seconds and each algorithm's mean score."""
    seconds, output = timed(["-m", "rlbench", *request, f"--out={out}", "--json"], folder)
    return seconds, {row["algorithm"]: round(row["mean"], 1) for row in json.loads(output)["scores"]}


def stable_baselines3(request: Sequence[str], folder: Path) -> tuple[float, dict[str, float]]:
    """Time the same work done by Stable-Baselines3 in two processes."""
    _, document = timed(["-m", "rlbench", *request, "--dry-run", "--json"], folder)
    (folder / "plan.json").write_text(document)
    seconds, output = timed([PEER, "plan.json"], folder)
    return seconds, {name: round(score, 1) for name, score in json.loads(output).items()}
