"""Turning what happens to a cohort into events, one trial at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from safetensors.numpy import save

from rlbench.api import FolderError, Policy
from rlbench.results.records import Outcome
from rlbench.results.store import Store
from rlbench.running.checkpoint import write
from rlbench.running.cohort import Cohort
from rlbench.running.evaluation import Evaluation
from rlbench.running.events import (
    AnyEvent,
    Checkpointed,
    Diagnostics,
    Episodes,
    Evaluated,
    Finished,
    NotCheckpointed,
    Progress,
)

PROGRESS_SECONDS = 0.5


class StopRequested(Exception):
    """Raised at the first moment at which a cohort can stop."""


class Recorder:
    """Collects rows per trial and sends them in blocks; makes checkpoints when they are due.

    A trial diverges when one of its numbers stops being finite: an observation, a reward, an action, a
    diagnostic, a weight.
    It ends there, without weights, while its companions go on: its rows do not depend on them.

    ``resumable`` says whether the cohort can make checkpoints at all, ``stopping()`` whether it should stop.
    """

    def __init__(
        self, cohort: Cohort, emit: Callable[[AnyEvent], None], stopping: Callable[[], bool]
    ) -> None:
        self._hashes = [trial.hash for trial in cohort.trials]
        self._folders = [Store(cohort.root).folder(trial) for trial in cohort.trials]
        self._running = set(range(len(cohort.trials)))  # seed indices
        self._steps = cohort.identity.steps
        self._step = cohort.step
        self._emit = emit
        self.resumable = False
        self._stopping = stopping
        self._checkpoint_seconds = cohort.checkpoint_seconds
        now = time.perf_counter()
        self._start = now - cohort.clock.get("wall_seconds", 0.0)
        self._evaluating = cohort.clock.get("evaluation_seconds", 0.0)
        self._reported = self._saved = now
        self._episodes: list[list[tuple[int, int, float, int]]] = [[] for _ in cohort.trials]
        self._diagnostics: list[list[tuple[int, str, float]]] = [[] for _ in cohort.trials]

    @property
    def running(self) -> bool:
        """Whether any trial still has numbers worth having."""
        return bool(self._running)

    def diverge(self, index: int, step: int, reason: str) -> None:
        """End a trial whose numbers stopped being finite; only the first reason counts."""
        if index in self._running:
            self._end(index, step, "diverged", None, reason)

    def episode(self, index: int, step: int, env_index: int, episode_return: float, length: int) -> None:
        """A training episode ended."""
        if not np.isfinite(episode_return):
            self.diverge(index, step, "the environment's rewards stopped being finite")
        elif index in self._running:
            self._episodes[index].append((step, env_index, episode_return, length))

    def diagnostics(self, step: int, values: Mapping[str, Any] | None) -> None:
        """Diagnostics ``{name: [S]}`` of all trials at one step; masked entries were not measured."""
        for name, given in (values or {}).items():
            column = np.ma.asarray(given, dtype=np.float64).reshape(-1)
            for index in np.flatnonzero(~np.ma.getmaskarray(column)):
                if not np.isfinite(column.data[index]):
                    self.diverge(int(index), step, f"{name} stopped being finite")
                elif index in self._running:
                    self._diagnostics[index].append((step, name, float(column.data[index])))

    def evaluation(
        self, evaluate: Callable[[Policy, int], Evaluation], policy: Policy, nominal: int, actual: int
    ) -> None:
        """Evaluate ``policy`` for the point ``nominal``, reached at ``actual`` steps, and send its rows."""
        begun = time.perf_counter()
        result = evaluate(policy, nominal)
        now = time.perf_counter()
        self._evaluating += now - begun
        for row in np.flatnonzero(~np.isfinite(result.returns).all(axis=1)):
            reason = "rewards, observations or actions stopped being finite in an evaluation"
            self.diverge(int(row), actual, reason)
        for index in sorted(self._running):
            self._emit(
                Evaluated(
                    self._hashes[index],
                    nominal,
                    actual,
                    result.returns[index].tolist(),
                    result.lengths[index].tolist(),
                    None if result.exact is None else float(result.exact[index]),
                    round(now - self._start, 3),
                )
            )
        self.progress(actual)

    def progress(self, step: int) -> None:
        """Note how far training is; raises :class:`StopRequested` where that ends it without a checkpoint."""
        self._step = step
        self.beat()
        if self._stopping() and not self.resumable:
            raise StopRequested

    def beat(self) -> None:
        """Show signs of life now and then, and send the rows collected so far."""
        now = time.perf_counter()
        if now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            for index in self._running:
                self._flush(index)
            self._emit(Progress(self._step, self._steps))

    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint, or for the last one before a stop."""
        if not self.resumable:
            return False
        waited = time.perf_counter() - self._saved
        return self._stopping() or 0 < self._checkpoint_seconds <= waited

    def checkpoint(self, step: int, states: Sequence[Mapping[str, Any]]) -> None:
        """Write the states of the running trials; raises :class:`StopRequested` if the cohort should stop.

        Where that fails, training goes on: a disk that is full now may have space again at the next one.
        """
        try:
            for index in sorted(self._running):
                self._flush(index)
                sha256 = write(self._folders[index], step, states[index])
                self._emit(Checkpointed(self._hashes[index], step, sha256, self._clock()))
        except FolderError as error:
            self._emit(NotCheckpointed(str(error)))
        self._saved = time.perf_counter()
        if self._stopping():
            raise StopRequested

    def finish(self, step: int, weights: Mapping[str, np.ndarray] | None) -> None:
        """End all trials that still run; ``weights`` are ``[S, ...]`` by parameter name."""
        for index in sorted(self._running):
            mine = {name: np.ascontiguousarray(array[index]) for name, array in (weights or {}).items()}
            if all(np.isfinite(array).all() for array in mine.values() if array.dtype.kind == "f"):
                self._end(index, step, "finished", save(mine) if mine else None, None)
            else:
                self.diverge(index, step, "the final weights are not finite")

    def _end(self, index: int, step: int, status: Outcome, weights: bytes | None, reason: str | None) -> None:
        self._flush(index)
        self._running.discard(index)
        clock = self._clock()
        training = max(clock["wall_seconds"] - clock["evaluation_seconds"], 1e-9)
        timing = {
            **clock,
            "steps_per_second": round(step / training, 1),
            "cohort_size": len(self._hashes),
        }
        self._emit(Finished(self._hashes[index], status, step, weights, timing, reason))

    def _clock(self) -> dict[str, float]:
        """Seconds so far, those before a checkpoint that this run continued included."""
        wall = time.perf_counter() - self._start
        return {"wall_seconds": round(wall, 3), "evaluation_seconds": round(self._evaluating, 3)}

    def _flush(self, index: int) -> None:
        for kind, rows in ((Episodes, self._episodes[index]), (Diagnostics, self._diagnostics[index])):
            if rows:
                self._emit(kind(self._hashes[index], *map(list, zip(*rows, strict=True))))
                rows.clear()
