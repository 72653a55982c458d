"""A cohort: trials that differ in the seed alone and train together in one process."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from rlbench.results.records import TrialIdentity

LARGEST = 32
"""Seeds beyond this gain little from sharing a process, and cost memory."""


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to know: its trials, and where and how to run them."""

    trials: list[TrialIdentity]
    device: str
    external_plugins: bool = True

    @property
    def identity(self) -> TrialIdentity:
        """What all trials have in common is read from the first."""
        return self.trials[0]

    @property
    def seeds(self) -> list[int]:
        return [trial.seed for trial in self.trials]

    @property
    def name(self) -> str:
        """For people: ``dqn on CartPole-v1, seeds 0-4``."""
        seeds = self.seeds
        run = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
        text = f"{seeds[0]}-{seeds[-1]}" if run and len(seeds) > 1 else ",".join(map(str, seeds))
        return f"{self.identity.label} on {self.identity.env}, seed{'s' if len(seeds) > 1 else ''} {text}"


def pack(trials: Sequence[TrialIdentity], *, jobs: int, device: str, external_plugins: bool) -> list[Cohort]:
    """Group trials into cohorts that fill ``jobs`` processes.

    Trials of a kind stay together where there are kinds enough to keep every process busy, and are split
    where there are not. Only batched agents share a process. How trials are grouped never changes a result.
    """
    kinds: dict[bytes, list[TrialIdentity]] = {}
    for trial in trials:
        kinds.setdefault(msgspec.json.encode(msgspec.structs.replace(trial, seed=0)), []).append(trial)
    batched = sum(group[0].kind == "batched_agent" for group in kinds.values())
    parts = min(jobs, math.ceil(2 * jobs / max(batched, 1)))
    cohorts = []
    for group in kinds.values():
        size = 1
        if group[0].kind == "batched_agent":
            size = min(LARGEST, math.ceil(len(group) / parts))
        cohorts += [
            Cohort(trials=group[start : start + size], device=device, external_plugins=external_plugins)
            for start in range(0, len(group), size)
        ]
    return cohorts
