"""Observations as network inputs."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.kit.encoding import Encoder


def features(space, obs):
    return Encoder(space).encode(np.asarray(obs))


@pytest.mark.parametrize("start", [0, 5])
def test_discrete_observations_become_one_hot(start):
    given = features(spaces.Discrete(3, start=start), np.array([[start, start + 2]]))
    assert given.tolist() == [[[1, 0, 0], [0, 0, 1]]]


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_boxes_are_flattened_behind_any_leading_axes(lead):
    given = features(spaces.Box(-1, 1, (2, 3), np.float64), np.ones((*lead, 2, 3)))
    assert given.shape == (*lead, 6)
    assert given.dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((9, 8, 3), (3, 9, 8)),
        ((4, 84, 84), (4, 84, 84)),
        ((10, 10, 6), (6, 10, 10)),
        ((64, 8, 8), (64, 8, 8)),
    ],
)
def test_images_get_their_channels_in_front(shape, expected):
    space = spaces.Box(0, 255, shape, np.uint8)
    image = np.random.default_rng(0).integers(0, 256, (2, 5, *shape), np.uint8)
    given = features(space, image)
    assert Encoder(space).is_image
    assert given.shape == (2, 5, *expected)
    moved = image if shape == expected else np.moveaxis(image, -1, -3)
    np.testing.assert_allclose(given.numpy(), moved / 255, rtol=1e-6)


def test_bytes_that_are_no_image_are_scaled_too():
    assert features(spaces.Box(0, 255, (2,), np.uint8), np.array([0, 255], np.uint8)).tolist() == [0, 1]


def test_images_of_booleans_are_not_scaled():
    given = features(spaces.Box(0, 1, (4, 4, 2), np.bool_), np.ones((4, 4, 2), bool))
    assert given.unique().tolist() == [1]


def test_tensors_on_the_cpu_share_the_memory_of_the_observations():
    obs = np.zeros((2, 3), np.float32)
    tensor = Encoder(spaces.Box(-1, 1, (3,))).tensor(obs)
    obs[1, 2] = 7
    assert tensor[1, 2] == 7


@pytest.mark.parametrize(
    "space",
    [spaces.MultiBinary(3), spaces.MultiDiscrete([2, 2]), spaces.Dict(a=spaces.Discrete(2)), spaces.Text(4)],
)
def test_other_spaces_are_refused_by_name(space):
    with pytest.raises(api.UsageError) as caught:
        Encoder(space)
    assert str(space) in str(caught.value)
