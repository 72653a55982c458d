"""Policies over actions, against torch's distributions."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.kit.distributions import action_distribution
from rlbench.kit.parameters import Parameters


def held(distribution, rngs):
    return Parameters(distribution.specs(), rngs(0, 1), device="cpu", dtype=torch.float64)


def test_categorical_log_probabilities_and_entropy(rngs):
    policy = action_distribution(spaces.Discrete(3), 0.0)
    outputs = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 5, 3)))
    raw = torch.tensor([[0, 1, 2, 0, 1]] * 2)
    reference = torch.distributions.Categorical(logits=outputs)
    parameters = held(policy, rngs)
    np.testing.assert_allclose(policy.log_probability(parameters, outputs, raw), reference.log_prob(raw))
    np.testing.assert_allclose(policy.entropy(parameters, outputs), reference.entropy())


def test_gaussian_log_probabilities_and_entropy(rngs):
    policy = action_distribution(spaces.Box(-1, 1, (2,)), -0.5)
    outputs, raw = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 2, 5, 2)))
    reference = torch.distributions.Independent(
        torch.distributions.Normal(outputs, math.exp(-0.5)), reinterpreted_batch_ndims=1
    )
    parameters = held(policy, rngs)
    given = policy.log_probability(parameters, outputs, raw)
    np.testing.assert_allclose(given.detach(), reference.log_prob(raw))
    np.testing.assert_allclose(policy.entropy(parameters, outputs).detach(), reference.entropy())


def test_samples_follow_the_probabilities(rngs):
    policy = action_distribution(spaces.Discrete(3, start=4), 0.0)
    outputs = torch.log(torch.tensor([[[0.2, 0.5, 0.3]], [[0.6, 0.1, 0.3]]])).expand(2, 100, 3)
    noise = policy.noise(rngs(0, 1), (100,))
    raw = np.stack([policy.sample(held(policy, rngs), outputs, noise.next()) for _ in range(200)])
    for seed, expected in enumerate(([0.2, 0.5, 0.3], [0.6, 0.1, 0.3])):
        np.testing.assert_allclose(np.bincount(raw[:, seed].ravel()) / 20_000, expected, atol=0.015)
    assert set(np.unique(policy.to_environment(raw))) == {4, 5, 6}


def test_gaussian_samples_have_the_mean_and_spread_asked_for(rngs):
    policy = action_distribution(spaces.Box(-1, 1, (1,)), math.log(0.3))
    outputs, noise = torch.full((2, 100, 1), 0.7), policy.noise(rngs(0, 1), (100,))
    raw = np.stack([policy.sample(held(policy, rngs), outputs, noise.next()) for _ in range(100)])
    assert raw.mean() == pytest.approx(0.7, abs=0.01)
    assert raw.std() == pytest.approx(0.3, abs=0.01)


def test_only_what_the_environment_gets_is_clipped_and_shaped():
    space = spaces.Box(np.full((2, 2), -1, np.float64), np.full((2, 2), 2, np.float64), dtype=np.float64)
    policy = action_distribution(space, 0.0)
    action = policy.to_environment(np.array([[[-5.0, 0.5, 1.5, 5.0]]], np.float32))
    assert action.tolist() == [[[[-1.0, 0.5], [1.5, 2.0]]]]
    assert action.dtype == np.float64


@pytest.mark.parametrize("space", [spaces.MultiDiscrete([2, 2]), spaces.Box(0, 9, (2,), np.int64)])
def test_other_action_spaces_are_refused_by_name(space):
    with pytest.raises(api.UsageError) as caught:
        action_distribution(space, 0.0)
    assert str(space) in str(caught.value)
