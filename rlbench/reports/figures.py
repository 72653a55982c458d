"""The figures of the report; every one shows each trial, not only the mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rlbench.reports.style import INK, PAPER, Look, literal
from rlbench.reports.svg import LEGEND, series

WIDTH = 5.0  # inches; narrow, so that text stays readable on a small screen
_LONGEST_TICK = 26  # characters of a name beside an axis
_LEGEND_ROW = 0.18  # inches that a legend's row takes from the axes; there is room for two
_MANY_LINES = 30  # more seeds' lines in one figure are drawn fainter
_GOLDEN_STEP = 0.618034  # spreads points evenly without chance


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
    figure, axes = _figure(env, 3.1)
    order = draw_curves(axes, seeds, means, trials, levels, looks, x)
    legend_below(figure, {name: name for name in order}, looks)
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
    faint = 0.45 if len(seeds[["algorithm", "seed"]].drop_duplicates()) <= _MANY_LINES else 0.25
    final: dict[str, float] = dict(levels)
    for algorithm, curve in means.groupby("algorithm", sort=True):
        look, place = looks[algorithm], places[algorithm]
        mine = seeds[seeds["algorithm"] == algorithm].replace([np.inf, -np.inf], np.nan)
        curve = curve.replace([np.inf, -np.inf], np.nan)
        times = curve[x] / scale
        axes.plot(
            *_one_line(mine, x, scale), color=look.colour, linewidth=0.7, alpha=faint, zorder=2,
            gid=series(place, "seeds"),
        )  # fmt: skip
        axes.fill_between(
            times, curve["low"], curve["high"], color=look.colour, alpha=0.16, linewidth=0, zorder=1,
            gid=series(place, "band"),
        )  # fmt: skip
        axes.plot(
            times, curve["mean"], color=look.colour, linestyle=look.linestyle, linewidth=2,
            marker=look.marker, markersize=4.5, markeredgecolor=PAPER, markeredgewidth=0.6,
            markevery=max(1, len(curve) // 7), zorder=4, gid=series(place, "mean"),
        )  # fmt: skip
        ends = mine.sort_values("step").groupby("seed").tail(1)
        cut = ends[[(algorithm, seed) in unfinished for seed in ends["seed"]]]
        axes.scatter(
            cut[x] / scale, cut["value"], marker="x", s=28, color=look.colour, linewidths=1.4, zorder=5,
            gid=series(place, "ends"),
        )  # fmt: skip
        final[str(algorithm)] = float(curve["mean"].iloc[-1])
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
    figure, axes = _figure(env, 0.8 + 0.4 * max(len(rows), 2))
    for height, row in enumerate(rows.itertuples()):
        look = looks[row.algorithm]
        mine = trials.loc[trials["algorithm"] == row.algorithm, "score"].to_numpy(float)
        mine = mine[np.isfinite(mine)]
        spread = (np.arange(1, len(mine) + 1) * _GOLDEN_STEP % 1 - 0.5) * 0.34 * min(1, (len(mine) - 1) / 2)
        axes.scatter(
            mine, height + 0.16 + spread * 0.6, marker=look.marker, s=20, color=look.colour,
            alpha=0.75, edgecolor=PAPER, linewidths=0.4, zorder=3,
        )  # fmt: skip
        if row.n:
            axes.plot([row.low, row.high], [height - 0.2] * 2, color=look.colour, linewidth=3, zorder=4,
                      solid_capstyle="butt")  # fmt: skip
            axes.plot(
                [row.mean], [height - 0.2], marker="|", markersize=9, markeredgewidth=1.8, color=INK, zorder=5
            )
    labels = [f"{literal(row.algorithm, _LONGEST_TICK)}  ({row.n} of {row.of})" for row in rows.itertuples()]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(-0.55, len(rows) - 0.45)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("score of a trial: mean return at the end")
    figure.set_label(f"Scores on {env}: every trial as a point, the mean and its 95 % interval below")
    return figure


def differences(env: str, pairs: pd.DataFrame) -> Figure:
    """Draw the difference of the means of each pair with Welch's interval; decided ones in full ink."""
    rows = pairs.iloc[::-1].reset_index(drop=True)
    figure, axes = _figure(env, 0.8 + 0.28 * max(len(rows), 2))
    axes.axvline(0, color=INK, linewidth=0.9, zorder=2)
    for height, row in enumerate(rows.itertuples()):
        decided = row.verdict == "better"
        alpha = 1.0 if decided else 0.45
        axes.plot([row.low, row.high], [height] * 2, color=INK, linewidth=2, alpha=alpha, zorder=3)
        axes.plot(
            [row.difference], [height], marker="D", markersize=5.5, color=INK, alpha=alpha, zorder=4,
            markerfacecolor=INK if decided else PAPER, markeredgewidth=1.2,
        )  # fmt: skip
    labels = [
        f"{literal(row.first, _LONGEST_TICK // 2)} − {literal(row.second, _LONGEST_TICK // 2)}"
        for row in rows.itertuples()
    ]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("difference of mean scores, 95 % interval")
    figure.set_label(f"Differences of mean scores on {env}, filled where decided")
    return figure


