"""What the figures are drawn with: lines, bands, points and rows in each algorithm's look, and the legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rlbench.reports.style import PAPER, Look, literal
from rlbench.reports.svg import LEGEND, series

WIDTH = 5.0  # inches; narrow, so that text stays readable on a small screen
_LEGEND_ROW = 0.18  # inches that a legend's row takes from the axes; there is room for two
_LEGEND_WIDTH = 70  # characters
_LEGEND_SAMPLE = 9  # characters that the sample of a line takes
_MANY_LINES = 30  # more seeds' lines in one figure are drawn fainter
_FEW_BANDS = 4  # that can lie over each other and still be told apart
_BAND, _WEAK_BAND = 0.17, 0.09  # how dark
_MARKERS = 7  # on a line


def titled(title: str, height: float) -> Figure:
    """Give an empty figure of the report, ``height`` inches high, with its title at the left."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(title, x=0.01, horizontalalignment="left")
    return figure


def draw_lines(
    axes: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    looks: Mapping[str, Look],
    part: str = "mean",
    linewidth: float = 2,
) -> None:
    """Draw a line an algorithm. It breaks where ``y`` is missing, which seaborn alone would bridge.

    ``part`` is what the page calls it. Markers of lines that coincide stay apart.
    """
    known = frame[["algorithm", x, y]].set_axis(["algorithm", "x", "y"], axis=1)
    known["piece"] = known["y"].isna().groupby(known["algorithm"]).cumsum()
    known = known.dropna()
    if known.empty:
        return
    names, places, before = sorted(known["algorithm"].unique()), list(looks), len(axes.lines)
    sns.lineplot(
        data=known, x="x", y="y", units="piece", estimator=None, **_semantics(looks, names),
        dashes={name: looks[name].pattern for name in names}, linewidth=linewidth, markersize=4.5,
        markeredgecolor=PAPER, markeredgewidth=0.6, zorder=4, legend=False, ax=axes,
    )  # fmt: skip
    drawn = known[["algorithm", "piece"]].drop_duplicates().sort_values(["algorithm", "piece"])
    for line, (name, piece) in zip(axes.lines[before:], drawn.itertuples(index=False), strict=True):
        every = max(1, np.size(line.get_xdata()) // _MARKERS)
        line.set_markevery((names.index(name) * every // len(names), every))
        line.set_gid(series(places.index(name), f"{part}{piece or ''}"))


def draw_seeds(
    axes: Axes, frame: pd.DataFrame, x: str, y: str, looks: Mapping[str, Look], part: str = "seeds"
) -> None:
    """Draw each trial's curve as a thin line, all of an algorithm as one path: seaborn makes one a seed."""
    alpha = 0.45 if len(frame[["algorithm", "seed"]].drop_duplicates()) <= _MANY_LINES else 0.25
    for name, mine in frame.groupby("algorithm", sort=True):
        curves = [
            np.vstack([curve[[x, y]].to_numpy(float), [np.nan, np.nan]])
            for _, curve in mine.sort_values("step").groupby("seed", sort=True)
        ]
        axes.plot(
            *np.concatenate(curves).T, color=looks[name].colour, linewidth=0.7, alpha=alpha, zorder=2,
            gid=series(list(looks).index(name), part),
        )  # fmt: skip


def draw_bands(
    axes: Axes,
    frame: pd.DataFrame,
    x: str,
    looks: Mapping[str, Look],
    ends: tuple[str, str] = ("low", "high"),
    part: str = "band",
) -> None:
    """Draw a band an algorithm between two columns, paler where many are; seaborn takes no given ends.

    It is paler, too, where a column ``weak`` says why its ends are.
    """
    alpha = min(1, _FEW_BANDS / max(1, frame["algorithm"].nunique()))
    for name, mine in frame.groupby("algorithm", sort=True):
        weak = mine["weak"].ne("").to_numpy() if "weak" in mine else np.zeros(len(mine), dtype=bool)
        beside = weak | np.append(weak[1:], False) | np.append(False, weak[:-1])  # and the way there
        for suffix, where, darkness in (("", ~weak, _BAND), ("weak", beside, _WEAK_BAND)):
            if where.any():
                axes.fill_between(
                    mine[x], mine[ends[0]], mine[ends[1]], where=where, color=looks[name].colour,
                    alpha=darkness * alpha, linewidth=0, zorder=1,
                    gid=series(list(looks).index(name), f"{part}{suffix}"),
                )  # fmt: skip


def draw_points(
    axes: Axes, frame: pd.DataFrame, x: str, y: str, looks: Mapping[str, Look], size: float, alpha: float = 1
) -> None:
    """Draw a point a row, with the marker and the colour of its algorithm."""
    if frame.empty:
        return
    sns.scatterplot(
        data=frame, x=x, y=y, **_semantics(looks, sorted(frame["algorithm"].unique())), s=size, alpha=alpha,
        edgecolor=PAPER, linewidth=0.5, zorder=4, legend=False, ax=axes,
    )  # fmt: skip


def draw_spans(axes: Axes, rows: pd.DataFrame, at: Any, colours: Sequence[Any], linewidth: float) -> None:
    """Draw the interval ``low`` to ``high`` of each row at a height, where there is one."""
    known = np.isfinite(rows[["low", "high"]].to_numpy(float)).all(axis=1)
    if known.any():
        axes.hlines(
            np.asarray(at)[known], rows["low"][known], rows["high"][known], linewidth=linewidth, zorder=3,
            colors=[colour for colour, one in zip(colours, known, strict=True) if one],
        )  # fmt: skip


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Label the rows at 0, 1, ... from below, in place of an axis."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_ylabel("")
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)


def legend_below(figure: Figure, names: Sequence[str], looks: Mapping[str, Look]) -> None:
    """Put a legend below the figure. Texts are set afterwards: matplotlib hides labels that start with _."""
    if not names:
        return
    texts = [literal(name) for name in names]
    handles = legend_lines(names, texts, looks)
    columns = max(1, min(4, len(texts), _LEGEND_WIDTH // (max(map(len, texts)) + _LEGEND_SAMPLE)))
    if len(texts) <= 5 and sum(map(len, texts)) + _LEGEND_SAMPLE * len(texts) <= _LEGEND_WIDTH:
        columns = len(texts)
    rows = math.ceil(len(texts) / columns)
    figure.set_figheight(figure.get_figheight() + _LEGEND_ROW * max(0, rows - 2))
    legend = figure.legend(
        handles=handles, loc="outside lower left", ncols=math.ceil(len(texts) / rows), handlelength=3.2
    )
    legend.set_gid(LEGEND)
    places = list(looks)
    for shown, name, text in zip(legend.get_texts(), names, texts, strict=True):
        shown.set_text(text)
        shown.set_gid(series(places.index(name)))


def legend_lines(names: Sequence[str], texts: Sequence[str], looks: Mapping[str, Look]) -> list[Line2D]:
    """Give each algorithm's line for a legend; its label is only as long as its text, which is set later."""
    return [
        Line2D([], [], color=looks[name].colour, linestyle=looks[name].linestyle, marker=looks[name].marker,
               linewidth=2, markersize=4.5, markeredgecolor=PAPER, markeredgewidth=0.6, label="x" * len(text))
        for name, text in zip(names, texts, strict=True)
    ]  # fmt: skip


def short_steps(value: float, _position: int | None = None) -> str:
    """Give a number of steps as an axis shows it: ``50k``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def short_number(value: float, _position: int | None = None) -> str:
    """Give a number of any size as an axis shows it: ``1e-06``."""
    return f"{value:g}"


def _semantics(looks: Mapping[str, Look], names: Sequence[str]) -> dict[str, Any]:
    """Give the looks of algorithms as seaborn takes them."""
    return {
        "hue": "algorithm",
        "hue_order": names,
        "palette": {name: looks[name].colour for name in names},
        "style": "algorithm",
        "style_order": names,
        "markers": {name: looks[name].marker for name in names},
    }
