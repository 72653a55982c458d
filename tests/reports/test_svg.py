"""A figure's SVG in the page: small, without its legend, its ids its own, its text as it is."""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rlbench.reports.figures import learning_curves
from rlbench.reports.style import figure_style, looks
from rlbench.reports.svg import inline, legend_places

ALGORITHMS = ("<b>", "dqn", "never drawn", "zz")


@pytest.fixture
def curves() -> Figure:
    """Learning curves of two of four algorithms, three seeds each."""
    drawn = ("<b>", "zz")
    steps = np.arange(1, 11)
    seeds = pd.DataFrame(
        [
            (algorithm, seed, step, step / 3 + seed)
            for algorithm in drawn
            for seed in range(3)
            for step in steps
        ],
        columns=["algorithm", "seed", "step", "value"],
    )
    means = seeds.groupby(["algorithm", "step"], as_index=False)["value"].mean()
    means = means.assign(mean=means["value"], low=means["value"] - 1, high=means["value"] + 1)
    trials = pd.DataFrame({"algorithm": drawn, "seed": 0, "status": "finished"})
    return learning_curves("a <b> $x$", seeds, means, trials, {}, looks(ALGORITHMS))


def svg(figure: Figure, prefix: str = "f1-") -> tuple[str, str]:
    """Give a figure's SVG as a file has it and as the page has it."""
    with matplotlib.rc_context(figure_style()):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg")
        return buffer.getvalue(), inline(figure, buffer.getvalue(), prefix, 'a "label"')


def test_the_page_has_the_same_drawing_in_two_thirds_of_the_bytes(curves):
    file, page = svg(curves)
    assert page.startswith('<svg role="img" aria-label="a &#34;label&#34;" viewBox="0 0 ')
    assert len(page) < 2 / 3 * len(file)
    assert not re.search(r"\d\.\d{3}", " ".join(re.findall(r' (?:d|x|y)="([^"]*)"', page)))
    assert "metadata" not in page
    assert "a &lt;b&gt; $x$" in page


def test_ids_are_those_of_this_figure_and_every_reference_is_met(curves):
    _, page = svg(curves, "f7-")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert ids
    assert all(one.startswith("f7-") for one in ids)
    assert len(set(ids)) == len(ids)
    referred = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)
    assert {one or other for one, other in referred} == set(ids)


def test_what_is_drawn_of_an_algorithm_bears_its_place_and_the_legend_names_them(curves):
    _, page = svg(curves)
    assert sorted(legend_places(curves)) == [0, 3]
    for place in (0, 3):
        for part in ("seeds", "band", "mean"):
            assert page.count(f'class="series-{place} {part}"') == 1
    assert 'class="series-1' not in page


def test_all_seeds_of_an_algorithm_are_one_path(curves):
    _, page = svg(curves)
    (seeds,) = re.findall(r'<g class="series-0 seeds"><path d="([^"]*)"', page)
    assert seeds.count("M") == 3


def test_the_legend_is_cut_off_for_the_page_writes_it_itself(curves):
    file, page = svg(curves)
    heights = [float(re.findall(r'viewBox="0 0 \S+ ([\d.]+)"', text)[0]) for text in (file, page)]
    assert 0.6 * heights[0] < heights[1] < heights[0] - 8
    assert file.count("zz") == 1
    assert "zz" not in page


def test_pictures_in_a_figure_stay_in_it():
    figure = Figure()
    figure.subplots().imshow(np.eye(3))
    file, page = svg(figure)
    pictures = [re.findall(r'href="data:image/png;base64,\s*([^"]+)"', text) for text in (file, page)]
    assert ["".join(one.split()) for one in pictures[0]] == ["".join(one.split()) for one in pictures[1]]
    assert len(pictures[0]) == 1
    assert legend_places(figure) == []
