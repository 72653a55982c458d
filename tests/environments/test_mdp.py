import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

from rlbench.environments.mdp import MDP, greedy, why_no_model

# State 0: action 0 waits (reward 1, stays with 0.75, else moves to 1), action 1 ends the episode (reward 2).
# State 1: both actions go back to 0, at a reward of -1 or 0.
TABLE = {
    0: {0: [(0.5, 0, 1.0, False), (0.25, 0, 1.0, False), (0.25, 1, 1.0, False)], 1: [(1.0, 0, 2.0, True)]},
    1: {0: [(1.0, 0, -1.0, False)], 1: [(1.0, 0, 0.0, False)]},
}
START = np.array([1.0, 0.0])
TABULAR = ["FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "CliffWalkingSlippery-v1", "Taxi-v4"]


@pytest.fixture
def two_states():
    return MDP.from_table(TABLE, START)


def test_a_table_becomes_arrays(two_states):
    np.testing.assert_array_equal(two_states.rewards, [[1, 2], [-1, 0]])
    np.testing.assert_array_equal(two_states.continuing.toarray(), [[0.75, 0.25], [0, 0], [1, 0], [1, 0]])


def test_values_of_a_policy_solve_the_expectation_equations_by_hand(two_states):
    # Always wait, and return for nothing: v0 = 1 + g (0.75 v0 + 0.25 v1), v1 = g v0, with g = 0.5.
    v0 = 1 / (1 - 0.5 * 0.75 - 0.25 * 0.25)
    values = two_states.policy_values(np.array([0, 1]), 0.5)
    np.testing.assert_allclose(values, [v0, v0 / 2], rtol=1e-14)
    q = two_states.policy_q_values(np.array([0, 1]), 0.5)
    np.testing.assert_allclose(q, [[v0, 2.0], [-1 + v0 / 2, v0 / 2]], rtol=1e-14)
    np.testing.assert_allclose(two_states.q_values(values, 0.5), q, rtol=1e-14)


def test_a_stochastic_policy_is_averaged(two_states):
    # End with probability 0.5 in state 0, never visit state 1's rewards: v1 = -0.5 + g v0.
    probabilities = np.array([[0.5, 0.5], [0.5, 0.5]])
    values = two_states.policy_values(probabilities, 0.5)
    v0 = (1.5 + 0.5 * 0.5 * 0.25 * -0.5) / (1 - 0.5 * 0.5 * (0.75 + 0.25 * 0.5))
    np.testing.assert_allclose(values, [v0, -0.5 + 0.5 * v0], rtol=1e-14)


def test_optimal_values_by_hand(two_states):
    # With little foresight ending at once is best; with much, waiting: v0 = 1 / (1 - 0.75 g - 0.25 g^2).
    np.testing.assert_allclose(two_states.optimal_values(0.1), [2.0, 0.2], rtol=1e-12)
    v0 = 1 / (1 - 0.75 * 0.9 - 0.25 * 0.81)
    np.testing.assert_allclose(two_states.optimal_values(0.9), [v0, 0.9 * v0], rtol=1e-12)


def all_returns(table, state, horizon, choose):
    """Expected return by walking every branch of the tree of outcomes."""
    if horizon == 0:
        return 0.0
    return choose(
        state,
        [
            sum(
                mass * (reward + (0.0 if terminated else all_returns(table, successor, horizon - 1, choose)))
                for mass, successor, reward, terminated in table[state][action]
            )
            for action in range(2)
        ],
    )


@pytest.mark.parametrize("horizon", [0, 1, 2, 5])
def test_expected_returns_under_a_time_limit_agree_with_enumeration(two_states, horizon):
    for policy in itertools.product([0, 1], repeat=2):
        expected = all_returns(TABLE, 0, horizon, lambda state, q, policy=policy: q[policy[state]])
        assert two_states.expected_return(np.array(policy), horizon) == pytest.approx(expected, abs=1e-14)
    best = all_returns(TABLE, 0, horizon, lambda state, q: max(q))
    assert two_states.optimal_return(horizon) == pytest.approx(best, abs=1e-14)


def test_a_time_dependent_policy_beats_every_stationary_one(two_states):
    # Wait for four steps, then end: no fixed choice in state 0 does both.
    stationary = [
        two_states.expected_return(np.array(policy), 5) for policy in itertools.product([0, 1], repeat=2)
    ]
    assert two_states.optimal_return(5) > max(stationary) + 0.1


def test_undiscounted_values_are_refused(two_states):
    with pytest.raises(ValueError, match="undiscounted values need a time limit"):
        two_states.policy_values(np.array([0, 0]), 1.0)
    with pytest.raises(ValueError, match="undiscounted"):
        two_states.optimal_values(1.0)


@pytest.mark.parametrize(
    "policy", [[0], [0, 2], [0, -1], [0.5, 0.5], [[1.0, 0.0]], [[0.5, 0.6], [1, 0]], [[2, -1], [1, 0]]]
)
def test_what_is_no_policy_is_refused(two_states, policy):
    with pytest.raises(ValueError, match="not a policy for 2 states and 2 actions"):
        two_states.expected_return(np.array(policy), 3)


def test_a_table_whose_probabilities_do_not_sum_to_one_is_refused():
    table = {0: {0: [(0.9, 0, 1.0, True)]}}
    with pytest.raises(ValueError, match="do not sum to one"):
        MDP.from_table(table, np.array([1.0]))
    with pytest.raises(ValueError, match="do not sum to one"):
        MDP.from_table(TABLE, np.array([0.5, 0.4]))


def test_ties_go_to_the_lowest_action():
    q = np.array([[1.0, 1.0 + 1e-12, 0.0], [0.0, 1.0, 2.0]])
    assert greedy(q).tolist() == [1, 2]
    assert greedy(q, 1e-9).tolist() == [0, 2]


@pytest.mark.parametrize("env_id", TABULAR)
def test_the_model_predicts_what_the_environment_does(env_id):
    env = gymnasium.make(env_id)
    mdp = MDP.from_environment(env)
    rng = np.random.default_rng(0)
    for _ in range(200):
        state, _ = env.reset(seed=int(rng.integers(2**31)))
        assert mdp.initial[state] > 0
        action = int(rng.integers(mdp.n_actions))
        successor, _, terminated, _, _ = env.step(action)
        row = mdp.continuing[[state * mdp.n_actions + action]].toarray()[0]
        assert row[successor] > 0 if not terminated else row.sum() < 1


@pytest.mark.parametrize(
    ("env_id", "horizon", "low", "high"),
    [
        ("FrozenLake-v1", 100, 0.740, 0.745),
        ("FrozenLake8x8-v1", 200, 0.910, 0.915),
        ("Taxi-v4", 200, 7.9, 8.5),
    ],
)
def test_the_known_optima(env_id, horizon, low, high):
    mdp = MDP.from_environment(gymnasium.make(env_id))
    assert low < mdp.optimal_return(horizon) < high


def test_the_uniform_policys_exact_return_agrees_with_sampling():
    env = gymnasium.make("FrozenLake8x8-v1", map_name="4x4", max_episode_steps=10)
    mdp = MDP.from_environment(env)
    exact = mdp.expected_return(np.full((16, 4), 0.25), 10)
    rng = np.random.default_rng(1)
    returns = []
    for episode in range(2000):
        env.reset(seed=episode)
        total, done = 0.0, False
        while not done:
            _, reward, terminated, truncated, _ = env.step(int(rng.integers(4)))
            total, done = total + reward, terminated or truncated
        returns.append(total)
    error = np.sqrt(exact * (1 - exact) / len(returns))
    assert abs(np.mean(returns) - exact) < 3.3 * error


class Other(FrozenLakeEnv):
    """Inherits a table, and pays for time."""

    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, reward - 0.01, *rest


def without_start():
    env = gymnasium.make("FrozenLake-v1")
    del env.unwrapped.initial_state_distrib
    return env


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: gymnasium.make("CartPole-v1"), "has no transition table"),
        (lambda: gymnasium.make("Taxi-v4", fickle_passenger=True), "fickle_passenger"),
        (Other, "does not do what its transition table says"),
        (without_start, "does not tell the distribution of its first state"),
        (
            lambda: gymnasium.wrappers.TransformReward(gymnasium.make("FrozenLake-v1"), lambda r: 2 * r),
            "the wrapper TransformReward may change",
        ),
        (
            lambda: gymnasium.wrappers.TransformObservation(
                gymnasium.make("FrozenLake-v1"), lambda o: o, gymnasium.spaces.Discrete(16)
            ),
            "the wrapper TransformObservation may change",
        ),
    ],
)
def test_an_environment_without_a_model_to_trust_says_why(make, reason):
    with pytest.raises(ValueError, match=reason):
        MDP.from_environment(make())


def test_rain_is_in_the_table():
    assert why_no_model(gymnasium.make("Taxi-v4", is_rainy=True)) is None
