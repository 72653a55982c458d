"""Carries out a plan: sends cohorts to an executor and writes what comes back."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlbench import api
from rlbench.plugins import Catalogue
from rlbench.results.records import Outcome, TrialIdentity
from rlbench.results.store import COLUMNS, Store, Table, TrialWriter
from rlbench.running.cohort import Cohort, pack
from rlbench.running.events import Diagnostics, Ended, Episodes, Evaluated, Finished, Progress, Started
from rlbench.running.plan import Plan
from rlbench.running.progress import Reporter
from rlbench.running.provenance import machine, usable_cores, versions

logger = logging.getLogger("rlbench")


@dataclass
class _Running:
    """A trial at work: where its rows go, and what its timing file will say."""

    identity: TrialIdentity
    writer: TrialWriter
    points: list[list[float]] = field(default_factory=list)  # [step, seconds] of each evaluation


class Runner:
    """Runs what a plan lacks in its folder. The only writer of that folder's results."""

    def __init__(
        self, plan: Plan, catalogue: Catalogue, *, command: str, external_plugins: bool = True
    ) -> None:
        self._plan = plan
        self._catalogue = catalogue
        self._command = command
        self._external_plugins = external_plugins
        self._store = Store(Path(plan.folder))
        self._running: dict[str, _Running] = {}
        self._attempts: dict[str, int] = {}

    def missing(self) -> list[TrialIdentity]:
        """Give the trials that have no result yet; failed ones are tried again."""
        done = ("finished", "diverged")
        statuses = ((trial, self._store.status(trial)) for trial in self._plan.trials)
        return [trial for trial, status in statuses if status is None or status.status not in done]

    def run(self, reporter: Reporter) -> None:
        """Run everything missing, telling ``reporter`` how it goes."""
        self._store.prepare()
        with self._store.lock(), self._trackers() as trackers:
            missing = self.missing()
            self._store.write_experiment(self._document())
            jobs = self._plan.options.jobs or usable_cores()
            cohorts = deque(
                pack(missing, jobs=jobs, device=self._plan.device, external_plugins=self._external_plugins)
            )
            reporter.begin(list(cohorts), finished=len(self._plan.trials) - len(missing))
            executor = api.resolve(self._catalogue.executor(self._plan.options.executor).spec.make)(jobs)
            stream = executor.run(cohorts)
            try:
                for cohort, event in stream:
                    self._handle(cohort, event, cohorts, trackers, reporter)
            finally:
                stream.close()

    def _handle(
        self, cohort: Cohort, event: Any, cohorts: deque[Cohort], trackers: _Trackers, reporter: Reporter
    ) -> None:
        match event:
            case Started(trial=trial):
                identity = next(identity for identity in cohort.trials if identity.hash == trial)
                self._attempts[trial] = self._attempts.get(trial, 0) + 1
                self._running[trial] = _Running(identity, self._store.begin(identity))
                trackers.tell("trial_started", identity)
            case Evaluated():
                running = self._running[event.trial]
                running.points.append([event.step, event.seconds])
                episodes = len(event.returns)
                running.writer.append(
                    "evaluations",
                    {
                        "step": [event.step] * episodes,
                        "actual_step": [event.actual_step] * episodes,
                        "episode": list(range(episodes)),
                        "episode_return": event.returns,
                        "episode_length": event.lengths,
                        "exact_value": [event.exact_value] * episodes,
                    },
                )
                trackers.tell("trial_evaluated", running.identity, event.step, event.returns)
            case Episodes() | Diagnostics():
                table: Table = "episodes" if isinstance(event, Episodes) else "diagnostics"
                columns = {name: getattr(event, name) for name in COLUMNS[table]}
                self._running[event.trial].writer.append(table, columns)
            case Finished():
                self._end(event.trial, event.status, event.step, event.weights, event.timing, event.error)
                trackers.tell("trial_finished", self._running.pop(event.trial).identity, event.status)
            case Progress():
                reporter.progress(cohort, event.step, event.steps)
            case Ended(error=error):
                self._ended(cohort, error, cohorts, trackers, reporter)

    def _ended(
        self,
        cohort: Cohort,
        error: str | None,
        cohorts: deque[Cohort],
        trackers: _Trackers,
        reporter: Reporter,
    ) -> None:
        """Close a cohort; where it failed, run its trials one by one: one cannot take the others down."""
        left = [trial for trial in cohort.trials if error is not None and self._unfinished(trial)]
        if len(cohort.trials) > 1:
            for trial in left:
                cohorts.append(
                    Cohort(trials=[trial], device=cohort.device, external_plugins=cohort.external_plugins)
                )
            reporter.ended(cohort, None, again=len(left))
            return
        for trial in left:
            if trial.hash not in self._running:
                self._running[trial.hash] = _Running(trial, self._store.begin(trial))
            self._end(trial.hash, "failed", 0, None, {}, error)
            trackers.tell("trial_finished", self._running.pop(trial.hash).identity, "failed")
        reporter.ended(cohort, error if left else None, again=0)

    def _unfinished(self, trial: TrialIdentity) -> bool:
        status = self._store.status(trial)
        return status is None or status.status == "failed"

    def _end(
        self,
        trial: str,
        status: Outcome,
        step: int,
        weights: bytes | None,
        timing: Mapping[str, Any],
        error: str | None,
    ) -> None:
        running = self._running[trial]
        running.writer.finish(
            status,
            step=step,
            weights=weights,
            timing={
                **timing,
                "attempts": self._attempts.get(trial, 1),
                "evaluations": running.points,
                "device": self._plan.device,
                **machine(),
            },
            error=error,
        )

    def _document(self) -> dict[str, Any]:
        plan = self._plan
        options = plan.options
        request = {name: getattr(options, name) for name in options.__dataclass_fields__ if name != "origins"}
        return {
            "request": request | {"device": plan.device},
            "origins": options.origins,
            "algorithms": [arm._asdict() for arm in plan.arms],
            "unsupported": [row._asdict() for row in plan.unsupported],
            "trials": [trial.hash for trial in plan.trials],
            "versions": versions(self._catalogue),
            "machine": machine(),
            "command": self._command,
        }

    @contextlib.contextmanager
    def _trackers(self) -> Iterator[_Trackers]:
        trackers = _Trackers()
        for name in self._plan.options.trackers:
            with trackers.guard(name):
                make = api.resolve(self._catalogue.tracker(name).spec.make)
                trackers.active[name] = make(self._store.root)
        try:
            yield trackers
        finally:
            for name, tracker in trackers.active.items():
                with trackers.guard(name):
                    tracker.close()


class _Trackers:
    """The trackers of one run; what they raise is logged and never fatal."""

    def __init__(self) -> None:
        self.active: dict[str, api.Tracker] = {}

    @contextlib.contextmanager
    def guard(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            logger.exception("tracker %r raised; the run goes on", name)

    def tell(self, what: str, identity: TrialIdentity, *details: Any) -> None:
        document = identity.document() if self.active else {}
        for name, tracker in self.active.items():
            with self.guard(name):
                getattr(tracker, what)(document, *details)
