"""The promises of bitwise equality: companions (P1), order (P2), process (P4) and evaluation (P5)."""

from __future__ import annotations

import pytest
from disk import stored

LEARNERS = {
    "dqn": {"learning_starts": 64, "batch_size": 32, "buffer_size": 200, "target_update_interval": 50},
    "a2c": {"n_envs": 4},
    "reinforce": {"baseline": "value"},
}
ENVIRONMENTS = {
    "vector": ("CartPole-v1", {}, 600),
    "small images": ("Chase-v0", {"size": 12}, 160),
    "images": ("Chase-v0", {"size": 36}, 96),
}
HIDDEN = {"vector": [24, 20], "small images": [20], "images": [20]}


def request(algorithm: str, kind: str) -> dict:
    env, arguments, steps = ENVIRONMENTS[kind]
    return {
        "algos": algorithm,
        "envs": env,
        "steps": steps,
        "settings": {algorithm: {**LEARNERS[algorithm], "hidden_sizes": HIDDEN[kind]}},
        "env_settings": {env: arguments},
        "eval_points": 4,
        "eval_episodes": 2,
    }


@pytest.mark.parametrize("kind", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", LEARNERS)
def test_companions_change_no_bit(train, algorithm, kind):
    asked = request(algorithm, kind)
    alone = train([3], **asked)[3]
    assert alone.status == "finished"
    assert alone.weights
    assert len(alone.tables["evaluations"]) == 4
    assert alone.tables["Episodes"]
    assert alone.tables["Diagnostics"]
    for companions in ([3, 1], [0, 1, 2, 3, 4], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]):
        assert train(companions, **asked)[3] == alone, f"with companions {companions}"


@pytest.mark.parametrize("kind", ["vector", "small images"])
@pytest.mark.parametrize("algorithm", LEARNERS)
def test_the_cadence_of_evaluation_changes_no_bit_of_training_and_no_shared_point(train, algorithm, kind):
    asked = request(algorithm, kind)
    often, seldom = (
        train([0, 3], **asked | {"eval_points": points, "eval_episodes": episodes})[3]
        for points, episodes in ((8, 3), (2, 3))
    )
    more_episodes = train([0, 3], **asked | {"eval_points": 2, "eval_episodes": 5})[3]
    assert often.weights == seldom.weights == more_episodes.weights
    for table in ("Episodes", "Diagnostics"):
        assert often.tables[table] == seldom.tables[table] == more_episodes.tables[table]
    steps = {row[0] for row in seldom.tables["evaluations"]}
    assert often.evaluations_at(steps) == seldom.tables["evaluations"]


def test_jobs_order_process_and_hash_seed_change_no_bit_on_disk(environments, rlbench, tmp_path):
    settings = [
        f"--set={algorithm}.{key}={value}"
        for algorithm, values in LEARNERS.items()
        for key, value in values.items()
    ]
    asked = ["run", *settings, "--steps=480", "--eval-points=3", "--eval-episodes=2"]
    first = rlbench(
        *asked,
        "--algos=dqn,reinforce,a2c",
        "--envs=CartPole-v1,Chase-v0",
        "--seeds=3",
        "--jobs=2",
        "--out=first",
        env={"PYTHONHASHSEED": "1"},
    )
    second = rlbench(
        *asked,
        "--algos=a2c,reinforce,dqn",
        "--envs=Chase-v0,CartPole-v1",
        "--seeds=2,1,0",
        "--jobs=1",
        "--out=second",
        env={"PYTHONHASHSEED": "2"},
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    one, two = stored(tmp_path / "first"), stored(tmp_path / "second")
    assert len(one) == 18 * 6
    assert one == two


def test_other_algorithms_and_seeds_asked_for_change_no_bit_on_disk(environments, rlbench, tmp_path):
    asked = ["run", "--steps=480", "--eval-points=3", "--eval-episodes=2"]
    settings = [f"--set=dqn.{key}={value}" for key, value in LEARNERS["dqn"].items()]
    alone = rlbench(*asked, *settings, "--algos=dqn", "--seeds=1,", "--out=alone")
    many = rlbench(*asked, *settings, "--algos=random,dqn,a2c", "--seeds=5", "--out=many")
    assert (alone.returncode, many.returncode) == (0, 0), alone.stderr + many.stderr
    one, all_of_them = stored(tmp_path / "alone"), stored(tmp_path / "many")
    assert len(one) == 6
    assert one.items() <= all_of_them.items()
