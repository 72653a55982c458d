"""Running stored trials again, to see whether every stored number comes out the same."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from rlbench import api
from rlbench.plugins import Catalogue, PluginRecord
from rlbench.results.equality import Finding, compare_trials
from rlbench.results.files import read_bytes
from rlbench.results.frames import Frames, StoredTrial
from rlbench.results.records import TrialIdentity, decode_name, open_sealed
from rlbench.results.store import Store
from rlbench.running.options import Options
from rlbench.running.overview import last_line
from rlbench.running.plan import Plan, backend_of, resolve_device
from rlbench.running.progress import Reporter
from rlbench.running.provenance import differences, fingerprint, packages
from rlbench.running.runner import Interrupted, Runner

Outcome = Literal["equal", "different", "damaged"]
PLUGIN = "plugin"
"""The name of a change that makes a trial another one: its numbers need not be equal."""

_ENDED = ("finished", "diverged")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How one trial came out, file by file, and what is not as it was: ``{name: (then, now)}``."""

    algorithm: str
    env: str
    seed: int
    folder: str
    outcome: Outcome
    files: dict[str, Finding]
    changed: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Verification:
    """The verdicts, and ``{package: (then, now)}`` of all installed ones that are not what they were."""

    path: Path
    verdicts: list[Verdict]
    packages: dict[str, tuple[str | None, str | None]]

    @property
    def equal(self) -> bool:
        return all(verdict.outcome == "equal" for verdict in self.verdicts)


def verify(
    root: Path | str,
    options: Options,
    catalogue: Catalogue,
    *,
    trials: Sequence[str] = (),
    sample: int | None = None,
    reporter: Callable[[], Reporter],
    stopping: Callable[[], bool] = lambda: False,
    external_plugins: bool = True,
) -> Verification:
    """Run trials that ended once more, in a temporary folder, and compare what is stored.

    ``trials`` and ``sample`` choose them, as in :func:`choose`. Of ``options``, those count that say how to
    run. Of what stored files name, only installed plugins are imported, unless ``options.allow_import``.
    Raises ``UsageError`` or ``PluginError`` where a trial cannot be run here as it was, before any is run.
    """
    frames = Frames(root)
    chosen = choose(frames, trials, sample)
    whole = [trial for trial in chosen if trial.status in _ENDED]
    jobs = [Job.of(trial, catalogue, options.allow_import) for trial in whole]
    with tempfile.TemporaryDirectory(prefix="rlbench-verify-") as folder:
        for device, mine in _by_device(jobs).items():
            plan = Plan(
                options=dataclasses.replace(options, trackers=(), checkpoint_every=0.0),
                device=device,
                folder=folder,
                arms=[],
                trials=[job.identity for job in mine],
                unsupported=[],
            )
            runner = Runner(plan, catalogue, command="rlbench verify", external_plugins=external_plugins)
            with contextlib.closing(reporter()) as talk:
                try:
                    runner.run(talk, stopping)
                except Interrupted:
                    raise Interrupted("stopped before every trial had run again; nothing is kept") from None
        again = Store(folder)
        verdicts = [job.verdict(frames.root, again.folder(job.identity)) for job in jobs]
    verdicts += [_damaged(trial, frames.root) for trial in chosen if trial.status == "damaged"]
    return Verification(frames.root, verdicts, _package_changes(frames, jobs))


def choose(frames: Frames, names: Sequence[str] = (), sample: int | None = None) -> list[StoredTrial]:
    """Choose among the trials that ended, damaged ones only by name.

    A name is ``all``, ``LABEL``, ``LABEL/ENV``, ``LABEL/ENV/seed-K`` or ``LABEL/ENV/K``, or a trial's folder,
    as seen from the results folder or from the working folder.
    ``sample`` is how many of each algorithm and environment are taken: one, or all that are named. They are
    always the same.
    """
    ended = [trial for trial in frames.stored if trial.status in _ENDED]
    if not ended:
        raise api.UsageError(f"no trial in {frames.root} has ended; finish one with: rlbench run")
    if not names:
        return _sample(ended, sample or 1)
    found: dict[str, StoredTrial] = {}
    for name in names:
        spellings = _spellings(name, frames.root)
        named = [trial for trial in frames.stored if name == "all" or spellings & _names(trial)]
        if not named:
            known = {known for trial in frames.stored for known in _names(trial)}
            nearest = api.did_you_mean(min(spellings, key=len), known)
            raise api.UsageError(f"no trial {name!r} in {frames.root}; {nearest}")
        comparable = {trial.hash: trial for trial in named if trial.status in (*_ENDED, "damaged")}
        if not comparable:
            error = last_line(named[0].error)
            raise api.UsageError(
                f"{name} is {named[0].status}{error and f' ({error})'}, so no result is stored that could "
                "come again; choose a trial that is finished"
            )
        found |= comparable
    return _sample(list(found.values()), sample) if sample else list(found.values())


