"""Stable-Baselines3 through the harness: its budget, its settings, its promises."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from rlbench_sb3 import configs, trainers
from rlbench_sb3.plugin import rlbench_algorithms

import rlbench
from rlbench.api import TrainerTask

NAMES = ("dqn", "a2c", "ppo")
SMALL = {
    "sb3-dqn": {"learning_starts": 50, "buffer_size": 500, "hidden_sizes": [16]},
    "sb3-a2c": {"n_envs": 2, "hidden_sizes": [16]},
    "sb3-ppo": {"n_envs": 2, "n_steps": 32, "batch_size": 16, "n_epochs": 2, "hidden_sizes": [16]},
}


def run(folder, algos="sb3-dqn,sb3-a2c,sb3-ppo", env="CartPole-v1", **options):
    chosen = {name: SMALL[name] for name in algos.split(",")}
    asked = {"seeds": 2, "steps": 400, "eval_points": 4, "eval_episodes": 2, "settings": chosen} | options
    return rlbench.run(algos, env, out=folder, progress=False, **asked)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run(tmp_path_factory.mktemp("results"))


def test_every_trial_finishes_within_its_budget_and_is_evaluated_on_the_harness_schedule(results):
    trials = results.trials
    assert trials["status"].tolist() == ["finished"] * 6
    assert trials["steps"].tolist() == [400] * 6
    points = results.evaluations.groupby(["algorithm", "seed"])["step"].unique()
    assert all(list(steps) == [100, 200, 300, 400] for steps in points)
    ends = results.episodes.groupby(["algorithm", "seed"])["step"].max()
    assert (ends <= 400).all()


@pytest.mark.parametrize("points", [1, 8])
def test_neither_companions_nor_the_cadence_of_evaluation_change_the_weights(results, tmp_path, points):
    again = run(tmp_path, seeds="1,", eval_points=points)
    for name in NAMES:
        (mine,) = again.path.glob(f"trials/sb3-{name}/*/seed-1-*/final.safetensors")
        (theirs,) = results.path.glob(f"trials/sb3-{name}/*/seed-1-*/final.safetensors")
        assert mine.read_bytes() == theirs.read_bytes(), name
    assert set(again.episodes["episode_return"]) <= set(results.episodes["episode_return"])


def task(env: gymnasium.Env, steps: int) -> TrainerTask:
    return TrainerTask(
        env="test",
        env_kwargs={},
        observation_space=env.observation_space,
        action_space=env.action_space,
        n_envs=1,
        steps=steps,
        device="cpu",
        max_episode_steps=100,
        make_env=lambda: env,
        make_vector_env=lambda n: None,
    )


@pytest.mark.parametrize("name", ["DQN", "A2C", "PPO"])
def test_settings_reach_stable_baselines3_under_their_own_names(name):
    changed = {"gamma": 0.9, "max_grad_norm": 0.7, "hidden_sizes": (7, 5), "n_envs": 1}
    config = getattr(configs, f"{name}Config")(
        **changed, learning_rate=0.02, learning_rate_schedule="linear", activation="tanh"
    )
    trainer = getattr(trainers, f"{name}Trainer")(None, config, np.random.default_rng(0))
    trainer.train(task(gymnasium.make("CartPole-v1"), 100 if name != "PPO" else 2048), lambda policy: None)
    model = trainer.model
    assert (model.gamma, model.max_grad_norm, model.n_envs) == (0.9, 0.7, 1)
    assert model.learning_rate(0.5) == pytest.approx(0.01)
    shapes = {tuple(tensor.shape) for tensor in model.policy.state_dict().values()}
    assert {(7, 4), (5, 7)} <= shapes


@pytest.mark.parametrize("name", ["DQN", "A2C", "PPO"])
def test_defaults_are_those_of_stable_baselines3(name):
    import inspect

    signature = inspect.signature(getattr(trainers.stable_baselines3, name)).parameters
    config = getattr(configs, f"{name}Config")()
    shared = [field for field in config.__dataclass_fields__ if field in signature]
    assert len(shared) >= 10
    for field in shared:
        expected = signature[field].default
        assert getattr(config, field) == (expected[0] if isinstance(expected, tuple) else expected), field


def test_images_get_a_convolutional_policy():
    class Noise(gymnasium.Env):
        observation_space = spaces.Box(0, 255, (3, 40, 40), np.uint8)
        action_space = spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    seen = []
    trainer = trainers.A2CTrainer(None, configs.A2CConfig(n_envs=1), np.random.default_rng(0))
    trainer.train(task(Noise(), 10), seen.append)
    assert any("cnn" in name for name in trainer.state_dict()["weights"])
    assert seen[0](np.zeros((2, 3, 3, 40, 40), np.uint8)).shape == (2, 3)


def test_training_leaves_no_log_folder_among_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    run(tmp_path / "results", "sb3-a2c", seeds=1)
    assert not list((tmp_path / "temporary").glob("SB3*"))


def test_dqn_is_unsupported_where_actions_are_continuous(tmp_path):
    results = run(tmp_path, "sb3-dqn,sb3-a2c", "Pendulum-v1", seeds=1, steps=60)
    assert results.trials["algorithm"].tolist() == ["sb3-a2c"]
    assert [(row["algorithm"], row["reason"]) for row in results.unsupported] == [
        ("sb3-dqn", "needs Discrete actions")
    ]


def test_listing_the_plugin_names_everything_without_importing_stable_baselines3():
    assert [spec.name for spec in rlbench_algorithms()] == ["sb3-dqn", "sb3-a2c", "sb3-ppo"]
    assert all(spec.kind == "trainer" for spec in rlbench_algorithms())
