"""What the trials of a results folder say: scores, curves, comparisons, claims and a report."""

from __future__ import annotations

import html
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.analysis.claims import MARGIN
from rlbench.api import UsageError
from rlbench.results.rows import json_rows
from rlbench.stored import DEFAULT_METRIC, Stored

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.plugins import Catalogue

DOCUMENT_SCHEMA = 1
_COUNTABLE = 2**53  # up to here every whole number is a float


class Results(Stored):
    """What the trials of one results folder say, beside what :class:`rlbench.stored.Stored` gives of them."""

    def __init__(self, path: Path | str, catalogue: Catalogue | None = None) -> None:
        super().__init__(path, catalogue)
        self._compared: dict[tuple[str, float], pd.DataFrame] = {}
        self._suite_compared: dict[float, pd.DataFrame] = {}

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

        finished = self.trials[self.trials["status"] == "finished"]
        of_trials = finished[["algorithm", "env", "seed", "hash"]]
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
        random policy to the reference, for the default metric where there is a reference; 0 tests none. Where
        :meth:`decisions` have a pair, the verdict is theirs; where they chose the seeds of one side, or a
        damaged journal may have, the pair is undecided.
        """
        from rlbench.analysis.claims import margins
        from rlbench.analysis.comparisons import compare_pairs
        from rlbench.analysis.decisions import arms_of, with_decisions
        from rlbench.analysis.prediction import with_effect_sizes

        _check_margin(margin)
        if (metric, margin) not in self._compared:
            scored = self.scored(metric)
            spec = self.catalogue.metric(metric).spec
            learners = scored[scored["kind"] != "solver"]
            within = margins(self.references(), margin) if margin and metric == DEFAULT_METRIC else {}
            decisions = self.decisions()
            pairs = compare_pairs(learners, spec.higher_is_better, within, arms_of(decisions))
            pairs = with_decisions(pairs, decisions, metric == DEFAULT_METRIC, self.unknown_choice)
            self._compared[metric, margin] = with_effect_sizes(pairs, learners, spec.higher_is_better)
        return self._compared[metric, margin].copy()

    def suite_comparisons(self, margin: float = MARGIN) -> pd.DataFrame:
        """Compare every two learners over all environments that have normalised scores, as one suite.

        Columns as in ``analysis.suite_comparisons.compare_suite``; ``margin`` as in :meth:`comparisons`.
        Learners whose seeds were chosen by :meth:`decisions`, or may have been, are undecided. Empty with
        fewer than two environments that have references.
        """
        from rlbench.analysis.decisions import arms_of
        from rlbench.analysis.suite_comparisons import compare_suite

        _check_margin(margin)
        if margin not in self._suite_compared:
            untested = arms_of(self.decisions())
            within = margin or float("nan")
            found = compare_suite(self._suite, within, untested, self.unknown_choice)
            self._suite_compared[margin] = found
        return self._suite_compared[margin].copy()

    def claims(self, metric: str = DEFAULT_METRIC, margin: float = MARGIN) -> pd.DataFrame:
        """Say what the comparisons show: one row a claim, its sentence in ``text``.

        Columns as in ``analysis.claims.Claim``: ``env, first, second, metric, verdict``, the means, their
        difference ``effect`` with its interval, the corrected p and over how many tests, ``n`` of ``of``.
        For the default metric, claims over several ``environments`` come after those on each.
        ``seeds_needed`` are whole numbers here, and missing where they are not known or beyond counting.
        """
        import pandas as pd

        from rlbench.analysis.claims import COLUMNS, claims_of
        from rlbench.reports.answer import claimed
        from rlbench.reports.sentences import plain

        claims = claims_of(self.comparisons(metric, margin), metric, margin)
        if metric == DEFAULT_METRIC:
            claims += claims_of(self.suite_comparisons(margin), metric, margin)
        table = pd.DataFrame([vars(claim) for claim in claims], columns=COLUMNS)
        seeds = table["seeds_needed"].astype(float)
        whole = seeds.where(seeds < _COUNTABLE).astype("Int64")
        return table.assign(seeds_needed=whole, text=[plain(claimed(claim)) for claim in claims])

    def plot_curves(self, ax: Any = None, env: str | None = None) -> Any:
        """Draw one environment's learning curves as the report does; give the matplotlib axes.

        Without ``ax`` they are those of a new figure. ``env`` may be left out where there is only one.
        Raises ``UsageError`` for one that has no curves.
        """
        from rlbench.reports.notebook import plot_curves

        if isinstance(ax, str):
            raise UsageError(f"ax is for matplotlib axes; give the environment as env={ax!r}")
        return plot_curves(self, ax, env)

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

    def report(self, out: Path | str | None = None) -> Path:
        """Write the report, figures and tables to ``out`` (default ``PATH/report``); give its page."""
        from rlbench.reports.page import build

        folder = Path(out) if out else self.path / "report"
        if out is None and folder.is_symlink():
            raise UsageError(f"{folder} is a link; remove it, or name another folder with --out")
        return build(self, self.catalogue.sections, folder)

    def current_report(self) -> Path | None:
        """Give the report's page if it is there, nothing it shows is newer, and every trial in it was sound.

        Of one that tells of failed or damaged trials nobody can say, without reading all, that it is still
        right. Nothing of a trial is read here.
        """
        page = self.path / "report" / "index.html"
        if not page.is_file():
            return None
        patterns = ("experiments/*.json", "decisions/*.json", "videos/*/*/*.json")
        shown = [str(file) for pattern in patterns for file in self.path.glob(pattern)]
        for folder, _, files in os.walk(self.path / "trials"):
            shown += [folder, *(os.path.join(folder, name) for name in files)]
        try:
            with page.open("rb") as file:
                sound = b'<meta name="failed-or-damaged" content="0">' in file.read(4096)
            written = page.stat().st_mtime
            return page if sound and all(os.lstat(file).st_mtime <= written for file in shown) else None
        except OSError:  # it is being written, say
            return None

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
        } | ({"decisions": json_rows(self.decisions())} if len(self.decisions()) else {})

    @property
    def unknown_choice(self) -> str:
        """Why it is not known what chose how many seeds there are; empty where nothing stands in the way."""
        journals, damaged = self._journals
        if damaged:
            return f"the journal {' and '.join(damaged)} is damaged, so what chose the seeds is not known"
        kept = {trial for one in journals for arm in one.layout.arms for trial in arm.trials}
        for one in self.experiments:
            request = one.get("request")
            asked = isinstance(request, dict) and request.get("until_decided") is True
            trials = one.get("trials") or ()
            if asked and (not journals or (trials and kept.isdisjoint(trials))):
                return "a run until decided has kept no decision yet"
        return ""

    @cached_property
    def _suite(self) -> pd.DataFrame:
        """The learners' trials with their scores ``normalised``: what is said over environments."""
        return self.trials.assign(normalised=self.normalised)[self.trials["kind"] != "solver"]

    def __repr__(self) -> str:
        counts = self.frames.trials["status"].value_counts()
        parts = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"<rlbench.Results {str(self.path)!r}: {parts or 'no trials'}>"

    def _repr_html_(self) -> str:
        table = self.scores()[["algorithm", "env", "mean", "low", "high", "n", "of", "weak"]]
        shown = table.to_html(index=False, na_rep="–", float_format="{:.4g}".format)
        return f"<p>{html.escape(repr(self))}</p>{shown}"


def _check_margin(margin: float) -> None:
    if not 0 <= margin < 1:
        raise UsageError(f"margin {margin!r} is no share of a range; give one from 0 to below 1")


def load(path: Path | str) -> Results:
    """Open a results folder.

    Nothing in it is executed or imported. Raises ``UsageError`` where there are no results, and
    ``FolderError`` where a later version of rlbench wrote them.
    """
    return Results(path)