def _spellings(name: str, root: Path) -> set[str]:
    """Give what a name may stand for: itself, or a path to a place in the results folder."""
    found = {name, name.rstrip("/")}
    with contextlib.suppress(ValueError):
        found.add(Path(os.path.abspath(name)).relative_to(os.path.abspath(root)).as_posix())
    return found


def _names(trial: StoredTrial) -> set[str]:
    algorithm, env, folder = trial.path.parts[-3:]
    return {
        "/".join(parts)
        for label in (algorithm, decode_name(algorithm), trial.label)
        for environment in (env, decode_name(env), trial.env)
        for parts in (
            (label,),
            (label, environment),
            (label, environment, f"seed-{trial.seed}"),
            (label, environment, str(trial.seed)),
            (label, environment, folder),
            ("trials", label, environment, folder),
        )
    }


def _sample(trials: Sequence[StoredTrial], count: int) -> list[StoredTrial]:
    """Take some of each algorithm and environment, by their hashes: at random, but always the same."""
    cells: defaultdict[tuple[str, str], list[StoredTrial]] = defaultdict(list)
    for trial in sorted(trials, key=lambda trial: trial.hash):
        cells[trial.label, trial.env].append(trial)
    return [trial for _, cell in sorted(cells.items()) for trial in cell[:count]]


@dataclass(frozen=True)
class Job:
    """A trial to run again: what its files tell, and the device and the plugin that it runs with now."""

    trial: StoredTrial
    identity: TrialIdentity
    timing: Mapping[str, Any]
    device: str
    owner: PluginRecord

    @classmethod
    def of(cls, trial: StoredTrial, catalogue: Catalogue, allow_import: bool) -> Job:
        """Make the job; ``UsageError`` or ``PluginError`` where the trial cannot be run here as it was."""
        identity = msgspec.convert(trial.document, TrialIdentity)
        if identity.hash != trial.hash:
            raise api.UsageError(
                f"{trial.path} tells more than this rlbench knows; use the one that it is of"
            )
        entry = catalogue.algorithm(identity.algorithm)
        if entry.spec.kind != identity.kind:
            raise api.UsageError(
                f"{identity.algorithm} of {entry.plugin.owner} is a {entry.spec.kind} and was a "
                f"{identity.kind}; install {identity.distribution} {identity.version} for its trials"
            )
        backend_of(identity.env, catalogue, allow_import=allow_import)
        timing = open_sealed(read_bytes(trial.path / "timing.json") or b"") or {}
        device = str(timing.get("device", "cpu"))
        try:
            resolved = resolve_device(device.partition(":")[0])
        except api.UsageError:
            raise api.UsageError(
                f"{trial.path} was computed on {device!r}, which is not there; do this where there is one"
            ) from None
        return cls(trial, identity, timing, resolved, entry.plugin)

    def verdict(self, root: Path, again: Path) -> Verdict:
        """Compare with what running it ``again`` has left."""
        files = compare_trials(self.trial.path, again)
        return _verdict(self.trial, root, files, self.changed())

    def changed(self) -> dict[str, tuple[str, str]]:
        """Say what is not as it was when the trial was made: ``{name: (then, now)}``."""
        now = {name: value for name, value in fingerprint(self.device).items() if name != "device"}
        changed = differences(self.timing, {name: now[name] for name in now if name in self.timing})
        then = f"{self.identity.distribution} {self.identity.version}"
        here = f"{self.owner.distribution} {self.owner.version}"
        return changed if then == here else {PLUGIN: (then, here), **changed}

    def made_with(self, installed: Mapping[str, Any]) -> bool:
        """Whether these may be the packages that the trial was made with, as far as its timing file tells."""
        known = ("torch", "numpy", "gymnasium")
        return all(self.timing.get(name) in (None, installed.get(name)) for name in known)


def _by_device(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    groups: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.device].append(job)
    return groups


def _verdict(
    trial: StoredTrial, root: Path, files: dict[str, Finding], changed: dict[str, tuple[str, str]]
) -> Verdict:
    found = {finding.likeness for finding in files.values()}
    return Verdict(
        algorithm=trial.label,
        env=trial.env,
        seed=trial.seed,
        folder=trial.path.relative_to(root).as_posix(),
        outcome="damaged" if "damaged" in found else "different" if "different" in found else "equal",
        files=files,
        changed=changed,
    )


def _damaged(trial: StoredTrial, root: Path) -> Verdict:
    name = "status.json" if trial.document else "trial.json"
    return _verdict(trial, root, {name: Finding("damaged", str(trial.error))}, {})


def _package_changes(frames: Frames, jobs: Sequence[Job]) -> dict[str, tuple[str | None, str | None]]:
    """Compare the packages of the requests that these trials answer with those of today."""
    now = packages()
    changes: dict[str, tuple[str | None, str | None]] = {}
    for document in frames.experiments:
        then, asked = document.get("packages"), document.get("trials")
        if not isinstance(then, dict) or not isinstance(asked, list):
            continue
        if any(job.trial.hash in asked and job.made_with(then) for job in jobs):
            names = sorted({*then, *now})
            changes |= {
                name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)
            }
    return changes
