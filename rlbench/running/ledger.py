"""Writes down what is told of running trials: rows, checkpoints, endings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlbench.api import FolderError
from rlbench.results.records import Outcome, TrialIdentity
from rlbench.results.store import COLUMNS, Store, Table, TrialWriter
from rlbench.running.cohort import Pending
from rlbench.running.events import (
    AnyEvent,
    Checkpointed,
    Diagnostics,
    Episodes,
    Evaluated,
    Finished,
    NotCheckpointed,
)
from rlbench.running.trackers import Trackers, logger


@dataclass
class _Entry:
    """A running trial: where its rows go, and what its timing file will say."""

    trial: TrialIdentity
    writer: TrialWriter
    timing: dict[str, Any]  # "attempts", and why it was "restarted" if it was
    points: list[list[float]] = field(default_factory=list)  # [step, seconds] of each evaluation


class Ledger:
    """The only writer of a results folder's trials.

    ``fingerprint`` says what bits depend on beside the trial: a checkpoint made elsewhere is not continued.
    """

    def __init__(
        self, store: Store, trackers: Trackers, fingerprint: Mapping[str, str], host: Mapping[str, Any]
    ) -> None:
        self._store = store
        self._trackers = trackers
        self._fingerprint = dict(fingerprint)
        self._host = dict(host)
        self._open: dict[str, _Entry] = {}
        self._attempts: Counter[str] = Counter()
        self._restarted: dict[str, str] = {}
        self._warned = False  # that checkpoints cannot be written

    def pending(self, trial: TrialIdentity) -> Pending:
        """Say where to run a trial from: its newest whole checkpoint that was made on such a machine."""
        if trial.hash not in self._restarted:
            for checkpoint in self._store.checkpoints(trial):
                if checkpoint.machine == self._fingerprint:
                    return Pending(trial, checkpoint.step, _seconds(checkpoint.clock))
        return Pending(trial)

    def start(self, trial: TrialIdentity, step: int) -> None:
        """Prepare a trial's folder, from nothing or at its checkpoint at ``step``."""
        checkpoint = next((found for found in self._store.checkpoints(trial) if found.step == step), None)
        interrupted = self._store.status(trial) is None
        timing = self._store.attempts(trial)
        timing["attempts"] = max(timing["attempts"], self._attempts[trial.hash]) + 1
        if step and checkpoint is not None:
            clock = checkpoint.clock
            timing["attempts"] = max(timing["attempts"], int(clock["attempts"]) + 1)
            writer = self._store.resume(trial, checkpoint, timing)
            entry = _Entry(trial, writer, timing, list(clock["points"]))
        else:
            if trial.hash in self._restarted:
                timing["restarted"] = self._restarted[trial.hash]
            elif timing["attempts"] > 1 and interrupted:
                timing["restarted"] = "it had no checkpoint that could be continued"
            entry = _Entry(trial, self._store.begin(trial, timing), timing)
        self._attempts[trial.hash] = timing["attempts"]
        self._open[trial.hash] = entry
        self._trackers.tell("trial_started", trial)

    def restart(self, trial: TrialIdentity, reason: str) -> None:
        """Have a trial start from the beginning next time, and its timing file say why."""
        self._restarted[trial.hash] = reason

    def restarts(self, trial: TrialIdentity) -> bool:
        """Whether a trial has to start from the beginning, because it could not be replayed."""
        return trial.hash in self._restarted

    def take(self, event: AnyEvent) -> None:
        """Write down an event about one trial; others are none of the ledger's business."""
        match event:
            case Evaluated():
                entry = self._open[event.trial]
                entry.points.append([event.step, event.seconds])
                episodes = len(event.returns)
                rows: dict[str, list[Any]] = {
                    "step": [event.step] * episodes,
                    "actual_step": [event.actual_step] * episodes,
                    "episode": list(range(episodes)),
                    "episode_return": event.returns,
                    "episode_length": event.lengths,
                    "exact_value": [event.exact_value] * episodes,
                }
                entry.writer.append("evaluations", rows)
                self._trackers.tell("trial_evaluated", entry.trial, event.step, event.returns)
            case Episodes() | Diagnostics():
                table: Table = "episodes" if isinstance(event, Episodes) else "diagnostics"
                columns = {name: getattr(event, name) for name in COLUMNS[table]}
                self._open[event.trial].writer.append(table, columns)
            case Checkpointed():
                entry = self._open[event.trial]
                clock = {**event.clock, "attempts": entry.timing["attempts"], "points": entry.points}
                try:
                    entry.writer.commit(event.step, event.sha256, clock, self._fingerprint)
                    self._warned = False
                except FolderError as error:
                    self._warn(str(error))
            case NotCheckpointed():
                self._warn(event.reason)
            case Finished():
                self._end(event.trial, event.status, event.step, event.weights, event.timing, event.error)

    def _warn(self, reason: str) -> None:
        """Say that there is no new checkpoint, once until there can be one again."""
        if not self._warned:
            why = reason.removesuffix(" and run the same command again")
            logger.warning("no checkpoint was made, and the run goes on: %s", why)
        self._warned = True

    def left(self, trials: list[TrialIdentity]) -> list[TrialIdentity]:
        """Close those of ``trials`` that were started and did not end, and give them."""
        return [trial for trial in trials if self._open.pop(trial.hash, None) is not None]

    def fail(self, trial: TrialIdentity, error: str, log: str) -> None:
        """Record a trial as failed, with the end of what its worker printed beside it."""
        timing = {"attempts": self._attempts[trial.hash]}
        self._open[trial.hash] = _Entry(trial, self._store.begin(trial, timing), timing)
        if log.strip():
            self._open[trial.hash].writer.keep_log(log)
            error = f"{error.rstrip()}\n(its output: trials/{trial.folder}/log.txt)"
        self._end(trial.hash, "failed", 0, None, {}, error)

    def _end(
        self,
        trial: str,
        status: Outcome,
        step: int,
        weights: bytes | None,
        timing: Mapping[str, Any],
        error: str | None,
    ) -> None:
        entry = self._open.pop(trial)
        entry.writer.finish(
            status,
            step=step,
            weights=weights,
            timing={
                **timing,
                **entry.timing,
                "evaluations": entry.points,
                **self._fingerprint,
                **self._host,
            },
            error=error,
        )
        self._trackers.tell("trial_finished", entry.trial, status)


def _seconds(clock: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(clock[name]) for name in ("wall_seconds", "evaluation_seconds")}