def convergence(env: str, residuals: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw each solver's residual over its sweeps, on a logarithmic scale."""
    figure, axes = _figure(env, 2.5)
    positive = residuals[residuals["value"] > 0]  # a residual of exactly 0 is the end, and has no logarithm
    for algorithm, curve in positive.groupby("algorithm", sort=True):
        look = looks[algorithm]
        one = curve[curve["seed"] == curve["seed"].min()]  # a solver's sweeps do not depend on the seed
        axes.plot(
            one["step"], one["value"], color=look.colour, linestyle=look.linestyle, linewidth=1.8,
            marker=look.marker, markersize=4, markeredgecolor=PAPER, markeredgewidth=0.5,
            markevery=max(1, len(one) // 8),
        )  # fmt: skip
    if len(positive):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("sweep")
    axes.set_ylabel("residual (sup norm)")
    legend_below(figure, {str(name): str(name) for name in sorted(set(positive["algorithm"]))}, looks)
    figure.set_label(f"Residual of each solver on {env} over its sweeps, logarithmic")
    return figure


def diagnostics(env: str, rows: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw what the learners tell of themselves: one panel a name, the mean over seeds and their range."""
    names = sorted(rows["name"].unique())
    columns = min(2, len(names))
    height = math.ceil(len(names) / columns)
    figure = Figure(figsize=(WIDTH, 0.7 + 1.5 * height), layout="constrained")
    figure.suptitle(literal(env), x=0.01, horizontalalignment="left")
    panels = figure.subplots(height, columns, squeeze=False).flatten()
    for axes, name in zip(panels, names, strict=False):
        for algorithm, mine in rows[rows["name"] == name].groupby("algorithm", sort=True):
            look = looks[algorithm]
            values = (
                mine.replace([np.inf, -np.inf], np.nan).groupby("step")["value"].agg(["mean", "min", "max"])
            )
            axes.fill_between(
                values.index, values["min"], values["max"], color=look.colour, alpha=0.18, linewidth=0
            )
            axes.plot(
                values.index, values["mean"], color=look.colour, linestyle=look.linestyle, linewidth=1.3
            )
        axes.set_title(literal(str(name)))
        axes.set_xlabel("environment steps")
        axes.xaxis.set_major_formatter(FuncFormatter(short_steps))
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    legend_below(figure, {str(name): str(name) for name in sorted(rows["algorithm"].unique())}, looks)
    figure.set_label(f"Training diagnostics on {env}: mean over seeds, from the lowest to the highest")
    return figure


def _figure(env: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(literal(env), x=0.01, horizontalalignment="left")
    return figure, figure.subplots()


def _span(axes: Axes, values: np.ndarray) -> None:
    """Fit the axis to what was measured: the band of two or three seeds would dwarf it."""
    values = values[np.isfinite(values)]
    if len(values):
        low, high = values.min(), values.max()
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
        axes.set_ylim(low - margin, high + margin)


def legend_below(figure: Figure, names: Mapping[str, str], looks: Mapping[str, Look]) -> None:
    """Put a legend below the figure. Texts are set afterwards: matplotlib hides labels that start with _."""
    if not names:
        return
    texts = [literal(text) for text in names.values()]
    handles = legend_lines(list(names), texts, looks)
    columns = max(1, min(4, len(texts), 70 // (max(map(len, texts)) + 9)))
    rows = math.ceil(len(texts) / columns)
    figure.set_figheight(figure.get_figheight() + _LEGEND_ROW * max(0, rows - 2))
    legend = figure.legend(handles=handles, loc="outside lower left", ncols=columns, handlelength=3.2)
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


def _one_line(curves: pd.DataFrame, x: str, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Give all seeds' curves as one line with gaps: one path in an SVG instead of one a seed."""
    parts = []
    for _, curve in curves.sort_values("step").groupby("seed", sort=True):
        parts += [curve[[x, "value"]].to_numpy(float), np.full((1, 2), np.nan)]
    points = np.concatenate(parts) if parts else np.empty((0, 2))
    return points[:, 0] / scale, points[:, 1]


def _clock(seconds: float) -> tuple[float, str]:
    """Give the unit for a wall-clock of so many seconds, as a divisor and as the name of the axis."""
    for size, unit in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds > 2 * size:
            return size, f"wall-clock, {unit}"
    return 1.0, "wall-clock, seconds"


def short_steps(value: float, _position: int | None = None) -> str:
    """Give a number of steps as an axis shows it: ``50k``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
