"""Turning what happens to a cohort into events, one trial at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from safetensors.numpy import save

from rlbench.api import Policy
from rlbench.results.records import Outcome, TrialIdentity
from rlbench.running.evaluation import Evaluation
from rlbench.running.events import AnyEvent, Diagnostics, Episodes, Evaluated, Finished, Progress, Started

PROGRESS_SECONDS = 0.5


class Recorder:
    """Collects rows per trial and sends them in blocks.

    A trial diverges when one of its numbers stops being finite: a reward, an action, a diagnostic, a weight.
    It ends there, without weights, while its companions go on: its rows do not depend on them.
    """

    def __init__(self, trials: Sequence[TrialIdentity], steps: int, emit: Callable[[AnyEvent], None]) -> None:
        self._hashes = [trial.hash for trial in trials]
        self._running = set(range(len(trials)))  # seed indices
        self._steps = steps
        self._emit = emit
        self._start = time.perf_counter()
        self._evaluating = 0.0
        self._reported = self._start
        self._episodes: list[list[tuple[int, int, float, int]]] = [[] for _ in trials]
        self._diagnostics: list[list[tuple[int, str, float]]] = [[] for _ in trials]
        for trial in self._hashes:
            emit(Started(trial))

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
            self.diverge(int(row), actual, "the environment's rewards stopped being finite in an evaluation")
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
        """Say how far training is, now and then; also sends the rows collected so far."""
        now = time.perf_counter()
        if now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            for index in self._running:
                self._flush(index)
            self._emit(Progress(step, self._steps))

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
        seconds = time.perf_counter() - self._start
        timing = {
            "wall_seconds": round(seconds, 3),
            "evaluation_seconds": round(self._evaluating, 3),
            "steps_per_second": round(step / max(seconds - self._evaluating, 1e-9), 1),
            "cohort_size": len(self._hashes),
        }
        self._emit(Finished(self._hashes[index], status, step, weights, timing, reason))

    def _flush(self, index: int) -> None:
        for kind, rows in ((Episodes, self._episodes[index]), (Diagnostics, self._diagnostics[index])):
            if rows:
                self._emit(kind(self._hashes[index], *map(list, zip(*rows, strict=True))))
                rows.clear()
