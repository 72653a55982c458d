"""The figures of the report; every one shows each trial, not only the mean."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rlbench.reports.drawing import (
    draw_bands,
    draw_lines,
    draw_points,
    draw_seeds,
    draw_spans,
    label_rows,
    legend_below,
    short_number,
    short_steps,
    titled,
)
from rlbench.reports.style import INK, PAPER, Look, literal, short
from rlbench.reports.svg import series

_LONGEST_NAME = 26  # characters of a name beside an axis
_GOLDEN_STEP = 0.618034  # spreads points evenly without chance
_UNDECIDED = 0.45  # of the ink


def learning_curves(
    env: str,
    seeds: pd.DataFrame,
    means: pd.DataFrame,
    trials: pd.DataFrame,
    levels: Mapping[str, float],
    looks: Mapping[str, Look],
    x: str = "step",
) -> Figure:
    """Draw one environment's curves, as :func:`draw_curves` does."""
    figure = titled(literal(env), 3.1)
    axes = figure.subplots()
    order = draw_curves(axes, seeds, means, trials, levels, looks, x)
    legend_below(figure, order, looks)
    figure.set_label(f"Learning curves on {env}: mean return over {axes.get_xlabel()}")
    return figure


def draw_curves(
    axes: Axes,
    seeds: pd.DataFrame,
    means: pd.DataFrame,
    trials: pd.DataFrame,
    levels: Mapping[str, float],
    looks: Mapping[str, Look],
    x: str = "step",
) -> list[str]:
    """Draw one environment's curves on ``axes``: a thin line a seed, the mean and its band over them.

    ``seeds`` and ``means`` are as in ``Results.seed_curves`` and ``curves``, ``trials`` tell which curves end
    early, ``levels`` are drawn as horizontal lines. ``x``, the column to draw against, is ``step`` or
    ``seconds``. Give the algorithms, the best at the end first.
    """
    unfinished = set(
        trials.loc[trials["status"] != "finished", ["algorithm", "seed"]].itertuples(index=False, name=None)
    )
    places = {name: place for place, name in enumerate(looks)}
    scale, unit = _clock(means[x].max()) if x == "seconds" else (1.0, "environment steps")
    seeds, means = (
        frame.replace([np.inf, -np.inf], np.nan).assign(at=frame[x] / scale) for frame in (seeds, means)
    )
    draw_seeds(axes, seeds, "at", "value", looks)
    draw_bands(axes, means, "at", looks)
    draw_lines(axes, means, "at", "mean", looks)
    ends = seeds.sort_values("step").groupby(["algorithm", "seed"], as_index=False).tail(1)
    for algorithm, mine in ends.groupby("algorithm", sort=True):
        cut = mine[[(algorithm, seed) in unfinished for seed in mine["seed"]]]
        axes.scatter(
            cut["at"], cut["value"], marker="x", s=28, color=looks[algorithm].colour, linewidths=1.4,
            zorder=5, gid=series(places[algorithm], "ends"),
        )  # fmt: skip
    final = {**levels, **means.drop_duplicates("algorithm", keep="last").set_index("algorithm")["mean"]}
    for order, (algorithm, level) in enumerate(sorted(levels.items())):
        look = looks[algorithm]  # equal levels are common among solvers: each line is narrower than the last
        width = max(1.0, 2.8 - 1.1 * order)
        axes.axhline(
            level, color=look.colour, linestyle=look.linestyle, linewidth=width, zorder=3,
            gid=series(places[algorithm], "level"),
        )  # fmt: skip
    shown = [*seeds["value"], *means["mean"], *levels.values()]
    _span(axes, np.array(shown, dtype=float))
    axes.set_xlabel(unit)
    axes.set_ylabel("mean return")
    axes.margins(x=0.01)
    if len(means):
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(FuncFormatter(short_steps))
    else:
        axes.set_xticks([])
    return sorted(final, key=lambda name: (-np.nan_to_num(final[name], nan=-np.inf), name))


