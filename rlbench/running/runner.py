"""Carries out a plan: forms cohorts, sends them to an executor, and decides what happens after a failure."""

from __future__ import annotations

import contextlib
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rlbench import api
from rlbench.plugins import Catalogue
from rlbench.results.records import SCHEMA_VERSION, TrialIdentity
from rlbench.results.store import Store
from rlbench.running.cohort import Cohort, Pending, form, pack
from rlbench.running.events import AnyEvent, Ended, NotReplayable, Progress, Started
from rlbench.running.ledger import Ledger
from rlbench.running.options import Options
from rlbench.running.plan import Plan, backend_of
from rlbench.running.progress import Reporter
from rlbench.running.provenance import (
    fingerprint,
    git_state,
    machine,
    not_promised,
    packages,
    usable_cores,
    variables,
    versions,
    without_credentials,
)
from rlbench.running.trackers import Trackers


class Interrupted(api.RlbenchError):
    """The run was asked to stop, and has."""

    exit_code = 130


@contextlib.contextmanager
def started_executor(options: Options, catalogue: Catalogue) -> Iterator[Any]:
    """Make the executor that ``options`` name and close it at the end.

    Whatever it starts when it is made gets ready while the plan is still being made.
    """
    limits = api.Limits(
        jobs=options.jobs or usable_cores(),
        stall_seconds=options.stall_limit,
        memory_bytes=options.memory_limit * 2**20,
        modules=tuple(_modules(options, catalogue)),
    )
    executor = api.resolve(catalogue.executor(options.executor).spec.make)(limits)
    try:
        yield executor
    finally:
        if hasattr(executor, "close"):
            executor.close()


def _modules(options: Options, catalogue: Catalogue) -> Iterator[str]:
    """Name modules that workers may share: rlbench's own, and a backend's that every trial imports anyway.

    Others could change, by being imported, the numbers of trials that have nothing to do with them. Of a
    backend, only what making the plan imports as well: whatever is wrong with it is found there.
    """
    specs = []
    with contextlib.suppress(api.RlbenchError):  # making the plan finds what is wrong with a name
        for name in options.algos.values():
            factory = _module(catalogue.algorithm(name).spec.factory)
            if factory.startswith("rlbench."):
                yield factory
        specs = [backend_of(name, catalogue, allow_import=False)[0].spec for name in options.envs]
    backends = {_module(spec.make_vector) for spec in specs}
    if len(backends) == 1 and backends == {_module(spec.describe) for spec in specs}:
        yield from backends - {""}


def _module(reference: Any) -> str:
    """Name the module of a reference; empty for an object."""
    return reference.partition(":")[0] if isinstance(reference, str) else ""


