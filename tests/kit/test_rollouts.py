"""Rows held until an update takes them."""

import numpy as np
import torch

from rlbench.kit.rollouts import Rollout


def rollout():
    return Rollout((2, 3, 4), {"obs": ((5,), torch.float32), "end": ((), torch.bool)}, device="cpu")


def row(number):
    return {"obs": np.full((2, 4, 5), number, np.float32), "end": np.full((2, 4), number % 2 == 1)}


def test_it_is_full_after_its_steps_and_gives_them_in_order():
    held = rollout()
    for number in range(3):
        assert not held.full
        held.add(row(number))
    assert held.full
    fields = held.take()
    assert fields["obs"].shape == (2, 3, 4, 5)
    assert fields["obs"][0, :, 0, 0].tolist() == [0, 1, 2]
    assert fields["end"][1, :, 3].tolist() == [False, True, False]
    assert not held.full


def test_what_is_added_is_copied():
    held, given = rollout(), row(1)
    held.add(given)
    given["obs"][:] = 9
    held.add(row(2))
    held.add(row(3))
    assert held.take()["obs"][0, :, 0, 0].tolist() == [1, 2, 3]


def test_a_state_continues_in_the_middle():
    first, second = rollout(), rollout()
    first.add(row(0))
    first.add(row(1))
    second.load_state_dict(first.state_dict())
    second.add(row(2))
    assert second.full
    assert second.take()["obs"][1, :, 2, 1].tolist() == [0, 1, 2]
