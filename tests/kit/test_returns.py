"""Returns and advantages against hand computations."""

import numpy as np
import torch

from rlbench.kit.returns import episode_returns, generalised_advantages


def advantages(reward, value, next_value, terminated, truncated, gamma, gae_lambda):
    columns = [torch.tensor(x, dtype=torch.float64)[None, :, None] for x in (reward, value, next_value)]
    flags = [torch.tensor(x, dtype=torch.bool)[None, :, None] for x in (terminated, truncated)]
    return generalised_advantages(*columns, *flags, gamma=gamma, gae_lambda=gae_lambda)[0, :, 0].numpy()


def test_with_lambda_one_they_are_n_step_returns_less_the_value():
    given = advantages([1, 2, 3], [10, 20, 30], [20, 30, 40], [0, 0, 0], [0, 0, 0], 0.5, 1.0)
    returns = [1 + 0.5 * 2 + 0.25 * 3 + 0.125 * 40, 2 + 0.5 * 3 + 0.25 * 40, 3 + 0.5 * 40]
    np.testing.assert_allclose(given, np.array(returns) - [10, 20, 30], rtol=1e-15)


def test_with_lambda_zero_they_are_one_step_errors():
    given = advantages([1, 2], [10, 20], [20, 40], [0, 0], [0, 0], 0.5, 0.0)
    np.testing.assert_allclose(given, [1 + 10 - 10, 2 + 20 - 20], rtol=1e-15)


def test_termination_stops_bootstrapping_and_the_recursion():
    given = advantages([1, 2, 3], [10, 20, 30], [99, 30, 40], [1, 0, 0], [0, 0, 0], 0.5, 0.8)
    last = 3 + 20 - 30
    np.testing.assert_allclose(given, [1 - 10, 2 + 15 - 20 + 0.4 * last, last], rtol=1e-15)


def test_truncation_bootstraps_from_the_true_successor_and_stops_the_recursion():
    given = advantages([1, 2, 3], [10, 20, 30], [99, 30, 40], [0, 0, 0], [1, 0, 0], 0.5, 0.8)
    last = 3 + 20 - 30
    np.testing.assert_allclose(given, [1 + 0.5 * 99 - 10, 2 + 15 - 20 + 0.4 * last, last], rtol=1e-15)


def test_a_row_that_is_both_counts_as_terminated():
    given = advantages([1, 2], [10, 20], [99, 40], [1, 0], [1, 0], 0.5, 0.8)
    assert given[0] == 1 - 10


def test_double_precision_is_kept():
    given = advantages([0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], 0.9, 0.7)
    np.testing.assert_allclose(given, [0.63**2, 0.63, 1], rtol=1e-15)


def test_returns_of_an_episode_go_on_after_a_cut():
    reward = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(episode_returns(reward, 0.0, 0.5), [1 + 1 + 0.75, 2 + 1.5, 3])
    np.testing.assert_allclose(episode_returns(reward, 8.0, 0.5), [1 + 1 + 0.75 + 1, 2 + 1.5 + 2, 3 + 4])
