"""What a results folder says: pandas frames, scores, comparisons and a report."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.analysis.claims import MARGIN
from rlbench.api import MetricSpec, PluginError, ReferenceSpec, ScoreContext, UsageError, resolve
from rlbench.results.frames import Frames
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
        self._compared: dict[tuple[str, float], pd.DataFrame] = {}

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
        return self.scored(DEFAULT_METRIC)

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
    def frames(self) -> Frames:
        """What the folder holds, trial by trial, as it was read."""
        return self._frames

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
        return self._frames.problems

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

    def references(self) -> pd.DataFrame:
        """What scores are normalised between: one row an environment that has a reference.

        Columns: ``env, random, reference, max_episode_steps, source, version, plugin``.
        """
        from rlbench.analysis.references import tabulate

        return tabulate(self._problems, self.catalogue)

    def baselines(self) -> pd.DataFrame:
        """What others published for these environments, each with its protocol, seeds and steps.

        Columns as in ``analysis.baselines.baselines_of``. Protocols differ: nothing here is compared.
        """
        from rlbench.analysis.baselines import baselines_of

        return baselines_of(self._problems, self.catalogue)

    def predictions(self, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
        """Say what one more run of each algorithm gives: ``algorithm, env, n, failed, of, low, high, ...``.

        Columns as in ``analysis.prediction.predict``.
        """
        from rlbench.analysis.prediction import predict

        return predict(self.scored(metric), self.catalogue.metric(metric).spec.higher_is_better)

    def scores(self, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
        """Summarise: ``algorithm, env, mean, low, high`` (95 %, Student t), ``deviation, n, of, weak``.

        ``n`` trials of ``of`` have a score; the rest stay in the count. ``weak`` says why the interval may be
        too narrow. Raises ``UsageError`` for an unknown metric.
        """
        from rlbench.analysis.scores import summarise

        return summarise(self.scored(metric))

    @cached_property
    def normalised(self) -> pd.Series:
        """Each trial's score between a random policy (0) and a reference (1), in the order of ``trials``."""
        return self._normalise(self.trials)

    @cached_property
    def identities(self) -> dict[str, dict[str, Any]]:
        """Each trial's identity as in ``trial.json``, by its hash; empty where that is damaged."""
        return {trial.hash: trial.document for trial in self._frames.stored}

    def aggregates(self) -> pd.DataFrame:
        """Summarise normalised scores over environments: interquartile mean, mean, median, optimality gap.

        Columns as in ``analysis.aggregates.summarise_suite``; solvers are left out. Empty with fewer than two
        environments that have references.
        """
        from rlbench.analysis.aggregates import summarise_suite

        return summarise_suite(self._suite)

    def profiles(self) -> pd.DataFrame:
        """Give each learner's performance profile over environments, as in ``analysis.suite.profiles``."""
        from rlbench.analysis.suite import profiles

        return profiles(self._suite)

    def improvements(self) -> pd.DataFrame:
        """Give how likely each learner beats each other one, as in ``analysis.suite.improvements``."""
        from rlbench.analysis.suite import improvements

        return improvements(self._suite)

    def aggregate_curves(self) -> pd.DataFrame:
        """Give the interquartile mean over environments as training goes on, as in ``analysis.suite``."""
        from rlbench.analysis.suite import aggregate_curves

        of_trials = self.trials[["algorithm", "env", "seed", "hash"]]
        curves = self.seed_curves().merge(of_trials, on=["algorithm", "env", "seed"])
        values = self._normalise(curves.rename(columns={"value": "score"}))
        return aggregate_curves(curves.assign(value=values), self._suite)

    def gap_curves(self) -> pd.DataFrame:
        """Give how far each trial's policies were from the optimum, exactly, as in ``analysis.gaps``."""
        from rlbench.analysis.gaps import gap_curves

        return gap_curves(self.evaluations, self.trials, self.identities, self._references)

    def gaps(self) -> pd.DataFrame:
        """Give each algorithm's exact gap to the optimum and its regret; columns as in ``analysis.gaps``."""
        from rlbench.analysis.gaps import gaps

        return gaps(self.gap_curves(), self.trials)

    def curves(self) -> pd.DataFrame:
        """Learning curves: ``algorithm, env, step, mean, low, high, n, of``."""
        from rlbench.analysis.curves import mean_curves

        return mean_curves(self.evaluations, self.trials)

    def seed_curves(self) -> pd.DataFrame:
        """Each trial's own curve: ``algorithm, env, seed, step, value``."""
        from rlbench.analysis.curves import seed_curves

        return seed_curves(self.evaluations)

    def comparisons(self, metric: str = DEFAULT_METRIC, margin: float = MARGIN) -> pd.DataFrame:
        """Compare every two learners on each environment; columns as in ``analysis.comparisons``.

        The last three are the effect size: how often a run of the one is better than one of the other.
        Solvers are left out: they read the model, and their seeds differ in the evaluation alone. So are
        pairs of learners that had different budgets. Equivalence is within ``margin`` of the range from a
        random policy to the reference, for the default metric where there is a reference; 0 tests none.
        """
        from rlbench.analysis.claims import margins
        from rlbench.analysis.comparisons import compare_pairs
        from rlbench.analysis.prediction import with_effect_sizes

        if not 0 <= margin < 1:
            raise UsageError(f"margin {margin!r} is no share of a range; give one from 0 to below 1")
        if (metric, margin) not in self._compared:
            scored = self.scored(metric)
            spec = self.catalogue.metric(metric).spec
            learners = scored[scored["kind"] != "solver"]
            within = margins(self.references(), margin) if margin and metric == DEFAULT_METRIC else {}
            pairs = compare_pairs(learners, spec.higher_is_better, within)
            self._compared[metric, margin] = with_effect_sizes(pairs, learners, spec.higher_is_better)
        return self._compared[metric, margin]

    def claims(self, metric: str = DEFAULT_METRIC, margin: float = MARGIN) -> pd.DataFrame:
        """Say what the comparisons show: one row a claim, its sentence in ``text``.

        Columns as in ``analysis.claims.Claim``: ``env, first, second, metric, verdict``, the means, their
        difference ``effect`` with its interval, the corrected p and over how many tests, ``n`` of ``of``.
        """
        import pandas as pd

        from rlbench.analysis.claims import COLUMNS, claims_of
        from rlbench.reports.answer import claimed
        from rlbench.reports.sentences import plain

        claims = claims_of(self.comparisons(metric, margin), metric, margin)
        table = pd.DataFrame([vars(claim) for claim in claims], columns=COLUMNS)
        return table.assign(text=[plain(claimed(claim)) for claim in claims])

    def plot_curves(self, ax: Any = None, env: str | None = None) -> Any:
        """Draw one environment's learning curves as the report does; give the matplotlib axes.

        Without ``ax`` they are those of a new figure. ``env`` may be left out where there is only one.
        Raises ``UsageError`` for one that has no curves.
        """
        from rlbench.reports.notebook import plot_curves

        return plot_curves(self, ax, env)

    def report(self, out: Path | str | None = None) -> Path:
        """Write the report, figures and tables to ``out`` (default ``PATH/report``); give its page."""
        from rlbench.reports.page import build

        folder = Path(out) if out else self.path / "report"
        if out is None and folder.is_symlink():
            raise UsageError(f"{folder} is a link; remove it, or name another folder with --out")
        return build(self, self.catalogue.sections, folder)

    def current_report(self) -> Path | None:
        """Give the report's page if it is there and no request or picture is newer."""
        page = self.path / "report" / "index.html"
        if not page.is_file():
            return None
        written = page.stat().st_mtime
        shown = [*self.path.glob("experiments/*.json"), *self.path.glob("videos/*/*/*.json")]
        return page if all(document.lstat().st_mtime <= written for document in shown) else None

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
            "claims": json_rows(self.claims()),
            "unsupported": self.unsupported,
        }

    def scored(self, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
        """Give ``trials`` with their ``score`` by this metric, damaged ones marked."""
        from rlbench.analysis.scores import trial_scores

        if metric not in self._scored:
            entry = self.catalogue.metric(metric)
            evaluations = self.evaluations  # read first: some damage is known only then
            trials = self._frames.trials.copy()
            damage = trials["folder"].map(self._frames.damaged)
            trials.loc[damage.notna(), "status"] = "damaged"
            trials["error"] = trials["error"].where(damage.isna(), damage)
            compute = _guarded(entry.spec, entry.plugin.owner)
            contexts = self._contexts if entry.spec.needs_context else None
            scores = trial_scores(trials, evaluations, compute, contexts)
            trials.insert(list(trials.columns).index("error"), "score", scores)
            self._scored[metric] = trials
        return self._scored[metric]

    @cached_property
    def _problems(self) -> list[tuple[str, dict[str, Any]]]:
        """Each environment as these results call it, with the identity of one of its trials."""
        whole = (trial for trial in self._frames.stored if trial.document)
        return sorted({trial.env: trial.document for trial in whole}.items())

    @cached_property
    def _references(self) -> dict[str, ReferenceSpec]:
        from rlbench.analysis.references import references_of

        return references_of(self.identities.values(), self.catalogue)

    @cached_property
    def _suite(self) -> pd.DataFrame:
        """The learners' trials with their scores ``normalised``: what is said over environments."""
        return self.trials.assign(normalised=self.normalised)[self.trials["kind"] != "solver"]

    def _normalise(self, scored: pd.DataFrame) -> pd.Series:
        """Normalise the ``score`` of each row that has the ``hash`` of its trial."""
        from rlbench.analysis.references import normalise

        return normalise(scored, self.identities, self._references)

    @cached_property
    def _contexts(self) -> dict[str, ScoreContext]:
        from rlbench.analysis.references import reference_for

        return {
            digest: ScoreContext(trial=trial, reference=reference_for(trial, self._references))
            for digest, trial in self.identities.items()
        }

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


def _guarded(spec: MetricSpec, owner: str) -> Callable[..., float]:
    """Give the metric's function, whose own errors name the plugin."""

    def compute(*of_a_trial: Any) -> float:
        try:
            return float(resolve(spec.compute)(*of_a_trial))
        except Exception as error:
            raise PluginError(
                f"the metric {spec.name!r} of {owner} raised {type(error).__name__}: {error}; "
                "choose another metric, or tell its author"
            ) from error

    return compute
