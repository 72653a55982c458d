"""REINFORCE against a hand-written reference and a problem with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.algorithms.reinforce import Reinforce, ReinforceConfig


def plain(weights: dict[str, np.ndarray], name: str, seed: int) -> torch.nn.Sequential:
    """One network of one seed in plain torch."""
    layers: list[torch.nn.Module] = []
    for part in (f"{name}.0", f"{name}.out"):
        weight, bias = weights[f"{part}.weight"][seed], weights[f"{part}.bias"][seed]
        layer = torch.nn.Linear(*weight.shape, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias[0]))
        layers += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize(
    ("baseline", "normalize"),
    [("value", False), ("value", True), ("mean", False), ("none", False), ("none", True)],
)
def test_three_updates_match_a_plain_float64_reference(lab, baseline, normalize):
    """Episodes of other lengths in each seed, one longer than a block, terminated and truncated in turn."""
    gamma, lengths, episodes = 0.9, {0: [3, 300, 5, 2, 9, 4], 1: [7, 2, 4, 280, 3, 6]}, 2
    config = ReinforceConfig(
        hidden_sizes=(7,),
        episodes_per_update=episodes,
        gamma=gamma,
        baseline=baseline,
        normalize_advantage=normalize,
        ent_coef=0.02,
        vf_coef=0.4,
        max_grad_norm=0.3,
        adam_eps=1e-5,
        learning_rate=0.01,
        learning_rate_schedule="constant",
    )
    task = lab.task(spaces.Box(-9.0, 9.0, (4,), np.float64), spaces.Discrete(3))
    task = api.Task(**{**vars(task), "max_episode_steps": 400})
    agent = Reinforce(task, config, lab.rngs([0, 1]), dtype=torch.float64)
    weights = agent.parameters.state_dict()
    policies = [plain(weights, "policy", seed) for seed in range(2)]
    critics = [plain(weights, "value", seed) if baseline == "value" else None for seed in range(2)]
    optimizers = [
        torch.optim.Adam([*p.parameters(), *(c.parameters() if c else ())], lr=0.01, eps=1e-5)
        for p, c in zip(policies, critics, strict=True)
    ]

    def learn(seed: int, held: list[list[tuple[np.ndarray, int, float]]], after: list[float]) -> None:
        policy, critic = policies[seed], critics[seed]
        obs = torch.from_numpy(np.stack([row[0] for episode in held for row in episode]))
        action = torch.tensor([row[1] for episode in held for row in episode])
        returns: list[float] = []
        for episode, end in zip(held, after, strict=True):
            rewards = [row[2] for row in episode]
            returns += [
                sum(gamma**k * reward for k, reward in enumerate(rewards[t:]))
                + gamma ** (len(rewards) - t) * end
                for t in range(len(rewards))
            ]
        target = torch.tensor(returns, dtype=torch.float64)
        advantage = target - critic(obs)[:, 0].detach() if critic else target
        if baseline == "mean" or normalize:
            advantage = advantage - advantage.mean()
        if normalize:
            advantage = advantage / (advantage.std(unbiased=False) + 1e-8)
        distribution = torch.distributions.Categorical(logits=policy(obs))
        loss = -(distribution.log_prob(action) * advantage).mean() - 0.02 * distribution.entropy().mean()
        if critic:
            loss = loss + 0.4 * ((target - critic(obs)[:, 0]) ** 2).mean()
        optimizers[seed].zero_grad()
        loss.backward()
        everything = [*policy.parameters(), *(critic.parameters() if critic else ())]
        torch.nn.utils.clip_grad_norm_(everything, 0.3)
        optimizers[seed].step()

    rng = np.random.default_rng(0)
    held: dict[int, list] = {0: [[]], 1: [[]]}
    after: dict[int, list[float]] = {0: [], 1: []}
    number, updates = [0, 0], [0, 0]
    while min(updates) < 3:
        obs, following = rng.standard_normal((2, 2, 1, 4))
        action, reward = agent.act(obs), rng.standard_normal((2, 1))
        flags = np.zeros((2, 2, 1), dtype=bool)  # terminated, truncated
        for seed in range(2):
            held[seed][-1].append((obs[seed, 0], action[seed, 0], reward[seed, 0]))
            if len(held[seed][-1]) == lengths[seed][number[seed] % 6]:
                cut = number[seed] % 2
                flags[cut, seed] = True
                with torch.no_grad():
                    bootstrap = cut and critics[seed]
                    after[seed].append(
                        critics[seed](torch.from_numpy(following[seed, 0])).item() if bootstrap else 0.0
                    )
                number[seed] += 1
                if number[seed] % episodes:
                    held[seed].append([])
        agent.observe(api.Transition(obs, action, reward, following, flags[0], flags[1]))
        for seed in range(2):
            if len(after[seed]) == episodes:
                learn(seed, held[seed], after[seed])
                held[seed], after[seed] = [[]], []
                updates[seed] += 1

    weights = agent.parameters.state_dict()
    for seed in range(2):
        for name, network in (("policy", policies[seed]), ("value", critics[seed])):
            if network is None:
                continue
            for part, layer in ((f"{name}.0", network[0]), (f"{name}.out", network[2])):
                np.testing.assert_allclose(
                    weights[f"{part}.weight"][seed], layer.weight.detach().numpy().T, rtol=0, atol=1e-10
                )
                np.testing.assert_allclose(
                    weights[f"{part}.bias"][seed, 0], layer.bias.detach().numpy(), rtol=0, atol=1e-10
                )


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_values_go_through_truncation_and_stop_at_termination(lab, ends):
    """State 0 leads to 1 for a reward of 1, 1 leads back for a reward of 2, and there the episode ends."""
    gamma, steps = 0.5, 1500
    config = ReinforceConfig(hidden_sizes=(), gamma=gamma, learning_rate=0.05)
    agent = Reinforce(lab.task(spaces.Discrete(2), spaces.Discrete(2), steps=steps), config, lab.rngs([0, 1]))
    state = np.array([[0], [1]])
    for _ in range(steps):
        action, following = agent.act(state), 1 - state
        flags = {"terminated": np.zeros((2, 1), bool), "truncated": np.zeros((2, 1), bool), ends: state == 1}
        agent.observe(api.Transition(state, action, state + 1.0, following, **flags))
        state = following
    features = agent.encoder(torch.tensor([[0, 1]] * 2))
    with torch.no_grad():
        value = agent.critic(agent.parameters, features)[..., 0].numpy()
    if ends == "terminated":
        expected = [1 + gamma * 2, 2]
    else:
        expected = [(1 + 2 * gamma) / (1 - gamma**2), (2 + gamma) / (1 - gamma**2)]
    np.testing.assert_allclose(value, [expected] * 2, atol=5e-3)


@pytest.mark.parametrize("baseline", ["none", "mean", "value"])
def test_the_better_of_two_actions_is_learned(lab, baseline):
    config = ReinforceConfig(
        hidden_sizes=(8,), learning_rate=0.01, gamma=0.0, baseline=baseline, episodes_per_update=4
    )
    agent = Reinforce(
        lab.task(spaces.Discrete(1), spaces.Discrete(2), steps=1200), config, lab.rngs([0, 1, 2])
    )
    obs, end = np.zeros((3, 1), dtype=np.int64), np.ones((3, 1), bool)
    for _ in range(1200):
        action = agent.act(obs)
        agent.observe(api.Transition(obs, action, action * 1.0, obs, end, ~end))
    assert (agent.policy()(obs) == 1).all()


def test_a_seed_learns_when_its_own_episodes_are_complete_and_not_before(lab):
    config = ReinforceConfig(episodes_per_update=2, hidden_sizes=())
    agent = Reinforce(lab.task(spaces.Discrete(2), spaces.Discrete(2)), config, lab.rngs([0, 1]))
    obs, never = np.zeros((2, 1), dtype=np.int64), np.zeros((2, 1), bool)

    def step(first: bool, second: bool) -> list[bool]:
        before = agent.parameters.values.clone()
        ends = np.array([[first], [second]])
        agent.observe(api.Transition(obs, agent.act(obs), np.ones((2, 1)), obs, ends, never))
        return [not torch.equal(a, b) for a, b in zip(before, agent.parameters.values, strict=True)]

    assert step(True, False) == [False, False]
    assert step(True, True) == [True, False]
    assert step(False, False) == [False, False]
    assert step(True, True) == [False, True]
    assert step(True, False) == [True, False]
