"""Figures of the report on axes that somebody else shows."""

from __future__ import annotations

import contextlib
from typing import Any

import matplotlib
import seaborn as sns
from matplotlib import pyplot
from matplotlib.axes import Axes

from rlbench.api import UsageError, did_you_mean
from rlbench.reports.answer import exact_values
from rlbench.reports.drawing import legend_lines
from rlbench.reports.figures import draw_curves
from rlbench.reports.sections import curves_on
from rlbench.reports.style import figure_style, literal, looks_of

_SIZE = (6.4, 4.0)  # inches


def plot_curves(results: Any, axes: Axes | None, env: str | None) -> Axes:
    """Draw the learning curves of ``env`` on ``axes``, or on those of a new figure; see ``Results``."""
    means = results.curves()
    known = sorted(set(means["env"]))
    if not known:
        raise UsageError(f"{results.path} holds no evaluation yet; finish a trial first: rlbench run")
    if env is None and len(known) > 1:
        raise UsageError(f"there are several environments; name one: env={' or env='.join(map(repr, known))}")
    env = env or known[0]
    if env not in known:
        raise UsageError(f"no curves on {env!r}; {did_you_mean(env, known)}")
    curves, seeds, levels = curves_on(env, means, results.seed_curves(), exact_values(results))
    trials, looks = results.trials, looks_of(results)
    with contextlib.ExitStack() as stack:
        if axes is None:
            stack.enter_context(sns.axes_style("ticks"))
            stack.enter_context(matplotlib.rc_context(figure_style()))
            axes = pyplot.figure(figsize=_SIZE, layout="constrained").subplots()
        order = draw_curves(axes, seeds, curves, trials[trials["env"] == env], levels, looks)
        axes.set_title(literal(env))
        texts = [literal(name) for name in order]
        legend = axes.legend(handles=legend_lines(order, texts, looks), handlelength=3.2)
    for shown, text in zip(legend.get_texts(), texts, strict=True):
        shown.set_text(text)
    return axes
