import gymnasium
import numpy as np
import pytest

from rlbench.api import BudgetExhausted
from rlbench.environments.metering import Meter


@pytest.fixture
def rows():
    return []


def meter_of(budget, rows):
    def episode_seed(index, episode):
        return 1000 * index + episode

    return Meter(budget, episode_seed, lambda *row: rows.append(row))


def pole(limit=4):
    return gymnasium.make("CartPole-v1", max_episode_steps=limit)


def test_steps_are_counted_and_the_first_beyond_the_budget_raises(rows):
    meter = meter_of(3, rows)
    env = meter.wrap(pole())
    env.reset()
    for count in range(1, 4):
        env.step(0)
        assert meter.steps == count
    with pytest.raises(BudgetExhausted):
        env.step(0)
    assert meter.steps == 3


def test_every_episode_is_seeded_by_the_meter_whatever_the_caller_passes(rows):
    meter = meter_of(100, rows)
    first, second = meter.wrap(pole()), meter.wrap(pole())
    for index, env in enumerate([first, second]):
        for episode in range(3):
            obs, _ = env.reset(seed=77)
            np.testing.assert_array_equal(obs, pole().reset(seed=1000 * index + episode)[0])


def test_finished_episodes_are_recorded_and_abandoned_ones_are_not(rows):
    env = meter_of(100, rows).wrap(pole(limit=4))
    env.reset()
    env.step(0)
    env.reset()
    for _ in range(4):
        env.step(1)
    assert rows == [(5, 0, 4.0, 4)]


def test_a_vector_shares_the_budget_rounded_up_to_whole_vector_steps(rows):
    meter = meter_of(7, rows)
    vector = meter.vector(lambda: pole(limit=100), 3)
    vector.reset(seed=5)
    for _ in range(3):
        vector.step(np.array([0, 1, 0]))
    assert meter.steps == 9
    with pytest.raises(BudgetExhausted):
        vector.step(np.array([0, 1, 0]))


def test_a_vector_restarts_finished_episodes_with_the_next_seed(rows):
    meter = meter_of(100, rows)
    vector = meter.vector(lambda: pole(limit=2), 2)
    vector.reset()
    for _ in range(2):
        _, _, _, truncated, _ = vector.step(np.array([0, 1]))
    assert truncated.all()
    obs, reward, *_ = vector.step(np.array([0, 1]))  # gymnasium's NEXT_STEP: this step only restarts
    assert reward.tolist() == [0, 0]
    for index in range(2):
        np.testing.assert_array_equal(obs[index], pole().reset(seed=1000 * index + 1)[0])
    assert meter.steps == 4
    assert rows == [(3, 0, 2.0, 2), (4, 1, 2.0, 2)]


def test_sampled_actions_can_be_reproduced_and_differ_between_environments(rows):
    def samples():
        meter = meter_of(10, [])
        spaces = [meter.wrap(pole()).action_space, meter.wrap(pole()).action_space]
        spaces.append(meter_of(10, []).vector(pole, 2).action_space)
        return [[np.sum(space.sample()) for _ in range(64)] for space in spaces]

    first = samples()
    assert first == samples()
    assert first[0] != first[1]


def test_observations_that_do_not_fit_their_space_are_named(rows):
    env = meter_of(3, rows).wrap(gymnasium.wrappers.TransformObservation(pole(), lambda obs: obs[:3], None))
    env.env.observation_space = pole().observation_space
    with pytest.raises(ValueError, match=r"CartPole-v1 declares .* \(4,\) .* gave one of shape \(3,\)"):
        env.reset()
