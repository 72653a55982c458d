"""Curves on matplotlib axes, as a notebook wants them."""

from __future__ import annotations

import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from synthetic import write_results

import rlbench
from rlbench.api import UsageError


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def test_curves_are_drawn_on_the_axes_that_are_given(results):
    left, right = Figure().subplots(1, 2)
    assert results.plot_curves(ax=right, env="CartPole-v1") is right
    assert not left.lines
    assert right.get_title() == "CartPole-v1"
    assert right.get_xlabel() == "environment steps"
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["a2c", "dqn"]
    drawn = results.curves().query("env == 'CartPole-v1' and algorithm == 'a2c'")
    assert any(list(line.get_ydata()) == drawn["mean"].tolist() for line in right.lines)
    assert pyplot.get_fignums() == []


def test_a_solver_is_a_line_beside_the_learners(results):
    axes = results.plot_curves(env="FrozenLake-v1")
    assert axes.get_legend().get_texts()[0].get_text() == "value-iteration"
    assert any(set(line.get_ydata()) == {0.7413} for line in axes.lines)


def test_one_environment_need_not_be_named_and_labels_are_shown_as_they_are(tmp_path):
    labels = ("_hidden", "$\\frac{$")
    write_results(tmp_path, algorithms=labels, seeds=2)
    before = dict(pyplot.rcParams)
    axes = rlbench.load(tmp_path).plot_curves()
    assert dict(pyplot.rcParams) == before
    shown = {text.get_text().replace("\\$", "$") for text in axes.get_legend().get_texts()}
    assert shown == set(labels)
    axes.figure.canvas.draw()


def test_what_has_no_curves_is_named(results, tmp_path):
    with pytest.raises(UsageError, match="several environments; name one: env='CartPole-v1'"):
        results.plot_curves()
    with pytest.raises(UsageError, match="did you mean 'CartPole-v1'"):
        results.plot_curves(env="CartPool-v1")
    write_results(tmp_path, seeds=0)
    with pytest.raises(UsageError, match="no evaluation yet"):
        rlbench.load(tmp_path).plot_curves()


def test_an_environment_in_the_place_of_axes_is_told_its_own(results):
    with pytest.raises(UsageError, match="env='CartPole-v1'"):
        results.plot_curves("CartPole-v1")
