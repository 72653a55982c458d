"""Algorithms stay apart in colour and without it, and any label can be drawn."""

from __future__ import annotations

import io
from itertools import pairwise

import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rlbench.reports.figures import learning_curves, score_points
from rlbench.reports.style import COLOURS, INK, RULE, figure_style, in_page, literal, looks

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # the SVG has the text, whatever this font lacks

HOSTILE = [
    "_hidden",
    "$\\frac{$",
    "$x$",
    "<b>bold</b>",
    "a & b",
    "東京 ü",
    "two\nlines",
    "\\",
    "x" * 200,
    " ",
]


def svg(figure):
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def test_no_two_algorithms_look_alike():
    names = [f"algorithm {index:02}" for index in range(56)]
    all_looks = looks(names)
    assert len(set(all_looks.values())) == 56


def test_neighbours_differ_without_colour():
    eight = list(looks("abcdefgh").values())
    for one, other in pairwise(eight):
        assert one.dashes != other.dashes
        assert one.marker != other.marker


def test_a_look_does_not_depend_on_the_order_of_trials():
    assert looks(["b", "a", "b"]) == looks(["a", "b"])


@pytest.mark.parametrize("label", HOSTILE)
def test_any_label_is_drawn_as_it_is(label):
    with matplotlib.rc_context(figure_style()):
        figure = Figure()
        figure.subplots().set_title(literal(label))
        shown = svg(figure)
    expected = " ".join(label.split())[:20] or "(blank)"
    escaped = expected.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert escaped in shown


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_appear_in_legends_and_axes(label):
    rows = [(label, "E", seed, step, float(step)) for seed in range(3) for step in (1, 2)]
    seeds = pd.DataFrame(rows, columns=["algorithm", "env", "seed", "step", "value"])
    means = pd.DataFrame(
        {"algorithm": label, "step": [1, 2], "mean": [1.0, 2.0], "low": [0.5, 1.5], "high": [1.5, 2.5]}
    )
    trials = pd.DataFrame(
        {"algorithm": label, "seed": range(3), "status": "finished", "score": [1.0, 2.0, 3.0]}
    )
    scores = pd.DataFrame({"algorithm": [label], "mean": 2.0, "low": 1.0, "high": 3.0, "n": 3, "of": 3})
    look = looks([label])
    with matplotlib.rc_context(figure_style()):
        shown = [
            svg(learning_curves("E", seeds, means, trials, {}, look)),
            svg(score_points("E", scores, trials, look)),
        ]
    expected = " ".join(label.split())[:12] or "(blank)"  # beside an axis, a long one is cut in the middle
    escaped = expected.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert all(escaped in figure for figure in shown)


def test_the_page_sets_every_colour_of_a_figure():
    text = in_page(" ".join([INK, RULE, *COLOURS]))
    assert "#" not in text
    assert text.count("var(--") == 2 + len(COLOURS)
