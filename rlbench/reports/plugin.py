"""The sections that every report has, through the same hook as everybody's."""

from __future__ import annotations

from collections.abc import Iterable

from rlbench.api import ReportSectionSpec
from rlbench.hookspecs import hookimpl

_HOME = "rlbench.reports.sections:"
_SUITE = "rlbench.reports.suite:"


@hookimpl
def rlbench_report_sections() -> Iterable[ReportSectionSpec]:
    """Yield the built-in sections."""
    yield ReportSectionSpec("answer", "Answer", _HOME + "answer", order=10)
    yield ReportSectionSpec(
        "decisions", "Decided while seeds came in", "rlbench.reports.decisions:decisions", order=15
    )
    yield ReportSectionSpec("scores", "Scores", _HOME + "scores", order=20)
    yield ReportSectionSpec("curves", "Learning curves", _HOME + "curves", order=30)
    yield ReportSectionSpec("efficiency", "Learning speed", "rlbench.reports.efficiency:efficiency", order=33)
    yield ReportSectionSpec("suite", "Over environments", _SUITE + "suite", order=35)
    yield ReportSectionSpec("comparisons", "Comparisons", _HOME + "comparisons", order=40)
    yield ReportSectionSpec("gaps", "Exact gaps", _SUITE + "gaps", order=45)
    yield ReportSectionSpec("convergence", "Convergence of the solvers", _HOME + "convergence", order=50)
    yield ReportSectionSpec("baselines", "Published figures", "rlbench.reports.baselines:baselines", order=55)
    yield ReportSectionSpec("diagnostics", "Training diagnostics", _HOME + "diagnostics", order=60)
    yield ReportSectionSpec("episodes", "Episodes", "rlbench.reports.episodes:episodes", order=65)
    yield ReportSectionSpec("failures", "What did not finish", _HOME + "failures", order=70)
    yield ReportSectionSpec("settings", "Hyperparameters", _HOME + "settings", order=80)
    yield ReportSectionSpec("speed", "Time and speed", _HOME + "speed", order=85)
    yield ReportSectionSpec("provenance", "Provenance", _HOME + "provenance", order=90)
