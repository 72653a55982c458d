import numpy as np
import pytest
from gymnasium import spaces

from rlbench.algorithms.random import Random, RandomConfig
from rlbench.api import Task

OBSERVATIONS = spaces.Box(-1, 1, (3,))


def task_of(action_space, n_envs=2, observation_space=OBSERVATIONS):
    return Task(
        env="x",
        env_kwargs={},
        observation_space=observation_space,
        action_space=action_space,
        n_envs=n_envs,
        steps=100,
        device="cpu",
        max_episode_steps=10,
    )


def agent_of(action_space, seeds=(0, 1), **kwargs):
    rngs = [
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(7, spawn_key=(seed,)))) for seed in seeds
    ]
    return Random(task_of(action_space, **kwargs), RandomConfig(), rngs)


def actions_of(agent, steps, evaluate_every=None):
    """Train, maybe evaluating on the way; give the training actions ``[steps, S, N, ...]``."""
    seeds = len(agent.state_dict()["steps"])
    taken = []
    for step in range(steps):
        if evaluate_every and step % evaluate_every == 0:
            policy = agent.policy()
            for _ in range(3):
                policy(np.zeros((seeds, 5, 3)))
        taken.append(agent.act(np.zeros((seeds, 2, 3))).copy())
        agent.observe(None)
    return np.array(taken)


def test_discrete_actions_are_uniform():
    actions = actions_of(agent_of(spaces.Discrete(4)), 2000)  # [T, S, N]
    assert actions.shape == (2000, 2, 2)
    counts = np.bincount(actions.ravel(), minlength=4)
    assert len(counts) == 4
    assert np.abs(counts / actions.size - 0.25).max() < 0.025  # five standard errors


def test_bounded_actions_are_uniform_in_their_bounds():
    space = spaces.Box(np.array([-1, 10], np.float32), np.array([1, 20], np.float32))
    actions = actions_of(agent_of(space), 1000).reshape(-1, 2)
    assert actions.dtype == np.float32
    assert all(space.contains(action) for action in actions[:100])
    np.testing.assert_allclose(actions.mean(axis=0), [0, 15], atol=0.25)
    np.testing.assert_allclose(actions.std(axis=0), np.array([2, 10]) / np.sqrt(12), rtol=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unbounded_actions_are_finite_and_within_what_bounds_there_are(dtype):
    low = np.array([-np.inf, 2, -np.inf, -1], dtype)
    high = np.array([np.inf, np.inf, 3, 1], dtype)
    space = spaces.Box(low, high, dtype=dtype)
    actions = actions_of(agent_of(space), 500).reshape(-1, 4)
    assert np.isfinite(actions).all()
    assert all(space.contains(action) for action in actions)
    assert (actions.std(axis=0) > 0.3).all()


def test_companions_change_no_action():
    together = actions_of(agent_of(spaces.Discrete(5), seeds=(0, 1, 2)), 600)
    for seed in range(3):
        alone = actions_of(agent_of(spaces.Discrete(5), seeds=(seed,)), 600)
        np.testing.assert_array_equal(alone[:, 0], together[:, seed])
    assert not np.array_equal(together[:, 0], together[:, 1])


def test_evaluating_changes_no_training_action():
    quiet = actions_of(agent_of(spaces.Discrete(5)), 300)
    watched = actions_of(agent_of(spaces.Discrete(5)), 300, evaluate_every=7)
    np.testing.assert_array_equal(quiet, watched)


def test_the_policy_depends_on_the_steps_taken_and_not_on_earlier_evaluations():
    obs = np.zeros((2, 50, 3))
    quiet, watched = agent_of(spaces.Discrete(5)), agent_of(spaces.Discrete(5))
    training = actions_of(quiet, 30)
    actions_of(watched, 30, evaluate_every=2)
    later = quiet.policy()(obs)
    np.testing.assert_array_equal(later, watched.policy()(obs))
    actions_of(quiet, 1)
    assert not np.array_equal(later, quiet.policy()(obs))
    assert not np.array_equal(later[:, :30], training[:, :, 0].T)


@pytest.mark.parametrize(
    ("observation_space", "shape"), [(OBSERVATIONS, (2, 4, 6, 3)), (spaces.Discrete(9), (2, 4, 6))]
)
def test_the_policy_takes_any_leading_axes_and_tells_its_probabilities(observation_space, shape):
    obs = np.zeros(shape, observation_space.dtype)
    discrete = agent_of(spaces.Discrete(5), observation_space=observation_space).policy()
    assert discrete(obs).shape == (2, 4, 6)
    probabilities = discrete.probabilities(obs)
    assert probabilities.shape == (2, 4, 6, 5)
    np.testing.assert_array_equal(probabilities, 0.2)
    box = agent_of(spaces.Box(-1, 1, (2, 2)), observation_space=observation_space).policy()
    assert box(obs).shape == (2, 4, 6, 2, 2)


def test_a_restored_agent_goes_on_where_the_other_stopped():
    whole = actions_of(agent_of(spaces.Discrete(5)), 500)
    first, second = agent_of(spaces.Discrete(5)), agent_of(spaces.Discrete(5))
    actions_of(first, 300)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(actions_of(second, 200), whole[300:])
