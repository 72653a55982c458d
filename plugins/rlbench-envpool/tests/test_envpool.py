"""EnvPool against gymnasium: the same dynamics; and the harness's promises on top of it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from rlbench_envpool.backend import EnvPoolSingle, EnvPoolVector, describe, names

import rlbench

STEPS = 400


def vector(env_id: str, count: int, limit: int = 200, **env_kwargs) -> EnvPoolVector:
    made = EnvPoolVector(env_id, env_kwargs, range(count), limit)
    made.reset(np.ones(count, dtype=bool), [0] * count)
    return made


def random_steps(env_id: str, count: int = 4, steps: int = STEPS, limit: int = 200):
    """Yield ``obs, action, next_obs, reward, terminated, truncated, length`` of every real step."""
    envs, space = vector(env_id, count, limit), describe(env_id, {}).action_space
    space.seed(0)
    obs, lengths = envs.reset(np.zeros(count, dtype=bool), []), np.zeros(count, dtype=int)
    for _ in range(steps):
        actions = np.stack([space.sample() for _ in range(count)])
        next_obs, reward, terminated, truncated = envs.step(actions)
        lengths += 1
        yield from zip(obs, actions, next_obs, reward, terminated, truncated, lengths.tolist(), strict=True)
        done = terminated | truncated
        lengths[done] = 0
        obs = envs.reset(done, [0] * int(done.sum())) if done.any() else next_obs
    envs.close()


def cartpole(env, obs):
    env.state, env.steps_beyond_terminated = obs.astype(float), None


def mountain_car(env, obs):
    env.state = obs.astype(float)


def acrobot(env, obs):
    cos1, sin1, cos2, sin2, speed1, speed2 = obs.astype(float)
    env.state = np.array([math.atan2(sin1, cos1), math.atan2(sin2, cos2), speed1, speed2])


def pendulum(env, obs):
    cos, sin, speed = obs.astype(float)
    env.state = np.array([math.atan2(sin, cos), speed])


@pytest.mark.parametrize(
    ("env_id", "put"),
    [
        ("CartPole-v1", cartpole),
        ("MountainCar-v0", mountain_car),
        ("MountainCarContinuous-v0", mountain_car),
        ("Acrobot-v1", acrobot),
        ("Pendulum-v1", pendulum),
    ],
)
def test_classic_control_moves_as_gymnasium_does(env_id, put):
    env = gymnasium.make(env_id).unwrapped
    env.reset(seed=0)
    seen = 0
    for obs, action, next_obs, reward, terminated, truncated, length in random_steps(env_id):
        put(env, obs)
        expected, expected_reward, ended, _, _ = env.step(action)
        # At Pendulum's speed limit EnvPool moves by the speed before it is cut, gymnasium by that after it.
        tolerance = 0.1 if env_id == "Pendulum-v1" and abs(expected[2]) == 8.0 else 1e-4
        np.testing.assert_allclose(next_obs, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(reward, expected_reward, rtol=1e-4, atol=1e-4)
        assert terminated == ended
        assert truncated == (length == 200 and not terminated)
        seen += 1
    assert seen == 4 * STEPS


@pytest.mark.parametrize(
    ("env_id", "twin"),
    [
        ("FrozenLake-v1", "FrozenLake-v1"),
        ("FrozenLake8x8-v1", "FrozenLake8x8-v1"),
        ("CliffWalking-v1", "CliffWalking-v1"),
        ("CliffWalkingSlippery-v1", "CliffWalkingSlippery-v1"),
        ("Taxi-v3", "Taxi-v4"),
    ],
)
def test_toy_text_moves_by_gymnasiums_transition_table(env_id, twin):
    table = gymnasium.make(twin).unwrapped.P
    found: dict[tuple[int, int], list[int]] = {}
    for obs, action, next_obs, reward, terminated, truncated, length in random_steps(
        env_id, count=16, steps=1500, limit=100
    ):
        outcomes = [outcome[1:] for outcome in table[int(obs)][int(action)] if outcome[0] > 0]
        assert (int(next_obs), reward, terminated) in outcomes
        assert truncated == (length == 100 and not terminated)
        found.setdefault((int(obs), int(action)), []).append(int(next_obs))
    (state, action), reached = max(found.items(), key=lambda item: len(item[1]))
    for successor in set(reached):
        expected = sum(p for p, s, _, _ in table[state][action] if s == successor)
        error = 4 * math.sqrt(expected * (1 - expected) / len(reached))
        assert abs(reached.count(successor) / len(reached) - expected) <= error


def test_a_finished_row_waits_for_its_reset_and_the_others_go_on():
    envs = vector("CartPole-v1", 3)
    alone = vector("CartPole-v1", 3)
    ended = np.zeros(3, dtype=bool)
    first_end = np.full(3, -1)
    for step in range(60):
        _, reward, terminated, truncated = envs.step(np.array([0, 1, step % 2]))
        assert (reward[ended] == 0).all()
        assert not (terminated | truncated)[ended].any()
        first_end[~ended & terminated] = step
        ended |= terminated
    assert first_end[0] > 0
    assert first_end[1] > 0
    assert first_end[2] > max(first_end[:2])
    before = envs.reset(np.zeros(3, dtype=bool), [])
    after = envs.reset(np.array([True, False, False]), [0])
    assert (before[1:] == after[1:]).all()
    assert np.abs(after[0]).max() <= 0.05 < np.abs(before[0]).max()
    alone.close()
    envs.close()


def test_a_sub_environments_stream_is_its_own_whatever_stands_beside_it():
    few, many = (EnvPoolVector("CartPole-v1", {}, seeds, 500) for seeds in ([7, 9], [1, 7, 2, 9, 3]))
    for number in range(5):
        pair = few.reset(np.ones(2, dtype=bool), [0] * 2)
        five = many.reset(np.ones(5, dtype=bool), [0] * 5)
        assert (pair == five[[1, 3]]).all(), number


def test_a_single_environment_repeats_an_episode_from_its_seed():
    env = EnvPoolSingle("CartPole-v1", {}, 500)
    first, _ = env.reset(seed=5)
    second, _ = env.reset()
    again, _ = env.reset(seed=5)
    assert (first == again).all()
    assert (first != second).any()
    obs, reward, terminated, truncated, _ = env.step(1)
    assert env.observation_space.contains(obs)
    assert (reward, terminated, truncated) == (1.0, False, False)


def test_words_for_what_it_does_not_have():
    assert "CartPole-v1" in names()
    with pytest.raises(LookupError, match=r"did you mean 'CartPole-v1'"):
        describe("CartPole-v11", {})
    with pytest.raises(ValueError, match="the harness seeds every sub-environment"):
        describe("CartPole-v1", {"env_seed": [1]})
    with pytest.raises(ValueError, match="takes no argument 'slip'"):
        describe("CartPole-v1", {"slip": 1})
    assert describe("CliffWalking-v1", {}).max_episode_steps is None
    with pytest.raises(rlbench.api.UsageError, match="observation space"):
        rlbench.run("random", "envpool:HumanoidCMURun-v1", seeds=1, steps=100, progress=False)


A2C = {"a2c": {"n_envs": 3, "hidden_sizes": [16]}, "dqn": {"hidden_sizes": [16], "learning_starts": 50}}


def stored(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob("trials/**/*"))
        if path.is_file() and path.name != "timing.json"
    }


def run(folder: Path, seeds, jobs: int = 1) -> dict[str, bytes]:
    rlbench.run(
        ["a2c", "dqn"],
        "envpool:CartPole-v1",
        seeds=seeds,
        steps=900,
        settings=A2C,
        eval_points=3,
        eval_episodes=2,
        jobs=jobs,
        out=folder,
        progress=False,
    )
    return stored(folder)


def test_companions_order_and_processes_change_no_bit(tmp_path):
    together = run(tmp_path / "together", [0, 1, 2, 3])
    assert len(together) == 2 * 4 * 6
    for name, seeds, jobs in (("alone", [2], 1), ("two", [3, 1], 2), ("split", [3, 2, 1, 0], 2)):
        for path, content in run(tmp_path / name, seeds, jobs).items():
            assert content == together[path], (name, path)


def test_after_a_kill_the_same_command_starts_the_trial_again_to_the_same_bits(tmp_path):
    command = [
        *(sys.executable, "-m", "rlbench", "run", "--algos=a2c", "--envs=envpool:CartPole-v1", "--jobs=1"),
        *("--seeds=2", "--steps=80000", "--eval-points=8", "--checkpoint-every=0.1"),
    ]
    first = subprocess.Popen(
        [*command, "--out=killed"], cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while not list(tmp_path.glob("killed/trials/*/*/*/evaluations.jsonl")):
        assert first.poll() is None
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not list(tmp_path.glob("killed/trials/*/*/*/status.json"))
    for folder in ("killed", "undisturbed"):
        subprocess.run([*command, f"--out={folder}"], cwd=tmp_path, check=True, capture_output=True)
    assert stored(tmp_path / "killed") == stored(tmp_path / "undisturbed")
    attempts = rlbench.load(tmp_path / "killed").trials["attempts"]
    assert attempts.tolist() == [2, 2]
