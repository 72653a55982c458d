"""Checkpoint files: whatever a state holds comes back, through the library's own reader."""

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from rlbench.results.store import checkpoint_path
from rlbench.running import checkpoint

STATE = {
    "weights": {"q.0.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "log_std": np.float64(0.5)},
    "flags": np.array([True, False, True]),
    "frames": np.arange(30, dtype=np.uint8).reshape(2, 3, 5)[:, ::2],
    "nothing": np.zeros((0, 7), dtype=np.int32),
    "steps": 17,
    "history": {"name": "é", "none": None, "rates": [0.1, 0.2]},
    **{f"of {kind}": np.array([1, 2], dtype=kind) for kind in ("i1", "i2", "i8", "u2", "u4", "u8", "f2")},
}


def assert_same(ours, theirs):
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_same(ours[key], theirs[key])
    elif isinstance(ours, np.ndarray | np.generic):
        assert (theirs.dtype, theirs.shape) == (ours.dtype, ours.shape)
        assert theirs.tobytes() == ours.tobytes()
    else:
        assert ours == theirs


def test_a_state_comes_back_bit_for_bit(tmp_path):
    sha256 = checkpoint.write(tmp_path, 40, STATE)
    path = checkpoint_path(tmp_path, 40)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert_same(STATE, checkpoint.read(tmp_path, 40))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_file_is_one_that_safetensors_reads(tmp_path):
    checkpoint.write(tmp_path, 1, {"a": np.ones((2, 3)), "b": np.array([7], dtype=np.uint8)})
    tensors = load_file(checkpoint_path(tmp_path, 1))
    assert sorted(json.dumps(value.tolist()) for value in tensors.values()) == [
        "[7]",
        "[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]",
    ]


@pytest.mark.parametrize("kind", ["U4", "c8", "longdouble", "M8[s]"])
def test_what_cannot_be_kept_is_refused_before_anything_is_written(tmp_path, kind):
    with pytest.raises(TypeError, match="only numbers"):
        checkpoint.write(tmp_path, 1, {"a": np.ones(3), "b": np.zeros(2, dtype=kind)})
    assert not list(tmp_path.iterdir())


def test_numbers_of_another_byte_order_come_back_as_the_same_numbers(tmp_path):
    checkpoint.write(tmp_path, 1, {"a": np.array([1, 2, 3], dtype=">i4")})
    assert checkpoint.read(tmp_path, 1)["a"].tolist() == [1, 2, 3]
