"""Deep Q-networks against a hand-written reference and a problem with a known answer."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.algorithms.dqn import DQN, DQNConfig
from rlbench.kit.replay import Batch

BATCH = 6


def fixed_batches(seeds: int, count: int) -> list[Batch]:
    """Batches in which some rows are terminations; truncation has no mark in replay."""
    rng = np.random.default_rng(7)
    draw = lambda *shape: torch.from_numpy(rng.standard_normal((seeds, BATCH, *shape)))  # noqa: E731
    return [
        Batch(
            obs=draw(4),
            action=torch.from_numpy(rng.integers(0, 3, (seeds, BATCH))),
            reward=draw(),
            next_obs=draw(4),
            terminated=torch.from_numpy(rng.random((seeds, BATCH)) < 0.4),
        )
        for _ in range(count)
    ]


def plain_network(weights: dict[str, np.ndarray], seed: int) -> torch.nn.Sequential:
    """The same network in plain torch, with one seed's weights."""
    layers: list[torch.nn.Module] = []
    for name in ("q.0", "q.1", "q.out"):
        weight, bias = weights[f"{name}.weight"][seed], weights[f"{name}.bias"][seed]
        linear = torch.nn.Linear(*weight.shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias[0]))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("loss", ["huber", "mse"])
@pytest.mark.parametrize("double_q", [False, True])
def test_three_updates_match_a_plain_float64_reference(lab, loss, double_q):
    config = DQNConfig(
        hidden_sizes=(7, 5), loss=loss, double_q=double_q, gamma=0.9, max_grad_norm=0.3, adam_eps=1e-5
    )
    task = lab.task(spaces.Box(-9.0, 9.0, (4,), np.float64), spaces.Discrete(3))
    agent = DQN(task, config, lab.rngs([0, 1]), dtype=torch.float64)
    references = [plain_network(agent.online.state_dict(), seed) for seed in range(2)]
    targets = copy.deepcopy(references)
    optimizers = [torch.optim.Adam(network.parameters(), eps=1e-5) for network in references]

    for number, batch in enumerate(fixed_batches(2, 3)):
        rate = 0.01 / (number + 1)
        agent.update(batch, rate)
        if number == 1:
            agent.target.follow(agent.online, 0.25)
        for seed in range(2):
            q, target, optimizer = references[seed], targets[seed], optimizers[seed]
            optimizer.param_groups[0]["lr"] = rate
            expected = []
            for row in range(BATCH):
                y = batch.reward[seed, row].item()
                if not batch.terminated[seed, row]:
                    with torch.no_grad():
                        values = target(batch.next_obs[seed, row])
                        chooser = q(batch.next_obs[seed, row]) if double_q else values
                    y += 0.9 * values[chooser.argmax()].item()
                error = q(batch.obs[seed, row])[batch.action[seed, row]] - y
                if loss == "mse":
                    expected.append(error**2)
                else:
                    expected.append(0.5 * error**2 if abs(error) < 1 else abs(error) - 0.5)
            optimizer.zero_grad()
            (sum(expected) / BATCH).backward()
            torch.nn.utils.clip_grad_norm_(q.parameters(), 0.3)
            optimizer.step()
            if number == 1:
                for old, new in zip(target.parameters(), q.parameters(), strict=True):
                    old.data = 0.75 * old.data + 0.25 * new.data

    weights = agent.online.state_dict()
    for seed in range(2):
        for layer, name in ((0, "q.0"), (2, "q.1"), (4, "q.out")):
            linear = references[seed][layer]
            np.testing.assert_allclose(
                weights[f"{name}.weight"][seed], linear.weight.detach().numpy().T, rtol=0, atol=1e-10
            )
            np.testing.assert_allclose(
                weights[f"{name}.bias"][seed, 0], linear.bias.detach().numpy(), rtol=0, atol=1e-10
            )


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_bootstrapping_goes_through_truncation_and_stops_at_termination(lab, ends):
    """State 0 leads to 1 for a reward of 1, 1 leads back for a reward of 2, and there the episode ends."""
    gamma = 0.5
    config = DQNConfig(
        hidden_sizes=(),
        learning_rate=0.05,
        gamma=gamma,
        learning_starts=10,
        batch_size=16,
        train_freq=1,
        target_update_interval=20,
        exploration_fraction=1.0,
        exploration_final_eps=1.0,
        loss="mse",
    )
    agent = DQN(lab.task(spaces.Discrete(2), spaces.Discrete(2), steps=800), config, lab.rngs([0, 1]))
    state = np.zeros((2, 1), dtype=np.int64)
    for _ in range(800):
        action, following = agent.act(state), 1 - state
        flags = {"terminated": np.zeros((2, 1), bool), "truncated": np.zeros((2, 1), bool), ends: state == 1}
        agent.observe(api.Transition(state, action, state + 1.0, following, **flags))
        state = following
    with torch.no_grad():
        q = agent.values(agent.online, torch.tensor([[0, 1]] * 2)).numpy()  # [S, states, A]
    if ends == "terminated":
        expected = [1 + gamma * 2, 2]
    else:
        expected = [(1 + 2 * gamma) / (1 - gamma**2), (2 + gamma) / (1 - gamma**2)]
    np.testing.assert_allclose(q, np.broadcast_to(np.array(expected)[:, None], (2, 2, 2)), atol=1e-3)


