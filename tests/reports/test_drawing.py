"""What figures are drawn with: each algorithm in its look, nothing where nothing is known."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from rlbench.reports.drawing import draw_lines, draw_points, draw_spans, legend_below, titled
from rlbench.reports.figures import differences, learning_curves
from rlbench.reports.style import INK, figure_style, looks
from rlbench.reports.suite_figures import gap_curves

NAMES = ("_hidden", "a2c", "dqn", "ppo")
LOOKS = looks(NAMES)


@pytest.fixture
def axes():
    with matplotlib.rc_context(figure_style()):
        yield titled("A title", 3).subplots()


def curves(names=NAMES, values=(0.0, 1.0, 2.0, 3.0)):
    return pd.DataFrame(
        [(name, step, value) for name in reversed(names) for step, value in enumerate(values)],
        columns=["algorithm", "step", "value"],
    )


def test_a_line_has_the_values_and_the_look_of_its_algorithm(axes):
    frame = curves().assign(value=lambda rows: rows["value"] + 10 * rows["algorithm"].map(NAMES.index))
    draw_lines(axes, frame, "step", "value", LOOKS)
    lines = {line.get_gid(): line for line in axes.lines}
    for place, name in enumerate(NAMES):
        line, look = lines[f"series-{place}-mean"], LOOKS[name]
        assert line.get_ydata().tolist() == [10 * place + value for value in range(4)]
        assert (to_hex(line.get_color()), line.get_marker()) == (look.colour, look.marker)
        assert line.is_dashed() == bool(look.dashes)


def test_a_line_breaks_where_a_value_is_missing(axes):
    draw_lines(axes, curves(("dqn",), (0.0, 1.0, np.nan, 3.0, 4.0)), "step", "value", LOOKS)
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 1], [3, 4]]
    assert len({line.get_gid() for line in axes.lines}) == 2


def test_markers_of_lines_that_coincide_stay_apart(axes):
    draw_lines(axes, curves(values=range(40)), "step", "value", LOOKS)
    marked = [set(range(40)[line.get_markevery()[0] :: line.get_markevery()[1]]) for line in axes.lines]
    assert all(marked)
    assert len(set.union(*marked)) == sum(map(len, marked))


@pytest.mark.filterwarnings("error")
def test_nothing_to_draw_draws_nothing(axes):
    draw_lines(axes, curves(()), "step", "value", LOOKS)
    draw_points(axes, curves(()), "step", "value", LOOKS, size=20)
    draw_spans(axes, pd.DataFrame({"low": [np.nan], "high": [np.nan]}), [0], [INK], 2)
    assert not axes.lines
    assert not axes.collections


def test_a_legend_of_short_names_is_one_row_and_inside_the_figure(axes):
    figure = axes.figure
    legend_below(figure, NAMES, LOOKS)
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert len({round(box.y0) for box in boxes}) == 1
    assert all(box.x0 > 0 and box.x1 < figure.bbox.x1 for box in boxes)


def test_the_mean_of_gaps_is_drawn_among_those_of_its_trials():
    trials = pd.DataFrame(
        [("dqn", seed, step, 5.0 + seed) for seed in range(3) for step in (10, 20)],
        columns=["algorithm", "seed", "step", "gap"],
    )
    figure = gap_curves("FrozenLake-v1", trials, LOOKS)
    drawn = {line.get_gid(): line for line in figure.axes[0].lines}
    assert drawn["series-2-mean"].get_ydata().tolist() == [6.0, 6.0]
    assert set(drawn["series-2-seeds"].get_ydata()[[0, 1, 3, 4, 6, 7]]) == {5.0, 6.0, 7.0}


def test_who_has_no_value_at_the_end_comes_last_in_the_legend():
    means = curves(("a2c", "dqn")).rename(columns={"value": "mean"}).assign(low=np.nan, high=np.nan)
    means.loc[means["algorithm"].eq("a2c") & means["step"].eq(3), "mean"] = np.inf
    seeds = means.rename(columns={"mean": "value"}).assign(seed=0)
    trials = pd.DataFrame({"algorithm": ["a2c", "dqn"], "seed": 0, "status": "finished"})
    figure = learning_curves("CartPole-v1", seeds, means, trials, {"ppo": 1.0}, LOOKS)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dqn", "ppo", "a2c"]


def test_pairs_of_long_names_that_differ_at_their_ends_are_told_apart():
    names = [f"dqn with a learning rate of 0.{number}" for number in range(3)]
    pairs = pd.DataFrame({"first": names[0], "second": names[1:], "difference": 1.0, "low": 0.5, "high": 1.5})
    figure = differences("CartPole-v1", pairs.assign(verdict=["better", "undecided"]))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(set(labels)) == 2
