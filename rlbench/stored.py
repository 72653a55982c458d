"""What a results folder holds: its trials, scored by a metric, and what they are measured against."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.api import MetricSpec, PluginError, ReferenceSpec, ScoreContext, resolve
from rlbench.results.frames import Frames
from rlbench.results.journal import Journal, read_journals

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.plugins import Catalogue

DEFAULT_METRIC = "final"


class Stored:
    """The trials of one results folder; every frame is read when first used and then kept.

    ``evaluations, episodes, diagnostics`` have ``algorithm, env, seed`` in front. An algorithm goes by its
    label; where one label or environment has several settings, what differs is added to its name. ``frames``
    is what the folder holds, trial by trial, as it was read.
    """

    def __init__(self, path: Path | str, catalogue: Catalogue | None = None) -> None:
        self.path = Path(path)
        self.frames = Frames(self.path)
        if catalogue is not None:
            self.catalogue = catalogue
        self._scored: dict[str, pd.DataFrame] = {}

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

    def scored(self, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
        """Give ``trials`` with their ``score`` by this metric, damaged ones marked."""
        from rlbench.analysis.scores import trial_scores

        if metric not in self._scored:
            entry = self.catalogue.metric(metric)
            evaluations = self.evaluations  # read first: some damage is known only then
            trials = self.frames.trials.copy()
            damage = trials["folder"].map(self.frames.damaged)
            trials.loc[damage.notna(), "status"] = "damaged"
            trials["error"] = trials["error"].where(damage.isna(), damage)
            compute = _guarded(entry.spec, entry.plugin.owner)
            contexts = self._contexts if entry.spec.needs_context else None
            scores = trial_scores(trials, evaluations, compute, contexts)
            trials.insert(list(trials.columns).index("error"), "score", scores)
            self._scored[metric] = trials
        return self._scored[metric]

    @cached_property
    def normalised(self) -> pd.Series:
        """Each trial's score between a random policy (0) and a reference (1), in the order of ``trials``."""
        return self._normalise(self.trials)

    @property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation episode."""
        return self.frames.evaluations

    @property
    def episodes(self) -> pd.DataFrame:
        """One row a training episode."""
        return self.frames.episodes

    @property
    def diagnostics(self) -> pd.DataFrame:
        """What the algorithms told of themselves: one row a step and name."""
        return self.frames.diagnostics

    @property
    def platforms(self) -> pd.DataFrame:
        """On what each trial was made: ``algorithm, env, seed, device, gpu, torch, ...``, one row a trial."""
        return self.frames.platforms

    @property
    def experiments(self) -> list[dict[str, Any]]:
        """The requests that these results answer."""
        return self.frames.experiments

    @property
    def problems(self) -> list[str]:
        """Damaged files met so far, and damaged weights, each with its cure."""
        self.frames.check_weights()
        return [*self.frames.problems, *self._journals[1].values()]

    @property
    def unsupported(self) -> list[dict[str, str]]:
        """What was asked for and cannot be: ``algorithm, env, reason``."""
        return self.frames.unsupported

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
        for trial in self.frames.stored:
            arm = (trial.document.get("label"), trial.document.get("env"))
            for name, value in trial.document.get("config", {}).items():
                origin = origins.get(arm, {}).get(name, "")
                rows.setdefault((trial.label, trial.env, name), (str(value), str(origin)))
        columns = ["algorithm", "env", "setting", "value", "origin"]
        return pd.DataFrame([(*key, *value) for key, value in rows.items()], columns=columns)

    @cached_property
    def identities(self) -> dict[str, dict[str, Any]]:
        """Each trial's identity as in ``trial.json``, by its hash; empty where that is damaged."""
        return {trial.hash: trial.document for trial in self.frames.stored}

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

    @cached_property
    def _journals(self) -> tuple[list[Journal], dict[str, str]]:
        return read_journals(self.path)

    @cached_property
    def _problems(self) -> list[tuple[str, dict[str, Any]]]:
        """Each environment as these results call it, with the identity of one of its trials."""
        whole = (trial for trial in self.frames.stored if trial.document)
        return sorted({trial.env: trial.document for trial in whole}.items())

    @cached_property
    def _references(self) -> dict[str, ReferenceSpec]:
        from rlbench.analysis.references import references_of

        return references_of(self.identities.values(), self.catalogue)

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
