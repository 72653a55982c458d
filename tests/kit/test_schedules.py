"""Values that change with progress."""

import pytest

from rlbench.kit.schedules import interpolated, progress, scheduled


def test_progress_never_passes_one():
    assert progress(25, 100) == 0.25
    assert progress(104, 100) == 1.0
    assert progress(0, 0) == 1.0


def test_linear_ends_at_zero_and_constant_stays():
    assert [scheduled(0.5, "linear", p) for p in (0.0, 0.5, 1.0)] == [0.5, 0.25, 0.0]
    assert [scheduled(0.5, "constant", p) for p in (0.0, 0.5, 1.0)] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(("done", "value"), [(0.0, 1.0), (0.1, 0.55), (0.2, 0.1), (0.9, 0.1)])
def test_exploration_falls_over_its_fraction(done, value):
    assert interpolated(1.0, 0.1, 0.2, done) == pytest.approx(value)


def test_a_fraction_of_zero_starts_at_the_end():
    assert interpolated(1.0, 0.1, 0.0, 0.0) == 0.1
