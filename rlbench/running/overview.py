"""What stands in a results folder, and what the same command would do about each trial.

It only reads, and never the tables: many thousand trials take seconds, also while a run is on.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from rlbench import discovery
from rlbench.api import FolderError
from rlbench.results.files import read_bytes
from rlbench.results.frames import Frames, StoredTrial
from rlbench.results.journal import read_journals
from rlbench.results.records import Checkpoint, Status, open_sealed
from rlbench.results.store import Store
from rlbench.running.provenance import differences, fingerprint

State = Literal["finished", "diverged", "failed", "running", "unfinished", "missing", "damaged"]
STATES: tuple[State, ...] = get_args(State)
Action = Literal["run", "continue", "retry", "skip", "wait", "leave"]
ACTIONS: tuple[Action, ...] = get_args(Action)
"""``wait``: the run that is on is at it; ``leave``: it belongs to nothing that would be asked for today."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: its state, what the same command would do about it, and why.

    ``stale`` says why no run of today would reuse it, empty for what one would. It ended at ``step`` of
    ``steps``, or has a checkpoint there that is ``checkpoint_age`` seconds old.
    """

    algorithm: str
    env: str
    seed: int | None
    status: State
    action: Action
    why: str
    stale: str = ""
    step: int | None = None
    steps: int | None = None
    checkpoint_age: float | None = None
    error: str | None = None
    hash: str
    folder: str | None = None


@dataclass(frozen=True)
class Overview:
    """A results folder as it stands; ``running_for`` gives the seconds since the run began that is on."""

    path: Path
    running_for: float | None
    trials: list[Standing]
    unsupported: list[dict[str, str]]
    problems: list[str]

    def summary(self) -> list[dict[str, Any]]:
        """Count trials: ``algorithm, env``, each state, ``stale`` (whatever its state) and ``all``."""
        cells: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for trial in self.trials:
            cells[trial.algorithm, trial.env].update(
                [trial.status, "all", *(["stale"] if trial.stale else [])]
            )
        names = (*STATES, "stale", "all")
        return [
            {"algorithm": algorithm, "env": env, **{name: counts[name] for name in names}}
            for (algorithm, env), counts in sorted(cells.items())
        ]


class _Arm(msgspec.Struct, frozen=True):
    """What is read of an arm in a request."""

    label: str = "(unknown)"
    env: str = "(unknown)"
    kind: str = ""
    distribution: str = ""
    version: str = ""


class _Options(msgspec.Struct, frozen=True):
    seeds: list[int] = []
    steps: int | None = None


class _Request(msgspec.Struct, frozen=True):
    """What is read of a request, ``experiments/HASH.json``."""

    request: _Options
    algorithms: list[_Arm] = []


class _Asked(NamedTuple):
    """A trial that was asked for, as far as its request names it."""

    arm: _Arm
    seed: int | None = None
    steps: int | None = None


def overview_of(root: Path | str) -> Overview:
    """Look at a results folder.

    Raises ``UsageError`` where there is nothing to see and ``FolderError`` where a later version wrote it.
    """
    store, frames = Store(root), Frames(root)
    since = store.locked_since()
    asked = {digest: trial for document in frames.experiments for digest, trial in _asked(document).items()}
    judge = _Judge(asked, since)
    trials = [judge.stored(trial, frames.root) for trial in frames.stored]
    begun = {trial.hash for trial in trials}
    trials += [judge.missing(digest, trial) for digest, trial in asked.items() if digest not in begun]
    return Overview(
        path=frames.root,
        running_for=None if since is None else _age(since),
        trials=sorted(trials, key=lambda one: (one.algorithm, one.env, one.seed or 0, one.hash)),
        unsupported=frames.unsupported,
        problems=[*frames.problems, *read_journals(frames.root)[1].values()],
    )


def _asked(document: Mapping[str, Any]) -> dict[str, _Asked]:
    """Name the trials of a request: they come arm by arm, each with the request's seeds in their order."""
    try:
        digests = msgspec.convert(document.get("trials"), list[str])
    except msgspec.ValidationError:  # no request of ours
        return {}
    try:
        request = msgspec.convert(document, _Request)
    except msgspec.ValidationError:
        request = _Request(_Options())
    asked = [
        _Asked(arm, seed, None if arm.kind == "solver" else request.request.steps)
        for arm in request.algorithms
        for seed in request.request.seeds
    ]
    if len(asked) != len(digests):
        return dict.fromkeys(digests, _Asked(_Arm()))
    return dict(zip(digests, asked, strict=True))


