"""Telling people how a run goes: live bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rlbench.running.cohort import Cohort

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PLAIN_SECONDS = 10.0
"""Without a terminal, a running cohort says how far it is at most this often."""

KNOWN_FRACTION = 0.01
"""Before this share of the work is done, an estimate of the time left would be noise."""


class Reporter(Protocol):
    """What the runner tells of its progress."""

    def begin(self, cohorts: Sequence[Cohort], finished: int) -> None:
        """The run starts, with ``finished`` trials already there."""

    def progress(self, cohort: Cohort, step: int, steps: int) -> None:
        """A cohort has come to ``step`` of ``steps`` (0: unknown)."""

    def ended(self, cohort: Cohort, error: str | None, again: int) -> None:
        """A cohort has ended; ``again`` of its trials will be run once more, each alone."""

    def stopped(self, cohort: Cohort) -> None:
        """A cohort has stopped because it was asked to."""

    def close(self) -> None:
        """The run is over, however it ended."""


class Silent:
    """Says nothing."""

    def begin(self, cohorts: Sequence[Cohort], finished: int) -> None:
        pass

    def progress(self, cohort: Cohort, step: int, steps: int) -> None:
        pass

    def ended(self, cohort: Cohort, error: str | None, again: int) -> None:
        pass

    def stopped(self, cohort: Cohort) -> None:
        pass

    def close(self) -> None:
        pass


class Clock:
    """Estimates the time left from the work done: trials times steps, solvers counted as one step."""

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        self._start = time.monotonic()
        self._total = sum(_work(cohort) for cohort in cohorts)
        self._done = 0.0
        self._partial: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def update(self, cohort: Cohort, step: int, steps: int) -> None:
        """Note how far a cohort is."""
        self._started.setdefault(cohort.name, time.monotonic())
        self._partial[cohort.name] = _work(cohort) * step / steps if steps else 0.0

    def end(self, cohort: Cohort, again: int) -> None:
        """Note that a cohort has ended."""
        self._partial.pop(cohort.name, None)
        self._done += _work(cohort) * (1 - again / len(cohort.trials))

    @property
    def fraction(self) -> float:
        """The share of all work that is done."""
        return (self._done + sum(self._partial.values())) / max(self._total, 1e-9)

    def left(self) -> float | None:
        """Seconds left for the whole run, or ``None`` while nothing is known."""
        return _remaining(time.monotonic() - self._start, self.fraction)

    def cohort_left(self, cohort: Cohort) -> float | None:
        """Seconds left for one cohort."""
        started = self._started.get(cohort.name)
        if started is None:
            return None
        share = self._partial.get(cohort.name, 0.0) / max(_work(cohort), 1e-9)
        return _remaining(time.monotonic() - started, share)


def _work(cohort: Cohort) -> float:
    return max(cohort.identity.steps, 1) * len(cohort.trials)


def _remaining(elapsed: float, fraction: float) -> float | None:
    return elapsed * (1 - fraction) / fraction if fraction >= KNOWN_FRACTION else None


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"


class Lines:
    """Plain lines for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, float] = {}

    def begin(self, cohorts: Sequence[Cohort], finished: int) -> None:
        self._clock = Clock(cohorts)
        trials = sum(len(cohort.trials) for cohort in cohorts)
        self._say(_opening(trials, len(cohorts), finished))

    def progress(self, cohort: Cohort, step: int, steps: int) -> None:
        self._clock.update(cohort, step, steps)
        now = time.monotonic()
        if now - self._said.setdefault(cohort.name, now) >= PLAIN_SECONDS and steps:
            self._said[cohort.name] = now
            self._say(
                f"{cohort.name}: step {step} of {steps}, {_duration(self._clock.cohort_left(cohort))}; "
                f"all: {self._clock.fraction:.0%}, {_duration(self._clock.left())}"
            )

    def ended(self, cohort: Cohort, error: str | None, again: int) -> None:
        self._clock.end(cohort, again)
        left = _duration(self._clock.left())
        self._say(f"{_closing(cohort, error, again)}; all: {self._clock.fraction:.0%}, {left}")

    def stopped(self, cohort: Cohort) -> None:
        self._say(f"{cohort.name}: stopped")

    def close(self) -> None:
        pass

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Bars:
    """Live bars, one for each running cohort and one for all."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._live: Progress | None = None

    def begin(self, cohorts: Sequence[Cohort], finished: int) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._clock = Clock(cohorts)
        trials = sum(len(cohort.trials) for cohort in cohorts)
        self._console.print(_opening(trials, len(cohorts), finished), markup=False, highlight=False)
        self._live = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._all = self._live.add_task("all trials", total=1.0, left="")
        self._live.start()

    def progress(self, cohort: Cohort, step: int, steps: int) -> None:
        assert self._live is not None
        self._clock.update(cohort, step, steps)
        if cohort.name not in self._bars:
            self._bars[cohort.name] = self._live.add_task(cohort.name, total=steps or None, left="")
        left = _duration(self._clock.cohort_left(cohort))
        self._live.update(self._bars[cohort.name], completed=step, left=left)
        self._live.update(self._all, completed=self._clock.fraction, left=_duration(self._clock.left()))

    def ended(self, cohort: Cohort, error: str | None, again: int) -> None:
        assert self._live is not None
        self._clock.end(cohort, again)
        if cohort.name in self._bars:
            self._live.remove_task(self._bars.pop(cohort.name))
        self._live.update(self._all, completed=self._clock.fraction, left=_duration(self._clock.left()))
        self._console.print(_closing(cohort, error, again), markup=False, highlight=False)

    def stopped(self, cohort: Cohort) -> None:
        self._console.print(f"{cohort.name}: stopped", markup=False, highlight=False)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


def _opening(trials: int, cohorts: int, finished: int) -> str:
    already = f" ({finished} already there)" if finished else ""
    if not trials:
        return f"nothing to do: all {finished} trials are there"
    return f"running {trials} trials in {cohorts} cohorts{already}"


def _closing(cohort: Cohort, error: str | None, again: int) -> str:
    if again:
        return f"{cohort.name}: something failed; {again} of its trials run again"
    if error is not None:
        return f"{cohort.name}: failed: {error.strip().splitlines()[-1]}"
    return f"{cohort.name}: done"


def reporter_for(console: Console) -> Reporter:
    """Give bars where ``console`` is a terminal, else lines."""
    return Bars(console) if console.is_terminal else Lines(console)
