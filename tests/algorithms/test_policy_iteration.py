from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from rlbench.algorithms.policy_iteration import PolicyIteration, PolicyIterationConfig
from rlbench.algorithms.value_iteration import ValueIteration, ValueIterationConfig
from rlbench.environments.gymnasium_ids import describe
from rlbench.environments.gymnasium_vector import make_sync
from rlbench.environments.mdp import MDP

TABULAR = ["FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "Taxi-v4"]


def solve(mdp, **settings):
    return list(PolicyIteration(None, PolicyIterationConfig(**settings), None).solve(mdp))


def linear_program(mdp, gamma):
    """Minimise the sum of v subject to ``v(s) >= r(s, a) + gamma P v`` (Puterman sec. 6.9)."""
    own = sparse.csr_array(np.repeat(np.eye(mdp.n_states), mdp.n_actions, axis=0))
    found = linprog(
        np.ones(mdp.n_states),
        A_ub=(gamma * mdp.continuing - own).tocsr(),
        b_ub=-mdp.rewards.ravel(),
        bounds=(None, None),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.success
    return found.x


@pytest.mark.parametrize("env_id", TABULAR)
def test_both_solvers_and_a_linear_program_agree(env_id):
    mdp, gamma = describe(env_id, {}).mdp, 0.99
    policy_iteration = solve(mdp, gamma=gamma)[-1]
    (*_, value_iteration) = ValueIteration(None, ValueIterationConfig(gamma=gamma), None).solve(mdp)
    program = linear_program(mdp, gamma)
    np.testing.assert_allclose(policy_iteration.values, value_iteration.values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(policy_iteration.values, program, rtol=0, atol=1e-8)
    np.testing.assert_allclose(value_iteration.values, program, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(policy_iteration.policy, value_iteration.policy)


@pytest.mark.parametrize("evaluation", ["exact", "sweeps"])
@pytest.mark.parametrize("values", ["v", "q"])
@pytest.mark.parametrize("env_id", TABULAR)
def test_every_way_to_evaluate_gives_one_answer(env_id, values, evaluation):
    mdp = describe(env_id, {}).mdp
    answer, reference = solve(mdp, values=values, evaluation=evaluation)[-1], solve(mdp)[-1]
    np.testing.assert_allclose(answer.values, reference.values, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(answer.policy, reference.policy)


@pytest.mark.parametrize("env_id", TABULAR)
def test_the_mean_of_sampled_episodes_agrees_with_the_exact_return(env_id):
    """10 000 episodes of the optimal policy in the real environment, at 99.9 %."""
    description = describe(env_id, {})
    limit = description.max_episode_steps or 1000
    policy = solve(description.mdp)[-1].policy
    exact = description.mdp.expected_return(policy, limit)
    seeds = np.random.default_rng(20).integers(2**62, size=(20, 500))
    vector = make_sync(env_id, {}, seeds[0], limit)
    returns = []
    for episode_seeds in seeds:
        obs = vector.reset(np.ones(500, bool), episode_seeds)
        total, running = np.zeros(500), np.ones(500, bool)
        while running.any():
            obs, reward, terminated, truncated = vector.step(policy[obs])
            total[running] += reward[running]
            running &= ~(terminated | truncated)
        returns.append(total)
    vector.close()
    error = np.std(returns) / np.sqrt(np.size(returns))
    assert abs(np.mean(returns) - exact) <= 3.29 * error + 1e-9


def test_the_iterations_by_hand():
    # Action 0 ends with reward 1, action 1 costs 1 and leads to state 1, which ends with reward 4.
    table = {
        0: {0: [(1.0, 0, 1.0, True)], 1: [(1.0, 1, -1.0, False)]},
        1: {a: [(1.0, 1, 4.0, True)] for a in range(2)},
    }
    first, second = solve(MDP.from_table(table, np.array([1.0, 0.0])), gamma=0.9)
    assert (first.iteration, second.iteration) == (1, 2)
    # Greedy for the rewards alone is to end at once: v = (1, 4); the improvement is worth -1 + 0.9 * 4.
    assert first.values.tolist() == [1.0, 4.0]
    assert first.residual == pytest.approx(1.6)
    assert second.values == pytest.approx([2.6, 4.0])
    assert second.policy.tolist() == [1, 0]
    assert second.residual == 0.0


@pytest.mark.parametrize("env_id", TABULAR)
def test_no_iteration_makes_a_state_worse(env_id):
    sweeps = solve(describe(env_id, {}).mdp)
    for earlier, later in pairwise(sweeps):
        assert (later.values >= earlier.values - 1e-10).all()


@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-6])
def test_the_stopping_rule_guarantees_its_error_bound(tolerance):
    mdp, gamma = describe("FrozenLake8x8-v1", {}).mdp, 0.95
    answer = solve(mdp, gamma=gamma, tolerance=tolerance, evaluation="sweeps", evaluation_sweeps=1)[-1]
    assert np.abs(answer.values - mdp.optimal_values(gamma)).max() <= tolerance / (2 * gamma)


def test_max_iterations_stops_early_and_the_residual_tells():
    sweeps = solve(describe("Taxi-v4", {}).mdp, max_iterations=3)
    assert len(sweeps) == 3
    assert sweeps[-1].residual > 1e-3
