"""The figures of what holds over several environments, and of exact gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from rlbench.reports.drawing import (
    draw_bands,
    draw_lines,
    draw_points,
    draw_seeds,
    draw_spans,
    label_rows,
    legend_below,
    short_steps,
    titled,
)
from rlbench.reports.style import INK, RULE, Look, literal, short

TITLES: Mapping[str, str] = {
    "iqm": "Interquartile mean",
    "median": "Median",
    "mean": "Mean",
    "optimality_gap": "Optimality gap (less is better)",
}
"""The statistics in the order in which they are shown, with their names."""

_LONGEST_NAME = 22  # characters beside an axis
_DARKEST = 0.36  # of the ink, in a cell of the matrix: its number stays readable


def intervals(table: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw every statistic of every algorithm with its interval: one panel a statistic, the best IQM on top.

    ``table`` is as from ``Results.aggregates``, without algorithms that have no value.
    """
    order = ranked(table)[::-1]
    height = 0.55 + 0.19 * max(len(order), 2)
    figure = titled("Scores over environments", 0.5 + 2 * height)
    panels = figure.subplots(2, 2, sharey=True)
    names = [short(name, _LONGEST_NAME) for name in order]
    for axes, (statistic, title) in zip(panels.flatten(), TITLES.items(), strict=True):
        rows = table[table["statistic"] == statistic].set_index("algorithm").loc[order]
        _mark_scale(axes, rows, statistic)
        draw_spans(axes, rows, range(len(rows)), [looks[name].colour for name in order], 2.6)
        draw_points(axes, rows.reset_index().assign(place=range(len(rows))), "value", "place", looks, size=30)
        label_rows(axes, names)
        axes.set_title(title)
        axes.set_xlabel("")
        axes.xaxis.set_major_locator(MaxNLocator(4))
    figure.supxlabel("normalised score: 0 random, 1 reference", fontsize=8, color=INK)
    figure.set_label("Normalised scores over environments: four statistics with their 95 % intervals")
    return figure


def profiles(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw each algorithm's share of trials above each normalised score, with its pointwise band."""
    figure = titled("Performance profiles", 3.1)
    axes = figure.subplots()
    names = _descending(frame.groupby("algorithm")["share"].mean())
    draw_bands(axes, _closed(frame, "share"), "threshold", looks)
    draw_lines(axes, frame, "threshold", "share", looks)
    for threshold in (0, 1):
        axes.axvline(threshold, color=INK, linewidth=0.8, alpha=0.5, zorder=1)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("normalised score: 0 random, 1 reference")
    axes.set_ylabel("trials above it")
    axes.margins(x=0.01)
    legend_below(figure, names, looks)
    figure.set_label("Performance profiles: the share of trials above each normalised score")
    return figure


def curves(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw each algorithm's interquartile mean over environments as training goes on, with its band."""
    figure = titled("Sample efficiency", 3.1)
    axes = figure.subplots()
    steps = bool(frame["steps"].notna().all())
    names = _descending(frame.groupby("algorithm")["value"].last())
    x = "steps" if steps else "share"
    draw_bands(axes, _closed(frame, "value"), x, looks)
    draw_lines(axes, frame, x, "value", looks)
    axes.set_xlim(left=0)
    if steps:
        axes.xaxis.set_major_formatter(FuncFormatter(short_steps))
        axes.set_xlabel("environment steps")
    else:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel("share of the budget")
    axes.set_ylabel("interquartile mean, normalised")
    axes.margins(x=0.01)
    legend_below(figure, names, looks)
    figure.set_label("Sample efficiency: the interquartile mean over environments as training goes on")
    return figure


def improvements(frame: pd.DataFrame, order: Sequence[str]) -> Figure:
    """Draw the probability that a trial of the row's algorithm beats one of the column's, in percent."""
    cells = frame.pivot(index="first", columns="second", values="probability").loc[order, order]
    names = [short(name, _LONGEST_NAME) for name in order]
    size = 0.36 + 0.3 * len(order)
    longest = max(map(len, names))
    figure = titled("Probability of improvement, %", 0.7 + size + 0.055 * longest)
    axes = figure.subplots()
    shades = LinearSegmentedColormap.from_list("ink", [(*to_rgb(INK), 0.0), (*to_rgb(INK), _DARKEST)])
    percent = 100 * cells.to_numpy(float)
    sns.heatmap(
        percent, mask=np.isnan(percent), annot=True, fmt=".0f", vmin=0, vmax=100, cmap=shades, cbar=False,
        linewidths=1, linecolor=RULE, annot_kws={"color": INK, "fontsize": 8}, ax=axes,
        xticklabels=names, yticklabels=names,
    )  # fmt: skip
    axes.grid(False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelrotation=0)
    axes.tick_params(axis="x", labelrotation=90 if longest * len(names) > 44 else 0)
    axes.set_xlabel("… beats one of this", labelpad=6)
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("a trial of this …")
    figure.set_label("Probability in percent that a trial of the row's algorithm beats one of the column's")
    return figure


def gap_curves(env: str, curves: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw how far each trial's policy was from the optimum at each evaluation, and the mean over trials."""
    figure = titled(literal(env), 2.9)
    axes = figure.subplots()
    names = _descending(-curves.groupby("algorithm")["gap"].mean())
    draw_seeds(axes, curves, "step", "gap", looks)
    draw_lines(
        axes, curves.groupby(["algorithm", "step"], as_index=False)["gap"].mean(), "step", "gap", looks
    )
    axes.axhline(0, color=INK, linewidth=0.9, zorder=1)
    axes.set_xlim(left=0)
    axes.margins(x=0.01)
    axes.xaxis.set_major_formatter(FuncFormatter(short_steps))
    axes.yaxis.set_major_formatter(FuncFormatter(short_steps))
    axes.set_xlabel("environment steps")
    axes.set_ylabel("gap to the optimum")
    legend_below(figure, names, looks)
    figure.set_label(f"Exact gap to the optimum on {env} over environment steps: every trial, and the mean")
    return figure


def ranked(table: pd.DataFrame) -> list[str]:
    """Give the algorithms of ``Results.aggregates`` that have a value, the highest IQM first."""
    rows = table[(table["statistic"] == "iqm") & table["value"].notna()]
    return list(rows.sort_values(["value", "algorithm"], ascending=[False, True])["algorithm"])


def _descending(values: pd.Series) -> list[str]:
    """Give the names of these values, the highest first: the order of the legend."""
    filled = values.fillna(-np.inf)
    return sorted(filled.index, key=lambda name: (-filled[name], name))


def _mark_scale(axes: Axes, rows: pd.DataFrame, statistic: str) -> None:
    """Draw lines where the scale has a meaning, as far as they lie near what is shown."""
    shown = rows[["value", "low", "high"]].to_numpy(float)
    low, high = np.nanmin(shown), np.nanmax(shown)
    near = 0.25 * (high - low) + 0.02
    for at in (0,) if statistic == "optimality_gap" else (0, 1):
        if low - near <= at <= high + near:
            axes.axvline(at, color=INK, linewidth=0.8, alpha=0.5, zorder=1)


def _closed(frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """Give a frame whose interval closes where there is none."""
    return frame.assign(**{end: frame[end].fillna(frame[value]) for end in ("low", "high")})
