import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from rlbench.algorithms.value_iteration import ValueIteration, ValueIterationConfig
from rlbench.environments.gymnasium_ids import describe
from rlbench.environments.mdp import MDP

# One state: action 0 earns 1 and ends with probability 0.5; action 1 earns 3 and ends.
TABLE = {0: {0: [(0.5, 0, 1.0, False), (0.5, 0, 1.0, True)], 1: [(1.0, 0, 3.0, True)]}}
TABULAR = ["FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "Taxi-v4"]


def solve(mdp, **settings):
    return list(ValueIteration(None, ValueIterationConfig(**settings), None).solve(mdp))


@pytest.mark.parametrize("values", ["v", "q"])
def test_the_first_sweeps_by_hand(values):
    mdp = MDP.from_table({0: {0: [(0.5, 0, 2.0, False), (0.5, 0, 2.0, True)]}}, np.array([1.0]))
    first, second, third, *_ = solve(mdp, gamma=0.8, values=values)
    # v <- 2 + 0.8 * 0.5 v
    assert [sweep.iteration for sweep in (first, second, third)] == [1, 2, 3]
    assert [sweep.values[0] for sweep in (first, second, third)] == pytest.approx([2.0, 2.8, 3.12])
    assert [sweep.residual for sweep in (first, second, third)] == pytest.approx([2.0, 0.8, 0.32])


@pytest.mark.parametrize("values", ["v", "q"])
@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-6])
@pytest.mark.parametrize("env_id", TABULAR)
def test_the_stopping_rule_guarantees_its_error_bound(env_id, tolerance, values):
    mdp, gamma = describe(env_id, {}).mdp, 0.95
    answer = solve(mdp, gamma=gamma, tolerance=tolerance, values=values)[-1]
    optimum = mdp.optimal_values(gamma)
    assert np.abs(answer.values - optimum).max() <= tolerance / 2
    # Ties within the tolerance cost the policy no more than the docstring says.
    loss = optimum - mdp.policy_values(answer.policy, gamma)
    assert loss.max() <= tolerance + tolerance / (1 - gamma)


@pytest.mark.parametrize("env_id", TABULAR)
def test_the_v_form_and_the_q_form_give_one_answer(env_id):
    mdp = describe(env_id, {}).mdp
    v, q = solve(mdp, values="v")[-1], solve(mdp, values="q")[-1]
    np.testing.assert_allclose(v.values, q.values, atol=1e-8)
    np.testing.assert_array_equal(v.policy, q.policy)


def test_the_residuals_shrink_by_the_discount():
    residuals = [sweep.residual for sweep in solve(describe("FrozenLake-v1", {}).mdp, gamma=0.9)]
    assert len(residuals) > 50
    assert all(later <= 0.9 * earlier + 1e-15 for earlier, later in pairwise(residuals))


@pytest.mark.parametrize("values", ["v", "q"])
def test_without_foresight_the_best_reward_is_the_answer(values):
    answer = solve(MDP.from_table(TABLE, np.array([1.0])), gamma=0.0, values=values)[-1]
    assert (answer.values[0], answer.policy[0]) == (3.0, 1)


def test_tied_actions_resolve_to_the_lowest():
    table = {0: {a: [(1.0, 0, reward, True)] for a, reward in enumerate([0.0, 1.0, 1.0 + 1e-13, 1.0])}}
    assert solve(MDP.from_table(table, np.array([1.0])))[-1].policy[0] == 1


def test_max_sweeps_stops_early_and_the_residual_tells():
    sweeps = solve(describe("FrozenLake-v1", {}).mdp, max_sweeps=5)
    assert len(sweeps) == 5
    assert sweeps[-1].residual > 1e-3


def test_the_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ValueIterationConfig().gamma = 0.5
