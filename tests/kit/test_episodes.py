"""Complete episodes held until an update takes them."""

import numpy as np
import torch

from rlbench.kit.episodes import Episodes


def episodes(seeds=2, n_envs=1, count=2, limit=5):
    shape = ((), torch.float32)
    return Episodes(seeds, n_envs, episodes=count, max_episode_steps=limit, obs=shape, action=shape)


def add(held, values):
    """Add one step whose observation, action and reward are all ``values [S, N]``."""
    held.add(np.asarray(values), np.asarray(values), np.asarray(values, float))


def close(held, ended, after=0.0, gamma=0.5):
    ended = np.asarray(ended, bool)
    held.close(ended, np.full(ended.shape, after), gamma)


def own(rows, seed):
    return rows.obs[seed][rows.inside[seed]].tolist(), rows.returns[seed][rows.inside[seed]].tolist()


def test_each_seed_counts_and_gives_its_own_episodes():
    held = episodes()
    add(held, [[1], [10]])
    close(held, [[True], [False]])
    add(held, [[2], [20]])
    add(held, [[4], [40]])
    close(held, [[True], [True]])
    assert held.finished.tolist() == [2, 1]
    rows = held.take(np.array([0, 1]), 4)
    assert own(rows, 0) == ([1, 2, 4], [1, 2 + 2, 4])
    assert own(rows, 1) == ([10, 20, 40], [10 + 10 + 10, 20 + 20, 40])
    assert held.finished.tolist() == [0, 0]


def test_an_episode_that_was_cut_off_goes_on_with_the_value_given():
    held = episodes(seeds=1)
    add(held, [[1]])
    add(held, [[2]])
    close(held, [[True]], after=8.0)
    assert own(held.take(np.array([0]), 4), 0)[1] == [1 + 1 + 2, 2 + 4]


def test_episodes_under_way_stay():
    held = episodes(seeds=1, n_envs=2)
    add(held, [[1, 5]])
    close(held, [[True, False]])
    add(held, [[2, 6]])
    close(held, [[True, False]])
    assert own(held.take(np.array([0]), 4), 0)[0] == [1, 2]
    add(held, [[3, 7]])
    close(held, [[False, True]])
    assert own(held.take(np.array([0]), 4), 0)[0] == [5, 6, 7]


def test_blocks_have_one_shape_and_surplus_rows_are_outside():
    held = episodes(limit=20)
    for step in range(6):
        add(held, [[step], [step]])
        if step == 0:
            close(held, [[False], [True]])
    close(held, [[True], [False]])
    rows = held.take(np.array([0, 1]), 4)
    assert rows.obs.shape == rows.returns.shape == rows.inside.shape == (2, 2, 4)
    assert rows.inside.sum((1, 2)).tolist() == [6, 1]


def test_a_lane_holds_as_many_episodes_as_an_update_takes_all_of_full_length():
    held = episodes(seeds=1, count=3, limit=4)
    for step in range(1, 13):
        add(held, [[step]])
        close(held, [[step % 4 == 0]])
    assert held.finished[0] == 3
    assert own(held.take(np.array([0]), 8), 0)[0] == list(range(1, 13))


def test_a_state_continues_in_the_middle():
    first, second = episodes(), episodes()
    add(first, [[1], [10]])
    close(first, [[True], [False]])
    add(first, [[2], [20]])
    second.load_state_dict(first.state_dict())
    for held in (first, second):
        close(held, [[True], [True]])
    everyone = np.array([0, 1])
    ours, theirs = first.take(everyone, 4), second.take(everyone, 4)
    assert [own(ours, seed) for seed in everyone] == [own(theirs, seed) for seed in everyone]
