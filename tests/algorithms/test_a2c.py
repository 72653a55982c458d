"""Advantage actor-critic against a hand-written reference and a problem with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.algorithms.a2c import A2C, A2CConfig, Batch

STEPS, ENVS = 4, 3


def linear(weights: dict[str, np.ndarray], name: str, seed: int) -> torch.nn.Linear:
    weight, bias = weights[f"{name}.weight"][seed], weights[f"{name}.bias"][seed]
    layer = torch.nn.Linear(*weight.shape, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.T))
        layer.bias.copy_(torch.from_numpy(bias[0]))
    return layer


class Plain(torch.nn.Module):
    """One seed's networks in plain torch."""

    def __init__(self, weights: dict[str, np.ndarray], seed: int, share: bool) -> None:
        super().__init__()
        bodies = ("shared", "shared") if share else ("policy", "value")
        policy, value = (
            torch.nn.Sequential(
                linear(weights, f"{body}.0", seed),
                torch.nn.Tanh(),
                linear(weights, f"{body}.1", seed),
                torch.nn.Tanh(),
            )
            for body in bodies
        )
        self.policy_body, self.value_body = policy, policy if share else value
        self.policy_head, self.value_head = (
            linear(weights, "policy.out", seed),
            linear(weights, "value.out", seed),
        )
        if "log_std" in weights:
            self.log_std = torch.nn.Parameter(torch.from_numpy(weights["log_std"][seed].copy()))

    def value(self, obs: torch.Tensor) -> torch.Tensor:
        return self.value_head(self.value_body(obs))[..., 0]

    def distribution(self, obs: torch.Tensor) -> torch.distributions.Distribution:
        outputs = self.policy_head(self.policy_body(obs))
        if hasattr(self, "log_std"):
            return torch.distributions.Independent(torch.distributions.Normal(outputs, self.log_std.exp()), 1)
        return torch.distributions.Categorical(logits=outputs)


def fixed_batches(actions: str, count: int) -> list[Batch]:
    rng = np.random.default_rng(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal((2, STEPS, ENVS, *shape)))

    batches = []
    for _ in range(count):
        end = rng.random((2, STEPS, ENVS))
        discrete = torch.from_numpy(rng.integers(0, 3, (2, STEPS, ENVS)))
        batches.append(
            Batch(
                obs=draw(4),
                action=discrete if actions == "discrete" else draw(2),
                reward=draw(),
                next_obs=draw(4),
                terminated=torch.from_numpy(end < 0.25),
                truncated=torch.from_numpy(end > 0.75),
            )
        )
    return batches