def score_points(env: str, scores: pd.DataFrame, trials: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw each trial's score as a point and each algorithm's mean with its interval, the best on top."""
    ranked = scores.sort_values("mean", ascending=False, kind="stable")  # as in the table
    rows = ranked.iloc[::-1].reset_index(drop=True)
    figure = titled(literal(env), 0.8 + 0.4 * max(len(rows), 2))
    axes = figure.subplots()
    shown = trials[np.isfinite(trials["score"].astype(float))]
    trial = shown.groupby("algorithm")
    spread = ((trial.cumcount() + 1) * _GOLDEN_STEP % 1 - 0.5) * 0.3
    heights = shown["algorithm"].map({name: height for height, name in enumerate(rows["algorithm"])})
    narrow = ((trial["seed"].transform("size") - 1) / 2).clip(upper=1)
    shown = shown.assign(height=heights + 0.17 + spread * narrow)
    draw_points(axes, shown, "score", "height", looks, size=22, alpha=0.75)
    means = rows[rows["n"] > 0]
    draw_spans(axes, means, means.index - 0.2, [looks[name].colour for name in means["algorithm"]], 3)
    axes.plot(
        means["mean"], means.index - 0.2, marker="|", markersize=9, markeredgewidth=1.8, color=INK,
        linestyle="none", zorder=5,
    )  # fmt: skip
    label_rows(
        axes, [f"{short(row.algorithm, _LONGEST_NAME)}  ({row.n} of {row.of})" for row in rows.itertuples()]
    )
    axes.set_xlabel("score of a trial: mean return at the end")
    figure.set_label(f"Scores on {env}: every trial as a point, the mean and its 95 % interval below")
    return figure


def differences(env: str, pairs: pd.DataFrame) -> Figure:
    """Draw the difference of the means of each pair with Welch's interval; decided ones in full ink."""
    rows = pairs.iloc[::-1].reset_index(drop=True)
    figure = titled(literal(env), 0.8 + 0.28 * max(len(rows), 2))
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=0.9, zorder=2)
    decided = rows["verdict"] == "better"
    inks = [to_rgba(INK, 1 if one else _UNDECIDED) for one in decided]
    draw_spans(axes, rows, rows.index, inks, 2)
    axes.scatter(
        rows["difference"], rows.index, marker="D", s=30, edgecolors=inks, linewidths=1.2, zorder=2.5,
        facecolors=[INK if one else PAPER for one in decided],
    )  # fmt: skip
    label_rows(
        axes,
        [" − ".join(short(name, _LONGEST_NAME // 2) for name in (row.first, row.second))
         for row in rows.itertuples()],
    )  # fmt: skip
    axes.set_xlabel("difference of mean scores, 95 % interval")
    figure.set_label(f"Differences of mean scores on {env}, filled where decided")
    return figure


def convergence(env: str, residuals: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw each solver's residual over its sweeps, on a logarithmic scale."""
    figure = titled(literal(env), 2.5)
    axes = figure.subplots()
    positive = residuals[residuals["value"] > 0]  # a residual of exactly 0 is the end, and has no logarithm
    first = positive["seed"] == positive.groupby("algorithm")["seed"].transform("min")
    draw_lines(axes, positive[first], "step", "value", looks)  # sweeps do not depend on the seed
    if len(positive):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(short_number))
        if positive["value"].max() < 10 * positive["value"].min():
            axes.yaxis.set_minor_formatter(FuncFormatter(short_number))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("sweep")
    axes.set_ylabel("residual (sup norm)")
    legend_below(figure, sorted(set(positive["algorithm"])), looks)
    figure.set_label(f"Residual of each solver on {env} over its sweeps, logarithmic")
    return figure


def diagnostics(env: str, rows: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw what the learners tell of themselves: one panel a name, the mean over seeds and their range."""
    names = sorted(rows["name"].unique())
    columns = min(2, len(names))
    height = math.ceil(len(names) / columns)
    figure = titled(literal(env), 0.7 + 1.5 * height)
    panels = figure.subplots(height, columns, squeeze=False).flatten()
    finite = rows.replace([np.inf, -np.inf], np.nan).groupby(["name", "algorithm", "step"])["value"]
    seeds = finite.agg(["mean", "min", "max"]).reset_index()
    for number, (axes, name) in enumerate(zip(panels, names, strict=False)):
        mine = seeds[seeds["name"] == name]
        draw_bands(axes, mine, "step", looks, ("min", "max"), f"band{number}")
        draw_lines(axes, mine, "step", "mean", looks, f"mean{number}", linewidth=1.3)
        axes.set_title(literal(str(name)))
        axes.set(xlabel="environment steps", ylabel="")
        axes.xaxis.set_major_formatter(FuncFormatter(short_steps))
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    legend_below(figure, sorted(rows["algorithm"].unique()), looks)
    figure.set_label(f"Training diagnostics on {env}: mean over seeds, from the lowest to the highest")
    return figure


def _span(axes: Axes, values: np.ndarray) -> None:
    """Fit the axis to what was measured: the band of two or three seeds would dwarf it."""
    values = values[np.isfinite(values)]
    if len(values):
        low, high = values.min(), values.max()
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
        axes.set_ylim(low - margin, high + margin)


def _clock(seconds: float) -> tuple[float, str]:
    """Give the unit for a wall-clock of so many seconds, as a divisor and as the name of the axis."""
    for size, unit in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds > 2 * size:
            return size, f"wall-clock, {unit}"
    return 1.0, "wall-clock, seconds"
