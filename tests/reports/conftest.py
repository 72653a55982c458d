"""One synthetic experiment with everything in it, and its report, shared by the tests of this folder."""

from __future__ import annotations

import pytest
from synthetic import write_results

import rlbench
from rlbench.loaded import Results

STATUSES = {("dqn", "CartPole-v1", 1): "failed", ("dqn", "CartPole-v1", 2): "diverged"}
UNSUPPORTED = [{"algorithm": "value-iteration", "env": "CartPole-v1", "reason": "needs a <model>"}]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two learners on CartPole with two mishaps, and solvers beside a learner on FrozenLake."""
    root = tmp_path_factory.mktemp("results") / "everything"
    write_results(root, statuses=STATUSES, unsupported=UNSUPPORTED)
    write_results(root, algorithms=("dqn", "value-iteration"), envs=("FrozenLake-v1",))
    return rlbench.load(root)


@pytest.fixture(scope="session")
def page(results: Results) -> str:
    """The page of the experiment."""
    return results.report().read_text(encoding="utf-8")
