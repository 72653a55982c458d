"""Replay of past transitions."""

import numpy as np
import pytest
import torch

from rlbench import api
from rlbench.kit.replay import Replay

pytestmark = pytest.mark.usefixtures("computed")


def replay(rngs, *seeds, capacity=6, n_envs=2, batch_size=64):
    return Replay(
        rngs(*seeds),
        capacity=capacity,
        n_envs=n_envs,
        obs_shape=(2,),
        obs_dtype=torch.uint8,
        batch_size=batch_size,
        device="cpu",
        dtype=torch.float32,
    )


def add(buffer, seeds, step, n_envs=2):
    """Add a step whose every number says which seed, step and sub-environment it is of."""
    mark = np.array([[100 * seed + 10 * step + env for env in range(n_envs)] for seed in seeds])
    obs = np.stack([mark, mark], -1).astype(np.uint8)
    buffer.add(
        api.Transition(obs, mark, mark / 2, obs + 1, mark % 2 == 0, np.ones(mark.shape, bool)), action=mark
    )


def test_rows_keep_together_and_seeds_apart(rngs):
    buffer = replay(rngs, 0, 1)
    for step in range(3):
        add(buffer, [0, 1], step)
    batch = buffer.sample()
    assert batch.obs.dtype == torch.uint8
    assert batch.obs.shape == (2, 64, 2)
    for seed in range(2):
        marks = batch.action[seed]
        assert set(marks.tolist()) == {100 * seed + 10 * step + env for step in range(3) for env in range(2)}
        assert torch.equal(batch.obs[seed, :, 0], marks.to(torch.uint8))
        assert torch.equal(batch.next_obs[seed, :, 1], (marks + 1).to(torch.uint8))
        assert torch.equal(batch.reward[seed], marks / 2)
        assert torch.equal(batch.terminated[seed], marks % 2 == 0)


def test_the_oldest_rows_go_first(rngs):
    buffer = replay(rngs, 0, capacity=7)  # 3 vector steps of 2
    for step in range(5):
        add(buffer, [0], step)
    assert buffer.size == 6
    assert {mark // 10 for mark in buffer.sample().action[0].tolist()} == {2, 3, 4}


def test_only_filled_rows_are_sampled(rngs):
    buffer = replay(rngs, 0, capacity=1000)
    add(buffer, [0], 1)
    assert set(buffer.sample().action[0].tolist()) == {10, 11}


def test_a_capacity_below_one_step_holds_one_step(rngs):
    buffer = replay(rngs, 0, capacity=1)
    add(buffer, [0], 3)
    assert buffer.size == 2


def test_a_seed_samples_the_same_in_any_cohort(rngs):
    alone, together = replay(rngs, 3), replay(rngs, 1, 3, 2)
    for step in range(3):
        add(alone, [0], step)
        add(together, [1, 0, 2], step)
    for _ in range(5):
        assert torch.equal(alone.sample().action[0], together.sample().action[1])


def test_a_state_continues_as_if_nothing_had_happened(rngs):
    first = replay(rngs, 0, 1)
    for step in range(4):
        add(first, [0, 1], step)
    first.sample()
    second = replay(rngs, 0, 1)
    second.load_state_dict(first.state_dict())
    add(first, [0, 1], 4)
    add(second, [0, 1], 4)
    for ours, theirs in zip(first.sample(), second.sample(), strict=True):
        assert torch.equal(ours, theirs)


def test_sampling_is_uniform(rngs):
    buffer = replay(rngs, 0, capacity=10, n_envs=1, batch_size=5000)
    for step in range(10):
        add(buffer, [0], step, n_envs=1)
    counts = torch.bincount(buffer.sample().action[0] // 10)
    assert len(counts) == 10
    assert counts.min() > 400
