"""Replays of every kind of algorithm: from the final weights where they are enough, else trained again."""

from __future__ import annotations

import pytest

import rlbench
from rlbench.api import UsageError
from rlbench.plugins import load_catalogue
from rlbench.running.replaying import ReplayFailed, find_trial, keep, replay

PLUGIN = '''
    from dataclasses import dataclass

    import numpy as np

    from rlbench.api import AlgorithmSpec
    from rlbench.hookspecs import hookimpl


    @dataclass(frozen=True)
    class Config:
        broken: bool = False


    class Plain:
        """Pushes the way that its one weight says."""

        def __init__(self, task, config, rng):
            if config.broken:
                raise ValueError("broken since")
            self.weight = np.array(float(rng.integers(2)))
            self.rng = rng

        def act(self, obs):
            return np.full(len(obs), int(self.weight))

        def observe(self, transition):
            self.weight += 1 - 2 * self.weight

        def policy(self):
            return lambda obs: np.full(obs.shape[:-1], int(self.weight))


    class Kept(Plain):
        def state_dict(self):
            return {"weights": {"weight": self.weight.copy()}}

        def load_state_dict(self, state):
            self.weight = np.array(state["weights"]["weight"])


    class Moody(Kept):
        """Follows a stream of its own, which its weights do not tell."""

        def policy(self):
            return lambda obs: self.rng.integers(3, size=obs.shape[:-1])


    class Trainer(Plain):
        def train(self, task, tick):
            env = task.make_env()
            env.reset()
            while True:
                _, _, terminated, truncated, _ = env.step(int(self.weight))
                if terminated or truncated:
                    env.reset()
                tick(self.policy())


    @hookimpl
    def rlbench_algorithms():
        yield AlgorithmSpec("plain", Config, agent=Plain)
        yield AlgorithmSpec("kept", Config, agent=Kept)
        yield AlgorithmSpec("moody", Config, agent=Moody)
        yield AlgorithmSpec("trainer", Config, trainer=Trainer)
'''
SETTINGS = {"dqn": {"hidden_sizes": [4], "learning_starts": 8, "buffer_size": 100}}
WEIGHTS_ARE_ENOUGH = ("dqn", "kept", "value-iteration")


@pytest.fixture
def plugin(distribution):
    distribution("test-kinds", {"test-kinds": "kinds_for_tests"}, {"kinds_for_tests.py": PLUGIN})


def again(results, name, episode=0):
    told = []
    frames = results.frames
    trial = find_trial(frames, name)
    return replay(frames, trial, episode, load_catalogue(), say=told.append), told


def test_every_kind_is_replayed_as_stored(plugin, tmp_path):
    rlbench.run(
        "plain,kept,moody,trainer,dqn,value-iteration",
        "MountainCar-v0,FrozenLake-v1",
        seeds="1,",
        steps=40,
        eval_points=2,
        eval_episodes=2,
        max_episode_steps=30,  # on MountainCar all episodes have one return and one length
        settings=SETTINGS,
        jobs=1,
        device="cpu",
        out=tmp_path / "run",
        progress=False,
    )
    results = rlbench.load(tmp_path / "run")
    ended = results.trials[results.trials["status"] == "finished"]
    assert set(ended["algorithm"]) == {"plain", "kept", "moody", "trainer", "dqn", "value-iteration"}
    for row in ended.itertuples():
        found, told = again(results, f"{row.algorithm}/{row.env}/1", episode=1)
        assert found.equal, row
        assert found.film is not None
        stored = results.evaluations.query("algorithm == @row.algorithm and env == @row.env and episode == 1")
        assert found.episode_length == stored["episode_length"].iloc[-1]
        assert bool(told) != (row.algorithm in WEIGHTS_ARE_ENOUGH), row
        assert all("trained again" in text for text in told)


def test_what_an_algorithm_raises_is_named(plugin, tmp_path):
    asked = {"seeds": "0,", "steps": 20, "eval_points": 1, "eval_episodes": 1, "jobs": 1, "device": "cpu"}
    rlbench.run("plain", "CartPole-v1", out=tmp_path, progress=False, **asked)
    results = rlbench.load(tmp_path)
    results.frames.stored[0].document["config"]["broken"] = True
    with pytest.raises(UsageError, match="tells more than"):  # another trial than its folder says
        again(results, None)
    rlbench.run("plain", "CartPole-v1", out=tmp_path, progress=False, **asked)
    import kinds_for_tests

    def fail(*_):
        raise ValueError("broken since")

    kinds_for_tests.Plain.policy = fail
    with pytest.raises(ReplayFailed, match=r"seed 0 cannot be replayed .ValueError: broken"):
        again(rlbench.load(tmp_path), None)


def test_the_process_computes_afterwards_as_it_did_before(plugin, tmp_path):
    import torch

    asked = {"seeds": "0,", "steps": 20, "eval_points": 1, "eval_episodes": 1, "jobs": 1, "device": "cpu"}
    rlbench.run("dqn", "CartPole-v1", out=tmp_path, progress=False, settings=SETTINGS, **asked)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found, _ = again(rlbench.load(tmp_path), "dqn/CartPole-v1/0")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    path = keep(tmp_path, found)
    kept = path.read_bytes()
    assert keep(tmp_path, found) == path
    assert path.read_bytes() == kept
