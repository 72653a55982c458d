"""What a results folder says: pandas frames, scores, comparisons and a report."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.api import MetricSpec, PluginError, UsageError, resolve
from rlbench.results.frames import Frames
from rlbench.results.journal import Journal, read_journals
from rlbench.results.rows import json_rows

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.plugins import Catalogue

DOCUMENT_SCHEMA = 1
DEFAULT_METRIC = "final"


class Results:
    """The trials of one results folder; every frame is read when first used and then kept.

    ``evaluations, episodes, diagnostics`` have ``algorithm, env, seed`` in front. An algorithm goes by its
    label; where one label or environment has several settings, what differs is added to its name.
    """

    def __init__(self, path: Path | str, catalogue: Catalogue | None = None) -> None:
        self.path = Path(path)
        self._frames = Frames(self.path)
        if catalogue is not None:
            self.catalogue = catalogue
        self._scored: dict[str, pd.DataFrame] = {}
        self._compared: dict[str, pd.DataFrame] = {}

    @cached_property
    def catalogue(self) -> Catalogue:
        """What plugins provide: metrics and report sections come from here."""
        from rlbench.plugins import load_catalogue

        return load_catalogue()

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, whatever its fate, with its ``score`` by the default metric.

        ``status`` is finished, diverged, failed, unfinished or damaged; only a finished trial has a score.
        """
        return self._trials_by(DEFAULT_METRIC)

    @property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation episode."""
        return self._frames.evaluations

    @property
    def episodes(self) -> pd.DataFrame:
        """One row a training episode."""
        return self._frames.episodes

    @property
    def diagnostics(self) -> pd.DataFrame:
        """What the algorithms told of themselves: one row a step and name."""
        return self._frames.diagnostics

    @property
    def platforms(self) -> pd.DataFrame:
        """On what each trial was made: ``algorithm, env, seed, device, gpu, torch, ...``, one row a trial."""
        return self._frames.platforms

    @property
    def experiments(self) -> list[dict[str, Any]]:
        """The requests that these results answer."""
        return self._frames.experiments

    @property
    def problems(self) -> list[str]:
        """Damaged files met so far, and damaged weights, each with its cure."""
        self._frames.check_weights()
        return [*self._frames.problems, *self._journals[1]]

    @property
    def unsupported(self) -> list[dict[str, str]]:
        """What was asked for and cannot be: ``algorithm, env, reason``."""
        return self._frames.unsupported

    @cached_property
    def missing(self) -> int:
        """How many trials were asked for and have not been started."""
        asked = {digest for experiment in self.experiments for digest in experiment.get("trials", [])}
        return len(asked - set(self.trials["hash"]))

    @cached_property
    def settings(self) -> pd.DataFrame:
        """The resolved hyperparameters: ``algorithm, env, setting, value, origin``, one row each.

        ``origin`` says where the value came from (default, preset, file, ...), as far as the requests tell.
        """
        import pandas as pd

        origins = {
            (entry.get("label"), entry.get("env")): entry.get("origins", {})
            for experiment in self.experiments
            for entry in experiment.get("algorithms", [])
        }
        rows: dict[tuple[str, str, str], tuple[str, str]] = {}
        for trial in self._frames.stored:
            arm = (trial.document.get("label"), trial.document.get("env"))
            for name, value in trial.document.get("config", {}).items():
                origin = origins.get(arm, {}).get(name, "")
                rows.setdefault((trial.label, trial.env, name), (str(value), str(origin)))
        columns = ["algorithm", "env", "setting", "value", "origin"]
        return pd.DataFrame([(*key, *value) for key, value in rows.items()], columns=columns)

    def scores(self, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
        """Summarise: ``algorithm, env, mean, low, high`` (95 %, Student t), ``deviation, n, of, weak``.

        ``n`` trials of ``of`` have a score; the rest stay in the count. ``weak`` says why the interval may be
        too narrow. Raises ``UsageError`` for an unknown metric.
        """
        from rlbench.analysis.scores import summarise

        return summarise(self._trials_by(metric))

    @cached_property
    def normalised(self) -> pd.Series:
        """Each trial's score between a random policy (0) and a reference (1), in the order of ``trials``."""
        from rlbench.analysis.references import normalise

        return normalise(self.trials, {trial.hash: trial.document for trial in self._frames.stored})

    def aggregates(self) -> pd.DataFrame:
        """Summarise normalised scores over environments: interquartile mean, mean, median, optimality gap.

        Columns as in ``analysis.aggregates.summarise_suite``; solvers are left out. Empty with fewer than two
        environments that have references.
        """
        from rlbench.analysis.aggregates import summarise_suite

        learners = self.trials["kind"] != "solver"
        return summarise_suite(self.trials.assign(normalised=self.normalised)[learners])

    def curves(self) -> pd.DataFrame:
        """Learning curves: ``algorithm, env, step, mean, low, high, n, of``."""
        from rlbench.analysis.curves import mean_curves

        return mean_curves(self.evaluations, self.trials)

    def seed_curves(self) -> pd.DataFrame:
        """Each trial's own curve: ``algorithm, env, seed, step, value``."""
        from rlbench.analysis.curves import seed_curves

        return seed_curves(self.evaluations)

    def comparisons(self, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
        """Compare every two learners on each environment; columns as in ``analysis.comparisons``.

        Solvers are left out: they read the model, and their seeds differ in the evaluation alone. So are
        pairs of learners that had different budgets. Where :meth:`decisions` have a pair, the verdict is
        theirs.
        """
        from rlbench.analysis.comparisons import compare_pairs
        from rlbench.analysis.decisions import with_decisions

        if metric not in self._compared:
            scored = self._trials_by(metric)
            spec = self.catalogue.metric(metric).spec
            learners = scored[scored["kind"] != "solver"]
            pairs = compare_pairs(learners, spec.higher_is_better)
            decisions = self.decisions()
            if len(decisions):
                pairs = with_decisions(pairs, decisions, metric == DEFAULT_METRIC)
            self._compared[metric] = pairs
        return self._compared[metric]

    def decisions(self) -> pd.DataFrame:
        """Give what runs ``until_decided`` have decided; columns as in ``analysis.decisions.decided``.

        Empty where there was none. These count, not p-values of the same pairs: the scores said when to stop.
        """
        from rlbench.analysis.decisions import decided

        return decided(self._journals[0], self.trials)

    @property
    def trials_used(self) -> tuple[int, int]:
        """How many trials runs ``until_decided`` took, and how many all their seeds would have been."""
        from rlbench.analysis.decisions import trials_used

        return trials_used(self._journals[0])

    @cached_property
    def _journals(self) -> tuple[list[Journal], list[str]]:
        return read_journals(self.path)

    def report(self, out: Path | str | None = None) -> Path:
        """Write the report, figures and tables to ``out`` (default ``PATH/report``); give its page."""
        from rlbench.reports.page import build

        folder = Path(out) if out else self.path / "report"
        if out is None and folder.is_symlink():
            raise UsageError(f"{folder} is a link; remove it, or name another folder with --out")
        return build(self, self.catalogue.sections, folder)

    def current_report(self) -> Path | None:
        """Give the report's page if it is there and no request is newer."""
        page = self.path / "report" / "index.html"
        if not page.is_file():
            return None
        written = page.stat().st_mtime
        asked = [*self.path.glob("experiments/*.json"), *self.path.glob("decisions/*.json")]
        return page if all(file.stat().st_mtime <= written for file in asked) else None

    def document(self, report: Path | None = None) -> dict[str, Any]:
        """Give the results as one JSON document, the one that ``--json`` prints."""
        trials = ["algorithm", "env", "seed", "status", "steps", "score", "error", "folder"]
        scores = ["algorithm", "env", "mean", "low", "high", "n", "of"]
        return {
            "schema_version": DOCUMENT_SCHEMA,
            "results": str(self.path),
            "report": None if report is None else str(report),
            "trials": json_rows(self.trials[trials]),
            "scores": json_rows(self.scores()[scores]),
            "unsupported": self.unsupported,
        } | ({"decisions": json_rows(self.decisions())} if len(self.decisions()) else {})

    def _trials_by(self, metric: str) -> pd.DataFrame:
        """Give the trials with their ``score`` by this metric, damaged ones marked."""
        from rlbench.analysis.scores import trial_scores

        if metric not in self._scored:
            entry = self.catalogue.metric(metric)
            evaluations = self.evaluations  # read first: some damage is known only then
            trials = self._frames.trials.copy()
            damage = trials["folder"].map(self._frames.damaged)
            trials.loc[damage.notna(), "status"] = "damaged"
            trials["error"] = trials["error"].where(damage.isna(), damage)
            scores = trial_scores(trials, evaluations, _guarded(entry.spec, entry.plugin.owner))
            trials.insert(list(trials.columns).index("error"), "score", scores)
            self._scored[metric] = trials
        return self._scored[metric]

    def __repr__(self) -> str:
        counts = self._frames.trials["status"].value_counts()
        parts = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"<rlbench.Results {str(self.path)!r}: {parts or 'no trials'}>"

    def _repr_html_(self) -> str:
        table = self.scores()[["algorithm", "env", "mean", "low", "high", "n", "of", "weak"]]
        shown = table.to_html(index=False, na_rep="–", float_format="{:.4g}".format)
        return f"<p>{html.escape(repr(self))}</p>{shown}"


def load(path: Path | str) -> Results:
    """Open a results folder.

    Nothing in it is executed or imported. Raises ``UsageError`` where there are no results, and
    ``FolderError`` where a later version of rlbench wrote them.
    """
    return Results(path)


def _guarded(spec: MetricSpec, owner: str) -> Callable[[Any], float]:
    """Give the metric's function, whose own errors name the plugin."""

    def compute(evaluations: Any) -> float:
        try:
            return float(resolve(spec.compute)(evaluations))
        except Exception as error:
            raise PluginError(
                f"the metric {spec.name!r} of {owner} raised {type(error).__name__}: {error}; "
                "choose another metric, or tell its author"
            ) from error

    return compute
