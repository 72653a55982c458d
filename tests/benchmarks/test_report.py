"""How long a report takes, in a process of its own, and how large its page is. Run by ``tox -e bench``."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from synthetic import write_results

ALGORITHMS = ("a2c", "dqn", "ppo", "random", "sac")
ENVIRONMENTS = ("Acrobot-v1", "CartPole-v1", *(f"Some{number}-v0" for number in range(8)))
SIZES = {  # algorithms, environments, seeds; the most seconds, the most bytes of the page
    "1000 trials": (ALGORITHMS, ENVIRONMENTS, 20, 60, 5_000_000),
    "10 trials": (ALGORITHMS[:2], ("CartPole-v1",), 5, 8, 500_000),
}


@pytest.mark.parametrize("size", SIZES)
def test_a_report_is_there_in_time_and_its_page_is_small(tmp_path, size):
    algorithms, environments, seeds, most_seconds, most_bytes = SIZES[size]
    write_results(tmp_path, algorithms, environments, seeds)
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "rlbench", "report", str(tmp_path)], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - begun
    page = (tmp_path / "report" / "index.html").stat().st_size
    print(f"report of {size}: {seconds:.1f} s, page {page / 1e6:.2f} MB")
    assert seconds < most_seconds
    assert page < most_bytes
