"""The trackers of one run; what they raise is logged and never fatal."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rlbench import api
from rlbench.plugins import Catalogue
from rlbench.results.records import TrialIdentity

logger = logging.getLogger("rlbench")


class Trackers:
    """All trackers as one: ``tell("trial_finished", trial, "finished")``."""

    def __init__(self) -> None:
        self._active: dict[str, api.Tracker] = {}

    @classmethod
    @contextlib.contextmanager
    def open(cls, names: Sequence[str], catalogue: Catalogue, folder: Path) -> Iterator[Trackers]:
        """Make the trackers called ``names`` for a results folder, and close them at the end."""
        trackers = cls()
        for name in names:
            with _guard(name):
                trackers._active[name] = api.resolve(catalogue.tracker(name).spec.make)(folder)
        try:
            yield trackers
        finally:
            for name, tracker in trackers._active.items():
                with _guard(name):
                    tracker.close()

    def tell(self, what: str, trial: TrialIdentity, *details: Any) -> None:
        """Call the method ``what`` of every tracker with the trial's identity and ``details``."""
        document = trial.document() if self._active else {}
        for name, tracker in self._active.items():
            with _guard(name):
                getattr(tracker, what)(document, *details)


@contextlib.contextmanager
def _guard(name: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.exception("tracker %r raised; the run goes on", name)
