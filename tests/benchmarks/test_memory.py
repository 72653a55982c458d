"""How much memory a worker takes at its peak, shared pages included; Linux only. Run by ``tox -e bench``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

MEGABYTE = 10**6
FRAMES = 10 * 10_000 * 84 * 84  # bytes: of ten seeds, a buffer of 10 000
IMAGES = ["--envs=noise_images:NoiseImages-v0", "--allow-import", "--steps=10500", "--eval-points=1"]
IMAGES += [f"--set=dqn.{text}" for text in ("buffer_size=10000", "batch_size=32", "train_freq=500")]
WORK = {  # arguments, and the most bytes
    "vectors": (["--envs=CartPole-v1", "--steps=20000"], 600 * MEGABYTE),
    "images": ([*IMAGES, "--eval-episodes=1", "--set=dqn.hidden_sizes=[]"], 1.3 * FRAMES + 600 * MEGABYTE),
}


def peaks(process: subprocess.Popen) -> dict[int, int]:
    """Watch the descendants of a process until it ends; give the peak of each, in bytes."""
    found: dict[int, int] = {}
    while process.poll() is None:
        family = {process.pid}
        for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            try:
                status = (entry / "status").read_text()
            except OSError:  # it has ended
                continue
            fields = dict(re.findall(r"^(PPid|VmHWM):\s+(\d+)", status, re.MULTILINE))
            if int(fields["PPid"]) in family and "VmHWM" in fields:
                family.add(int(entry.name))
                found[int(entry.name)] = max(found.get(int(entry.name), 0), int(fields["VmHWM"]) * 1024)
        time.sleep(0.2)
    return found


@pytest.mark.parametrize("work", WORK)
def test_a_worker_with_ten_seeds_of_dqn(tmp_path, work):
    arguments, most = WORK[work]
    command = [sys.executable, "-m", "rlbench", "run", "--algos=dqn", "--seeds=10", "--jobs=1", *arguments]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}) as process:
        found = max(peaks(process).values())
    print(f"{work}: a worker's peak is {found / MEGABYTE:.0f} MB of {most / MEGABYTE:.0f}")
    assert process.returncode == 0
    assert found <= most
