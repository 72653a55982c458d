"""Means over windows of training."""

import numpy as np
import torch

from rlbench.kit.diagnostics import Window


def test_means_come_about_a_hundred_times_a_run_and_start_anew():
    window, given = Window(("loss",), 2, 1000, "cpu"), {}
    for step in range(1, 1001):
        window.add({"loss": torch.tensor([float(step), 1.0])})
        means = window.collect(step)
        if means:
            given[step] = means["loss"].tolist()
    assert list(given) == list(range(10, 1001, 10))
    assert given[10] == [5.5, 1.0]
    assert given[1000] == [995.5, 1.0]


def test_a_seed_that_measured_nothing_is_masked_whatever_its_companions_did():
    window = Window(("loss",), 2, 100, "cpu")
    window.add({"loss": torch.tensor([4.0, float("nan")])}, np.array([True, False]))
    means = window.collect(1)["loss"]
    assert means.mask.tolist() == [False, True]
    assert means[0] == 4.0
    assert window.collect(2)["loss"].mask.all()


def test_a_diverged_measurement_is_nan_and_not_masked():
    window = Window(("loss",), 2, 100, "cpu")
    window.add({"loss": torch.tensor([4.0, float("nan")])})
    means = window.collect(1)["loss"]
    assert not means.mask.any()
    assert np.isnan(means[1])


def test_a_state_continues_in_the_middle_of_a_window():
    first = Window(("loss", "norm"), 2, 300, "cpu")
    first.add({"loss": torch.tensor([1.0, 2.0]), "norm": torch.tensor([3.0, 4.0])})
    second = Window(("loss", "norm"), 2, 300, "cpu")
    second.load_state_dict(first.state_dict())
    second.add({"loss": torch.tensor([3.0, 4.0]), "norm": torch.tensor([5.0, 6.0])})
    assert second.collect(2) is None
    means = second.collect(3)
    assert means["loss"].tolist() == [2.0, 3.0]
    assert means["norm"].tolist() == [4.0, 5.0]