class _Judge:
    """Says of each trial what a run would do; ``asked`` are the trials of all requests, by hash."""

    def __init__(self, asked: Mapping[str, _Asked], locked_since: float | None) -> None:
        self._asked = asked
        self._locked_since = locked_since
        found = discovery.find(discovery.PLUGINS, os.environ)
        self._installed = {one.distribution: one.version for one in found}
        self._machine = {name: value for name, value in fingerprint("cpu").items() if name != "device"}

    def missing(self, digest: str, asked: _Asked) -> Standing:
        """Judge a trial that was asked for and never begun."""
        arm = asked.arm
        stale = self._outdated(arm.distribution, arm.version) if arm.distribution else ""
        return Standing(
            algorithm=arm.label,
            env=arm.env,
            seed=asked.seed,
            status="missing",
            action="leave" if stale else "run",
            why="; ".join(filter(None, ("asked for and never begun", stale))),
            stale=stale,
            steps=asked.steps,
            hash=digest,
        )

    def stored(self, trial: StoredTrial, root: Path) -> Standing:
        """Judge a trial that has a folder."""
        ending = trial.ending
        found = None if ending else _last_checkpoint(trial.path)
        if ending is not None:
            state, action, why = _ended(trial, ending)
        elif self._is_running(trial.path):
            state, action, why = "running", "wait", "the run that is on is at it"
        else:
            state = "damaged" if trial.status == "damaged" else "unfinished"
            action, why = self._unfinished(trial, found)
        stale = self._stale(trial)
        if stale and action != "wait":
            action, why = "leave", f"{why}; {stale}"
        return Standing(
            algorithm=trial.label,
            env=trial.env,
            seed=trial.seed,
            status=state,
            action=action,
            why=why,
            stale=stale,
            step=ending.step if ending else found.checkpoint.step if found else None,
            steps=trial.document.get("steps"),
            checkpoint_age=found.age if found else None,
            error=trial.error,
            hash=trial.hash,
            folder=trial.path.relative_to(root).as_posix(),
        )

    def _is_running(self, folder: Path) -> bool:
        """Whether the run that is on has touched the trial; it does when it begins or continues one."""
        if self._locked_since is None:
            return False
        try:
            return folder.stat().st_mtime >= self._locked_since
        except FileNotFoundError:
            return False

    def _unfinished(self, trial: StoredTrial, found: _Found | None) -> tuple[Action, str]:
        damage = f"{str(trial.error).partition(';')[0]}, " if trial.error else ""
        if found is None:
            return "run", f"{damage}no checkpoint: it starts from the beginning"
        at = f"checkpoint at step {found.checkpoint.step} of {trial.document.get('steps', '?')}"
        changed = differences(found.checkpoint.machine, self._machine)
        if changed:
            name, (then, now) = next(iter(changed.items()))
            made = f"made with another {name} ({then}, now {now})"
            return "run", f"{damage}{at} {made}: it starts from the beginning"
        return "continue", f"{damage}{at}, {duration(found.age)} old"

    def _stale(self, trial: StoredTrial) -> str:
        if trial.document and (outdated := self._outdated(**_maker(trial.document))):
            return outdated
        return "" if trial.hash in self._asked else "no request in this folder asks for it"

    def _outdated(self, distribution: str, version: str) -> str:
        """Say why a run of today asks for another trial than one of this version; empty where it does not."""
        now = self._installed.get(distribution)
        if now is None:
            return f"it is of {distribution} {version}, which is not installed"
        if now != version:
            return f"it is of {distribution} {version}, and {now} is installed: today it is another trial"
        return ""


def last_line(error: str | None) -> str:
    """Give the line of a stored error that says most."""
    lines = [line.strip() for line in (error or "").splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("(its output:")), "")


def duration(seconds: float) -> str:
    """Give a time in one unit, as in ``3 min``."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


class _Found(NamedTuple):
    """A checkpoint that was committed, and the seconds since."""

    checkpoint: Checkpoint
    age: float


def _last_checkpoint(folder: Path) -> _Found | None:
    """Give the newest committed checkpoint; its data is not read: damage to it goes unnoticed here."""
    with contextlib.suppress(OSError):
        names = {path.name for path in (folder / "checkpoint").iterdir()}
        steps = (int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal())
        for step in sorted(steps, reverse=True):
            path = folder / "checkpoint" / f"{step}.json"
            with contextlib.suppress(msgspec.ValidationError, FolderError):
                found = msgspec.convert(open_sealed(read_bytes(path) or b""), Checkpoint)
                if f"{step}.safetensors" in names:
                    return _Found(found, _age(path.stat().st_mtime))
    return None


def _ended(trial: StoredTrial, ending: Status) -> tuple[State, Action, str]:
    state: State = "damaged" if trial.status == "damaged" else ending.status
    if ending.status == "failed":
        return state, "retry", f"failed: {last_line(ending.error)}"
    if state == "damaged":
        return state, "skip", str(trial.error)
    lost = sorted(set(ending.files) - set(os.listdir(trial.path)))
    if lost:
        return (
            "damaged",
            "skip",
            f"{trial.path / lost[0]} is missing; remove that folder to have it run again",
        )
    if state == "diverged":
        return state, "skip", f"diverged at step {ending.step}: {last_line(ending.error)}"
    return state, "skip", "finished"


def _maker(document: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(document.get(name)) for name in ("distribution", "version")}


def _age(moment: float) -> float:
    return max(time.time() - moment, 0.0)
