"""Random streams depend on the trial alone."""

from __future__ import annotations

from itertools import product

import numpy as np

from rlbench.running.seeding import Streams


def test_streams_of_different_trials_sub_environments_and_episodes_are_all_different():
    seeds = [
        streams.training_episode(seed, env_index, episode)
        for streams in (
            Streams.of("CartPole-v1", {}),
            Streams.of("CartPole-v1", {"a": 1}),
            Streams.of("B", {}),
        )
        for seed, env_index, episode in product(range(5), range(4), range(50))
    ]
    seeds += [
        Streams.of("CartPole-v1", {}).evaluation_episode(seed, step, episode)
        for seed, step, episode in product(range(5), range(4), range(50))
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_is_the_same_whenever_it_is_asked_for():
    first, second = Streams.of("A", {"x": 1, "y": 2}), Streams.of("A", {"y": 2, "x": 1})
    second.training_episode(0, 0, 0)
    assert first.training_episode(3, 1, 7) == second.training_episode(3, 1, 7)
    assert np.array_equal(first.agent(3).random(5), second.agent(3).random(5))


def test_streams_are_fixed_for_ever():
    """Stored results depend on these numbers: a change here makes every old result another one."""
    streams = Streams.of("CartPole-v1", {})
    assert streams.training_episode(0, 0, 0) == 8774939171836242234
    assert streams.evaluation_episode(0, 2500, 0) == 416045862703658604
