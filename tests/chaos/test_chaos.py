"""Chaos: SIGKILL at random moments, the same command again, and the same bits at the end (promise P3).

``RLBENCH_CHAOS_KILLS`` sets how many kills (default 30); ``tox -e soak`` makes 300.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from disk import stored
from families import alive, family

KILLS = int(os.environ.get("RLBENCH_CHAOS_KILLS", "30"))
SEED = 7
STEPS = 12_000
COMMAND = [
    *("run", "--algos=dqn,a2c", "--seeds=5", f"--steps={STEPS}", "--eval-points=12", "--eval-episodes=3"),
    *("--jobs=2", "--retries=1000", "--checkpoint-every=0.3"),
    *(
        "--set=dqn.hidden_sizes=[32]",
        "--set=dqn.batch_size=32",
        "--set=dqn.train_freq=8",
        "--set=dqn.gradient_steps=1",
    ),
]


def committed(folder: Path) -> dict[str, int]:
    """The newest committed step of every trial; the end counts as the last."""
    steps = {}
    for trial in folder.glob("trials/*/*/*"):
        found = [int(path.stem) for path in trial.glob("checkpoint/*.json")]
        steps[trial.name] = STEPS if (trial / "status.json").exists() else max(found, default=0)
    return steps


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "rlbench", *COMMAND, f"--out={folder}"]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )


def test_killed_at_random_moments_and_continued_gives_the_same_bits_and_leaves_no_process(tmp_path):
    undisturbed = tmp_path / "undisturbed"
    calm = start(undisturbed)
    _, errors = calm.communicate()
    assert calm.returncode == 0, errors.decode()
    expected = stored(undisturbed)
    assert len(expected) == 10 * 6

    chance = random.Random(SEED)
    hits: dict[str, int] = {"runner": 0, "server": 0, "worker": 0}
    seen: set[int] = set()
    rounds = 0
    while sum(hits.values()) < KILLS:
        rounds += 1
        folder = tmp_path / f"chaos-{rounds}"
        progress = {}
        process = start(folder)
        while True:
            time.sleep(chance.uniform(0.05, 3.0))
            now = committed(folder)
            lost = {trial for trial, step in progress.items() if now.get(trial, 0) < step}
            assert not lost, "work before a committed checkpoint was lost"
            progress = now
            if process.poll() is not None:
                _, errors = process.communicate()
                if process.returncode == 0:
                    break
                assert process.returncode == -signal.SIGKILL, errors.decode()
                process = start(folder)
                continue
            if sum(hits.values()) >= KILLS:
                continue
            roles = family(process.pid)
            seen |= set(roles)
            wanted = chance.choice(["runner", "worker", "worker", "worker", "server"])
            victims = [pid for pid, role in roles.items() if role == wanted]
            if victims:
                os.kill(chance.choice(victims), signal.SIGKILL)
                hits[wanted] += 1
        assert stored(folder) == expected, f"round {rounds}"
    for _ in range(50):
        if not any(alive(pid) for pid in seen):
            break
        time.sleep(0.1)
    assert not [pid for pid in seen if alive(pid)]
    print(f"{hits} kills in {rounds} rounds, all bits equal")