def drive(agent: DQN, steps: int, n_envs: int = 1) -> np.ndarray:
    """Drive with zeros; give the actions ``[steps, N]``."""
    obs, flag = np.zeros((1, n_envs, 2), np.float32), np.zeros((1, n_envs), bool)
    actions = []
    for _ in range(steps):
        actions.append(agent.act(obs)[0].copy())
        agent.observe(api.Transition(obs, actions[-1][None], np.zeros((1, n_envs)), obs, flag, flag))
    return np.stack(actions)


def test_actions_are_uniform_until_learning_starts_and_greedy_when_epsilon_is_zero(lab):
    config = DQNConfig(learning_starts=300, exploration_fraction=0.0, exploration_final_eps=0.0)
    task = lab.task(spaces.Box(-1, 1, (2,)), spaces.Discrete(3, start=5), steps=400)
    agent = DQN(task, config, lab.rngs([0]))
    greedy = agent.policy()(np.zeros((1, 1, 2), np.float32)).item()
    actions = drive(agent, 320)[:, 0]
    assert all(abs((actions[:300] == value).mean() - 1 / 3) < 0.1 for value in (5, 6, 7))
    assert set(actions[300:]) == {greedy}


def test_learning_starts_after_its_steps_and_comes_every_train_freq_vector_steps(lab, monkeypatch):
    updates = []
    config = DQNConfig(learning_starts=20, train_freq=3, gradient_steps=2, n_envs=2)
    agent = DQN(lab.task(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), n_envs=2), config, lab.rngs([0]))
    monkeypatch.setattr(agent, "update", lambda batch, rate: updates.append(agent.steps))
    drive(agent, 19, n_envs=2)
    assert updates == [24, 24, 30, 30, 36, 36]


def test_the_target_network_is_copied_every_interval_of_environment_steps(lab):
    config = DQNConfig(learning_starts=2, train_freq=1, n_envs=2, target_update_interval=11, batch_size=4)
    agent = DQN(lab.task(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), n_envs=2), config, lab.rngs([0]))
    changed, before = [], agent.target.values.clone()
    for step in range(1, 16):
        drive(agent, 1, n_envs=2)
        if not torch.equal(before, agent.target.values):
            changed.append(step)
            before = agent.target.values.clone()
    assert changed == [5, 10, 15]  # 11 // 2 vector steps


def test_the_learning_rate_falls_to_zero_at_the_end_of_the_budget(lab, monkeypatch):
    rates = []
    config = DQNConfig(learning_rate=0.5, learning_starts=0, train_freq=1)
    agent = DQN(lab.task(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), steps=10), config, lab.rngs([0]))
    monkeypatch.setattr(agent, "update", lambda batch, rate: rates.append(rate))
    drive(agent, 10)
    np.testing.assert_allclose(rates, 0.5 * (1 - np.arange(1, 11) / 10))


def test_diagnostics_come_about_a_hundred_times_a_run(lab):
    task = lab.task(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), steps=1000)
    agent = DQN(task, DQNConfig(learning_starts=100), lab.rngs([0, 1]))
    obs, flag = np.zeros((2, 1, 2), np.float32), np.zeros((2, 1), bool)
    rows = [
        agent.observe(api.Transition(obs, agent.act(obs), np.ones((2, 1)), obs, flag, flag))
        for _ in range(1000)
    ]
    given = [row for row in rows if row]
    assert len(given) == 100
    assert all(row["loss"].shape == (2,) for row in given)
    assert given[0]["loss"].mask.all()  # nothing was learned yet
    assert not given[-1]["loss"].mask.any()


def test_a_target_network_that_could_never_move_is_refused():
    with pytest.raises(ValueError, match="tau"):
        DQNConfig(tau=0.0)
