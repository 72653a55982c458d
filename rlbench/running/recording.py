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
    """Collects rows per trial and sends them in blocks; a trial that diverged sends nothing more.

    A trial diverges when one of its numbers stops being finite: a reward, an action, a diagnostic, a weight.
    """

    def __init__(self, trials: Sequence[TrialIdentity], steps: int, emit: Callable[[AnyEvent], None]) -> None:
        self._hashes = [trial.hash for trial in trials]
        self._steps = steps
        self._emit = emit
        self._start = time.perf_counter()
        self._evaluating = 0.0
        self._reported = self._start
        self._episodes: list[list[tuple[int, int, float, int]]] = [[] for _ in trials]
        self._diagnostics: list[list[tuple[int, str, float]]] = [[] for _ in trials]
        self._finished = [False] * len(trials)
        self.diverged: dict[int, tuple[int, str]] = {}  # seed index -> step and reason
        for trial in self._hashes:
            emit(Started(trial))

    @property
    def alive(self) -> bool:
        """Whether any trial still has numbers worth having."""
        return len(self.diverged) < len(self._hashes)

    def diverge(self, index: int, step: int, reason: str) -> None:
        """Note that a trial's numbers stopped being finite; the first reason counts."""
        self.diverged.setdefault(index, (step, reason))

    def episode(self, index: int, step: int, env_index: int, episode_return: float, length: int) -> None:
        """A training episode ended."""
        if index in self.diverged:
            return
        if not np.isfinite(episode_return):
            self.diverge(index, step, "the environment's rewards stopped being finite")
            return
        self._episodes[index].append((step, env_index, episode_return, length))

    def diagnostics(self, step: int, values: Mapping[str, Any] | None) -> None:
        """Diagnostics ``{name: [S]}`` of all trials at one step; masked entries were not measured."""
        for name, values_of_name in (values or {}).items():
            column = np.ma.asarray(values_of_name, dtype=np.float64).reshape(-1)
            for index, value in enumerate(column.data):
                if index in self.diverged or np.ma.getmaskarray(column)[index]:
                    continue
                if np.isfinite(value):
                    self._diagnostics[index].append((step, name, float(value)))
                else:
                    self.diverge(index, step, f"{name} stopped being finite")

    def evaluation(
        self, evaluate: Callable[[Policy, int], Evaluation], policy: Policy, nominal: int, actual: int
    ) -> None:
        """Evaluate ``policy`` for the point ``nominal``, reached at ``actual`` steps, and send its rows."""
        begun = time.perf_counter()
        result = evaluate(policy, nominal)
        now = time.perf_counter()
        self._evaluating += now - begun
        for index, trial in enumerate(self._hashes):
            if index not in self.diverged and not np.isfinite(result.returns[index]).all():
                self.diverge(index, actual, "the environment's rewards stopped being finite in an evaluation")
            if index in self.diverged:
                continue
            self._emit(
                Evaluated(
                    trial,
                    nominal,
                    actual,
                    result.returns[index].tolist(),
                    result.lengths[index].tolist(),
                    None if result.exact is None else float(result.exact[index]),
                    round(now - self._start, 3),
                )
            )
        self.flush(actual)

    def progress(self, step: int) -> None:
        """Say how far training is, now and then; also sends the rows collected so far."""
        now = time.perf_counter()
        if now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            self.flush(step)

    def flush(self, step: int) -> None:
        """Send all rows collected so far."""
        for trial, episodes, diagnostics in zip(self._hashes, self._episodes, self._diagnostics, strict=True):
            if episodes:
                self._emit(Episodes(trial, *map(list, zip(*episodes, strict=True))))
                episodes.clear()
            if diagnostics:
                self._emit(Diagnostics(trial, *map(list, zip(*diagnostics, strict=True))))
                diagnostics.clear()
        self._emit(Progress(step, self._steps))

    def finish(self, step: int, weights: Mapping[str, np.ndarray] | None) -> None:
        """End all trials; ``weights`` are ``[S, ...]`` by parameter name."""
        for array in (weights or {}).values():
            if array.dtype.kind == "f":
                for row in np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1)):
                    self.diverge(int(row), step, "the final weights are not finite")
        self.flush(step)
        seconds = time.perf_counter() - self._start
        for index, trial in enumerate(self._hashes):
            end, reason = self.diverged.get(index, (step, None))
            mine = {name: np.ascontiguousarray(array[index]) for name, array in (weights or {}).items()}
            timing = {
                "wall_seconds": round(seconds, 3),
                "evaluation_seconds": round(self._evaluating, 3),
                "steps_per_second": round(step / max(seconds - self._evaluating, 1e-9), 1),
                "cohort_size": len(self._hashes),
            }
            status: Outcome = "finished" if reason is None else "diverged"
            self._emit(Finished(trial, status, end, save(mine) if mine else None, timing, reason))