@pytest.mark.parametrize("actions", ["discrete", "box"])
@pytest.mark.parametrize(
    ("share", "optimizer", "gae_lambda", "normalize"),
    [(False, "rmsprop", 1.0, False), (True, "adam", 0.8, True)],
)
def test_three_updates_match_a_plain_float64_reference(lab, actions, share, optimizer, gae_lambda, normalize):
    gamma, eps = 0.9, 1e-5
    config = A2CConfig(
        hidden_sizes=(7, 5),
        n_steps=STEPS,
        n_envs=ENVS,
        gamma=gamma,
        gae_lambda=gae_lambda,
        ent_coef=0.03,
        vf_coef=0.4,
        max_grad_norm=0.3,
        share_network=share,
        optimizer=optimizer,
        optimizer_eps=eps,
        normalize_advantage=normalize,
        log_std_init=-0.3,
    )
    space = spaces.Discrete(3) if actions == "discrete" else spaces.Box(-1.0, 1.0, (2,))
    task = lab.task(spaces.Box(-9.0, 9.0, (4,), np.float64), space, n_envs=ENVS)
    agent = A2C(task, config, lab.rngs([0, 1]), dtype=torch.float64)
    references = [Plain(agent.parameters.state_dict(), seed, share) for seed in range(2)]
    optimizers = [
        torch.optim.RMSprop(network.parameters(), alpha=0.99, eps=eps)
        if optimizer == "rmsprop"
        else torch.optim.Adam(network.parameters(), eps=eps)
        for network in references
    ]

    for number, batch in enumerate(fixed_batches(actions, 3)):
        rate = 0.01 / (number + 1)
        agent.update(batch, rate)
        for seed, (network, update) in enumerate(zip(references, optimizers, strict=True)):
            update.param_groups[0]["lr"] = rate
            obs, action, reward, next_obs, terminated, truncated = (field[seed] for field in batch)
            with torch.no_grad():
                value, next_value = network.value(obs), network.value(next_obs)
            advantage = torch.zeros_like(reward)
            for env in range(ENVS):
                running = 0.0
                for t in reversed(range(STEPS)):
                    bootstrap = 0.0 if terminated[t, env] else next_value[t, env]
                    if terminated[t, env] or truncated[t, env]:
                        running = 0.0
                    error = reward[t, env] + gamma * bootstrap - value[t, env]
                    running = error + gamma * gae_lambda * running
                    advantage[t, env] = running
            returns = advantage + value
            if normalize:
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            policy = network.distribution(obs)
            loss = (
                -(policy.log_prob(action) * advantage).mean()
                + 0.4 * ((returns - network.value(obs)) ** 2).mean()
                - 0.03 * policy.entropy().mean()
            )
            update.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 0.3)
            update.step()

    weights = agent.parameters.state_dict()
    for seed, network in enumerate(references):
        bodies = {"shared": network.policy_body} if share else {"policy": network.policy_body}
        layers = {f"{name}.{i}": body[2 * i] for name, body in bodies.items() for i in range(2)}
        if not share:
            layers |= {"value.0": network.value_body[0], "value.1": network.value_body[2]}
        layers |= {"policy.out": network.policy_head, "value.out": network.value_head}
        for name, layer in layers.items():
            np.testing.assert_allclose(
                weights[f"{name}.weight"][seed], layer.weight.detach().numpy().T, rtol=0, atol=1e-10
            )
            np.testing.assert_allclose(
                weights[f"{name}.bias"][seed, 0], layer.bias.detach().numpy(), rtol=0, atol=1e-10
            )
        if actions == "box":
            np.testing.assert_allclose(
                weights["log_std"][seed], network.log_std.detach().numpy(), rtol=0, atol=1e-10
            )


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
@pytest.mark.parametrize("n_steps", [1, 5])
def test_values_go_through_truncation_and_stop_at_termination(lab, ends, n_steps):
    """State 0 leads to 1 for a reward of 1, 1 leads back for a reward of 2, and there the episode ends."""
    gamma, steps = 0.5, 1500
    config = A2CConfig(
        hidden_sizes=(), gamma=gamma, learning_rate=0.05, n_steps=n_steps, n_envs=2, optimizer="adam"
    )
    task = lab.task(spaces.Discrete(2), spaces.Discrete(2), n_envs=2, steps=2 * steps)
    agent = A2C(task, config, lab.rngs([0, 1]))
    state = np.array([[0, 1], [1, 0]])
    for _ in range(steps):
        action, following = agent.act(state), 1 - state
        flags = {"terminated": np.zeros((2, 2), bool), "truncated": np.zeros((2, 2), bool), ends: state == 1}
        agent.observe(api.Transition(state, action, state + 1.0, following, **flags))
        state = following
    features = agent.encoder(torch.tensor([[0, 1]] * 2))
    with torch.no_grad():
        value = agent.network.value(agent.parameters, features).numpy()
    if ends == "terminated":
        expected = [1 + gamma * 2, 2]
    else:
        expected = [(1 + 2 * gamma) / (1 - gamma**2), (2 + gamma) / (1 - gamma**2)]
    np.testing.assert_allclose(value, [expected] * 2, atol=2e-3)


def test_the_better_of_two_actions_is_learned(lab):
    config = A2CConfig(hidden_sizes=(8,), learning_rate=0.01, gamma=0.0)
    task = lab.task(spaces.Discrete(1), spaces.Discrete(2, start=3), n_envs=8, steps=4000)
    agent = A2C(task, config, lab.rngs([0, 1, 2]))
    obs, end = np.zeros((3, 8), dtype=np.int64), np.ones((3, 8), bool)
    for _ in range(500):
        action = agent.act(obs)
        agent.observe(api.Transition(obs, action, (action == 4) * 1.0, obs, end, ~end))
    assert (agent.policy()(obs) == 4).all()
    assert (agent.act(obs) == 4).mean() > 0.8


def test_continuous_actions_reach_the_environment_inside_their_bounds(lab):
    config = A2CConfig(log_std_init=2.0)
    space = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([0.5, 3.0], np.float32))
    agent = A2C(lab.task(spaces.Discrete(2), space, n_envs=8), config, lab.rngs([0, 1]))
    actions = np.stack([agent.act(np.zeros((2, 8), dtype=np.int64)) for _ in range(50)])
    assert actions.dtype == space.dtype
    assert actions.shape == (50, 2, 8, 2)
    assert ((actions >= space.low) & (actions <= space.high)).all()
    assert (actions == space.low).any()
    assert (actions == space.high).any()


def test_a_gaussian_policy_starts_with_the_spread_it_is_given(lab):
    config = A2CConfig(log_std_init=math.log(0.01), n_envs=64)
    agent = A2C(lab.task(spaces.Discrete(2), spaces.Box(-1, 1, (1,)), n_envs=64), config, lab.rngs([0]))
    obs = np.zeros((1, 64), dtype=np.int64)
    spread = (agent.act(obs) - agent.policy()(obs)).std()
    assert 0.007 < spread < 0.013


def test_normalising_a_single_row_is_refused():
    with pytest.raises(ValueError, match="normalize_advantage"):
        A2CConfig(normalize_advantage=True, n_steps=1, n_envs=1)
