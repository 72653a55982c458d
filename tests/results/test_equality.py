"""Two copies of one trial: what is equal, and where they part."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet
import pytest
from safetensors.numpy import save
from synthetic import identity

from rlbench.results.equality import compare_trials
from rlbench.results.store import Store

ROWS = {
    "step": [10, 20, 20],
    "actual_step": [10, 20, 20],
    "episode": [0, 0, 1],
    "episode_return": [1.0, 0.1 + 0.2, float("nan")],
    "episode_length": [1, 2, 3],
    "exact_value": [None, 0.0, 0.5],
}
WEIGHTS = {"b": np.zeros(2, np.float32), "w": np.arange(6, dtype=np.float64).reshape(2, 3)}


def stored(root, status="finished", error=None, weights=WEIGHTS, **columns):
    """Write one trial; give its folder."""
    writer = Store(root).begin(identity())
    rows = {**ROWS, **columns}
    for start in range(len(rows["step"])):
        writer.append("evaluations", {name: column[start : start + 1] for name, column in rows.items()})
    writer.append("diagnostics", {"step": [1], "name": ["loss"], "value": [0.5]})
    data = None if weights is None else save(weights)
    writer.finish(status, step=20, weights=data, timing={"wall_seconds": id(root)}, error=error)
    return writer.folder


@pytest.fixture
def compare(tmp_path):
    """Compare the trial above with one that differs as told; give what is not equal."""

    def run(**changes):
        then, now = stored(tmp_path / "then"), stored(tmp_path / "now", **changes)
        found = compare_trials(then, now)
        return {name: (one.likeness, one.detail) for name, one in found.items() if one.likeness != "equal"}

    return run


def test_the_same_numbers_are_equal_whatever_the_clock_said(compare):
    assert compare() == {}


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        (
            {"episode_return": [1.0, 0.3, 2.0]},
            "row 1 (step 20), column episode_return: 0.30000000000000004 then, 0.3 now",
        ),
        ({"exact_value": [None, -0.0, 0.5]}, "row 1 (step 20), column exact_value: 0.0 then, -0.0 now"),
        ({"exact_value": [0.0, 0.0, 0.5]}, "row 0 (step 10), column exact_value: None then, 0.0 now"),
        ({"step": [10, 20, 30]}, "row 2 (step 20), column step: 20 then, 30 now"),
        ({name: column[:2] for name, column in ROWS.items()}, "3 rows then, 2 now"),
    ],
)
def test_the_first_row_and_column_that_differ_are_named(compare, changes, detail):
    assert compare(**changes) == {
        "evaluations.parquet": ("different", detail),
        "status.json": ("same numbers", ""),
    }


@pytest.mark.parametrize(
    ("weights", "detail"),
    [
        (
            {**WEIGHTS, "w": WEIGHTS["w"] * [[1], [2]]},
            "tensor w[1, 0]: 3.0 then, 6.0 now; 3 of its 6 numbers differ",
        ),
        ({**WEIGHTS, "b": -WEIGHTS["b"]}, "tensor b[0]: 0.0 then, -0.0 now; 2 of its 2 numbers differ"),
        ({**WEIGHTS, "b": np.zeros(3, np.float32)}, "tensor b: float32[2] then, float32[3] now"),
        ({"b": WEIGHTS["b"]}, "tensors ['b', 'w'] then, ['b'] now"),
        (None, "it is there then only"),
    ],
)
def test_the_first_tensor_and_number_that_differ_are_named(compare, weights, detail):
    assert compare(weights=weights)["final.safetensors"] == ("different", detail)


def test_another_end_is_the_only_finding(compare):
    error = 'Traceback ...\nRuntimeError: "addmm" is not there'
    detail = 'finished at step 20 then, failed at step 20 (RuntimeError: "addmm" is not there) now'
    assert compare(status="failed", error=error, weights=None) == {"status.json": ("different", detail)}


def test_other_bytes_that_say_the_same_are_told_apart_from_other_numbers(tmp_path):
    then, now = stored(tmp_path / "then"), stored(tmp_path / "now")
    table = pyarrow.parquet.read_table(now / "evaluations.parquet")
    pyarrow.parquet.write_table(table, now / "evaluations.parquet", compression="none")
    found = compare_trials(then, now)
    assert found["evaluations.parquet"].likeness == "same numbers"
    assert {one.likeness for name, one in found.items() if name != "evaluations.parquet"} == {"equal"}


def test_damage_is_no_difference(tmp_path):
    then, now = stored(tmp_path / "then"), stored(tmp_path / "now")
    path = then / "final.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (then / "episodes.parquet").unlink()
    found = compare_trials(then, now)
    assert {name for name, one in found.items() if one.likeness == "damaged"} == {
        "final.safetensors",
        "episodes.parquet",
    }
    (then / "status.json").unlink()
    assert compare_trials(then, now)["status.json"].likeness == "damaged"