class Runner:
    """Runs what a plan lacks in its folder."""

    def __init__(
        self, plan: Plan, catalogue: Catalogue, *, command: str = "", external_plugins: bool = True
    ) -> None:
        self._plan = plan
        self._catalogue = catalogue
        self._command = command
        self._store = Store(Path(plan.folder))
        self._template = Cohort(
            trials=[],
            device=plan.device,
            external_plugins=external_plugins,
            root=str(plan.folder),
            checkpoint_seconds=plan.options.checkpoint_every,
        )
        self._deaths: Counter[str] = Counter()

    def missing(self) -> list[TrialIdentity]:
        """Give the trials that have no result yet; failed ones are tried again."""
        done = ("finished", "diverged")
        statuses = ((trial, self._store.status(trial)) for trial in self._plan.trials)
        return [trial for trial, status in statuses if status is None or status.status not in done]

    def run(
        self,
        reporter: Reporter,
        stopping: Callable[[], bool] = lambda: False,
        *,
        executor: Any = None,
        last: Callable[[], None] = lambda: None,
    ) -> None:
        """Run everything missing, telling ``reporter`` how it goes.

        ``executor`` may have been made before (:func:`started_executor`). ``last()`` is called
        once the last cohort is on its way.

        Raises :class:`Interrupted` if ``stopping()`` became true and something is left to do.
        """
        options = self._plan.options
        self._store.prepare()
        with (
            self._store.lock(),
            Trackers.open(options.trackers, self._catalogue, self._store.root) as trackers,
            contextlib.ExitStack() as stack,
        ):
            host = machine()
            self._ledger = Ledger(self._store, trackers, fingerprint(self._plan.device), host)
            missing = self.missing()
            self._store.write_experiment(self._document(host))
            waiting = {trial.hash for trial in missing}
            for trial in self._plan.trials:
                if trial.hash not in waiting:
                    self._store.tidy(trial)
            pending = [self._ledger.pending(trial) for trial in missing]
            jobs = options.jobs or usable_cores()
            queue = deque(pack(pending, jobs=jobs, template=self._template))
            reporter.begin(list(queue), finished=len(self._plan.trials) - len(missing))
            if executor is None:
                executor = stack.enter_context(started_executor(options, self._catalogue))
            stream = executor.run(queue, stopping)
            try:
                called = False
                for cohort, event in stream:
                    self._handle(cohort, event, queue, reporter, stopping)
                    if not (called or queue or isinstance(event, Started)):
                        called = True
                        last()
            finally:
                stream.close()
            if stopping() and (left := len(self.missing())):
                raise Interrupted(f"stopped with {left} trials left; the same command continues")

    def _handle(
        self,
        cohort: Cohort,
        event: AnyEvent,
        queue: deque[Cohort],
        reporter: Reporter,
        stopping: Callable[[], bool],
    ) -> None:
        match event:
            case Started():
                for trial in cohort.trials:
                    self._ledger.start(trial, cohort.step)
            case Progress():
                reporter.progress(cohort, event.step, event.steps)
            case NotReplayable():
                for trial in cohort.trials:
                    self._ledger.restart(trial, event.reason)
            case Ended():
                left = self._ledger.left(cohort.trials)
                again = [] if stopping() else self._again(cohort, left, event)
                queue.extend(again)
                if left and stopping():
                    reporter.stopped(cohort)
                elif left and not again:
                    error = event.error or "the worker stopped, asked by somebody else"
                    self._ledger.fail(left[0], error, event.log)
                    reporter.ended(cohort, error, again=0)
                else:
                    reporter.ended(cohort, None, again=sum(len(one.trials) for one in again))
            case _:
                self._ledger.take(event)

    def _again(self, cohort: Cohort, left: list[TrialIdentity], event: Ended) -> list[Cohort]:
        """Give the cohorts in which trials that did not end run again, each from its last checkpoint.

        What is left of a cohort is halved, so that one bad trial cannot take the others down. A trial that
        was alone runs again only if its process died: an error of the code it runs would come again.
        """
        if not left:
            return []
        if event.error is None and cohort.step and all(self._ledger.restarts(trial) for trial in left):
            return [form([Pending(trial) for trial in left], template=self._template)]
        if len(cohort.trials) == 1:
            (trial,) = left
            self._deaths[trial.hash] += 1
            died = event.died or event.error is None  # it stopped, and not because this process asked it to
            if not died or self._deaths[trial.hash] > self._plan.options.retries:
                return []
            return [form([self._ledger.pending(trial)], template=self._template)]
        middle = math.ceil(len(left) / 2)
        return [
            again
            for half in (left[:middle], left[middle:])
            for again in pack(
                [self._ledger.pending(trial) for trial in half], jobs=1, template=self._template
            )
        ]

    def _document(self, host: dict[str, Any]) -> dict[str, Any]:
        """Give the request and what it was resolved to: the same again for the same request here.

        The trials come arm by arm, each with the request's seeds in their order.
        """
        plan = self._plan
        options = plan.options
        request = {name: getattr(options, name) for name in options.__dataclass_fields__ if name != "origins"}
        trials = {(trial.label, trial.env): trial for trial in plan.trials}
        owners = [trials[arm.label, arm.env] for arm in plan.arms]
        document = {
            "request": request | {"device": plan.device},
            "origins": options.origins,
            "algorithms": [
                {**arm._asdict(), "distribution": owner.distribution, "version": owner.version}
                for arm, owner in zip(plan.arms, owners, strict=True)
            ],
            "unsupported": [row._asdict() for row in plan.unsupported],
            "versions": versions(self._catalogue),
            "packages": packages(),
            "machine": host,
            "environment": variables(),
            "git": git_state(),
            "not_promised": not_promised(plan.device),
            "command": self._command,
        }
        return {
            "schema_version": SCHEMA_VERSION,
            **without_credentials(document),
            "trials": [trial.hash for trial in plan.trials],
        }
