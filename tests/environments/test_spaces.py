import numpy as np
import pytest
from gymnasium import spaces

from rlbench.environments.spaces import checked_dtype, unsupported_reason

BOX = spaces.Box(-1, 1, (3,))
TWO = spaces.Discrete(2)


@pytest.mark.parametrize(
    "observation_space",
    [
        spaces.Discrete(16),
        spaces.Box(-np.inf, np.inf, (4,)),
        spaces.Box(-1, 1, ()),
        spaces.Box(0, 255, (84, 84, 4), np.uint8),
        spaces.Box(0, 5, (2, 2), np.int64),
    ],
)
@pytest.mark.parametrize("action_space", [TWO, BOX, spaces.Box(-np.inf, np.inf, (2, 2))])
def test_discrete_box_and_image_spaces_are_supported(observation_space, action_space):
    assert unsupported_reason(observation_space, action_space) is None


@pytest.mark.parametrize(
    ("observation_space", "action_space", "words"),
    [
        (spaces.Dict({"a": BOX}), TWO, ["observation space", "Dict"]),
        (spaces.Tuple((TWO, BOX)), TWO, ["observation space", "Tuple"]),
        (spaces.MultiDiscrete([2, 3]), TWO, ["observation space", "MultiDiscrete"]),
        (spaces.Text(5), TWO, ["observation space", "Text"]),
        (spaces.Discrete(3, start=-1), TWO, ["observation space", "-1"]),
        (spaces.Box(0, 1, (0,)), TWO, ["observation space", "empty"]),
        (BOX, spaces.MultiBinary(3), ["action space", "MultiBinary"]),
        (BOX, spaces.Discrete(3, start=1), ["action space", "counts from 1"]),
        (BOX, spaces.Box(0, 5, (2,), np.int32), ["action space", "int32"]),
    ],
)
def test_any_other_space_is_refused_in_one_line_that_names_it(observation_space, action_space, words):
    reason = unsupported_reason(observation_space, action_space)
    assert reason is not None
    assert "\n" not in reason
    assert all(word in reason for word in words)


def test_a_long_space_is_shortened():
    space = spaces.Dict({f"key{i}": BOX for i in range(100)})
    assert len(unsupported_reason(space, TWO)) < 200


@pytest.mark.parametrize("obs", [3, np.int64(3), np.array(3), np.uint8(3)])
def test_whole_numbers_are_observations_of_a_discrete_space(obs):
    assert checked_dtype(obs, spaces.Discrete(16), "Lake-v0").kind in "iu"


@pytest.mark.parametrize("obs", [3.0, np.array([3]), "3", None, {"state": 3}])
def test_nothing_else_is(obs):
    with pytest.raises(
        ValueError, match=r"Lake-v0 declares observations of shape \(\) and type int64, and gave"
    ):
        checked_dtype(obs, spaces.Discrete(16), "Lake-v0")


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int16])
def test_a_picture_in_numbers_that_bytes_cannot_hold_does_not_fit(dtype):
    with pytest.raises(ValueError, match="type uint8, and gave one of shape"):
        checked_dtype(np.zeros((8, 8, 3), dtype), spaces.Box(0, 255, (8, 8, 3), np.uint8), "Camera-v0")
