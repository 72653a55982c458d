"""A cohort: trials that differ in the seed alone and train together in one process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from rlbench.results.records import TrialIdentity

LARGEST = 100
"""Seeds beyond this gain next to nothing from sharing a process, and would be lost together."""


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to know: its trials, and where and how to run them."""

    trials: list[TrialIdentity]
    device: str
    external_plugins: bool = True
    root: str = ""  # the results folder; checkpoints are written below it
    step: int = 0  # where its checkpoints stand; 0: from the beginning
    clock: dict[str, float] = {}  # seconds that it took to come there
    checkpoint_seconds: float = 0.0  # how often to checkpoint; 0: never

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


class Pending(NamedTuple):
    """A trial to run, and the checkpoint to run it from (``step`` 0: from the beginning)."""

    trial: TrialIdentity
    step: int = 0
    clock: dict[str, float] = {}  # noqa: RUF012 - never written to


def pack(pending: Sequence[Pending], *, jobs: int, template: Cohort) -> list[Cohort]:
    """Group trials into cohorts that fill ``jobs`` processes; what ``template`` says besides holds for all.

    Trials of a kind that stand at the same step stay together where there are kinds enough to keep every
    process busy, and are split where there are not. Only batched agents share a process. How trials are
    grouped never changes a result.
    """
    kinds: dict[tuple[bytes, int], list[Pending]] = {}
    for one in pending:
        kind = msgspec.json.encode(msgspec.structs.replace(one.trial, seed=0))
        kinds.setdefault((kind, one.step), []).append(one)
    batched = sum(group[0].trial.kind == "batched_agent" for group in kinds.values())
    parts = min(jobs, math.ceil(2 * jobs / max(batched, 1)))
    cohorts = []
    for group in kinds.values():
        size = 1
        if group[0].trial.kind == "batched_agent":
            size = min(LARGEST, math.ceil(len(group) / parts))
        count = math.ceil(len(group) / size)
        bounds = [math.ceil(len(group) * part / count) for part in range(count + 1)]  # as even as can be
        cohorts += [form(group[start:end], template=template) for start, end in pairwise(bounds)]
    return cohorts


def form(group: Sequence[Pending], *, template: Cohort) -> Cohort:
    """Form one cohort of trials that stand at the same step."""
    return msgspec.structs.replace(
        template, trials=[one.trial for one in group], step=group[0].step, clock=group[0].clock
    )
