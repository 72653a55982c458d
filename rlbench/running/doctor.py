"""Looking for what would keep a run from going well, before it is started."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rlbench import api
from rlbench.plugins import EXTENSIONS, load_catalogue
from rlbench.results.store import Store
from rlbench.running.options import resolve_options
from rlbench.running.overview import last_line
from rlbench.running.plan import make_plan
from rlbench.running.progress import Silent
from rlbench.running.provenance import THREADS_PER_WORKER, machine, usable_cores
from rlbench.running.runner import Runner

LEAST_BYTES = 2**30
"""Less free space than this will not do: a checkpoint with a large replay buffer may take as much."""

OWN = "rlbench"


class Check(NamedTuple):
    """One thing that was looked at; ``cure`` says what to do about it, if anything."""

    name: str
    ok: bool
    text: str
    cure: str = ""


def examine(out: Path, *, external_plugins: bool = True) -> Iterator[Check]:
    """Look at versions, plugins, the results folder ``out``, the processor, devices, and a run of a moment.

    Nothing is left behind, and ``out`` is not created.
    """
    yield from _guarded("versions", _versions)
    yield from _guarded("plugins", lambda: _plugins(external_plugins))
    yield from _guarded("folder", lambda: _folder(out))
    yield from _guarded("processor", _processor)
    yield from _guarded("devices", _devices)
    yield from _guarded("run", _run)


def _guarded(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Make a finding of whatever goes wrong while looking."""
    try:
        yield from look()
    except api.RlbenchError as error:
        cause, _, cure = str(error).partition("; ")
        yield Check(name, False, cause, cure)
    except Exception as error:
        yield Check(
            name, False, f"{type(error).__name__}: {last_line(str(error))}", "mend that and look again"
        )


def _versions() -> Iterator[Check]:
    wanted = [Requirement(text) for text in metadata.requires(OWN) or ()]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    python = SpecifierSet(str(metadata.metadata(OWN).json.get("requires_python", "")))
    wrong = 0
    if not python.contains(platform.python_version(), prereleases=True):
        wrong += 1
        text = f"Python {platform.python_version()} does not meet {python}"
        yield Check("versions", False, text, f"install rlbench with a Python {python}")
    for one in needed:
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            version = ""
        if not version or not one.specifier.contains(version, prereleases=True):
            wrong += 1
            text = (
                f"{one.name} {version} does not meet {one.specifier}" if version else f"{one.name} is missing"
            )
            yield Check("versions", False, text, f"pip install {str(one).partition(';')[0].strip()!r}")
    if not wrong:
        shown = ", ".join(f"{name} {metadata.version(name)}" for name in (OWN, "torch", "numpy", "gymnasium"))
        yield Check("versions", True, f"Python {platform.python_version()}, {shown}: all as required")


def _plugins(external: bool) -> Iterator[Check]:
    catalogue = load_catalogue(external=external)
    for plugin in catalogue.plugins:
        if plugin.error:
            cure = f"mend, upgrade or uninstall {plugin.distribution}; `rlbench plugins` shows the traceback"
            yield Check("plugins", False, f"{plugin.owner} is broken: {plugin.error}", cure)
    for (hook, name), plugins in catalogue.conflicts.items():
        owners = " and ".join(dict.fromkeys(plugin.owner for plugin in plugins))
        text = f"the {EXTENSIONS[hook].noun} {name!r} is claimed by {owners}"
        yield Check("plugins", False, text, "uninstall one, or allow the others with RLBENCH_PLUGINS")
    if not catalogue.conflicts and not any(plugin.error for plugin in catalogue.plugins):
        distributions = {plugin.distribution for plugin in catalogue.plugins if not plugin.disabled}
        text = f"{len(catalogue.algorithms)} algorithms from {', '.join(sorted(distributions))}"
        yield Check("plugins", True, text)


def _folder(out: Path) -> Iterator[Check]:
    place = _existing(out)
    elsewhere = "choose another folder with --out"
    try:
        folder = tempfile.TemporaryDirectory(prefix=".rlbench-doctor-", dir=place)
    except OSError as error:
        yield Check("folder", False, f"cannot write to {place}: {error.strerror}", elsewhere)
        return
    with folder as name:
        store, other = Store(name), Store(name)
        store.prepare()
        store.write_experiment({"written": "by rlbench doctor"})
        yield Check("folder", True, f"{place} can be written to")
        with store.lock():
            if _is_refused(other) and other.locked_since() is not None:
                yield Check("folder", True, "locks are kept: no two runs will write there at once")
            else:
                text = f"the file system of {place} keeps no locks: two runs could write there at once"
                yield Check("folder", False, text, elsewhere)
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB are free"
    yield Check(
        "folder", free >= LEAST_BYTES, text, "" if free >= LEAST_BYTES else f"free some, or {elsewhere}"
    )


def _existing(folder: Path) -> Path:
    """Give the folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _is_refused(store: Store) -> bool:
    try:
        with store.lock():
            return False
    except api.FolderError:
        return True


def _processor() -> Iterator[Check]:
    host = machine()
    cores, there = usable_cores(), os.cpu_count() or 1
    usable = f"{cores} cores" if cores == there else f"{cores} of {there} cores may be used"
    name = " ".join(filter(None, (host["processor"], host["capability"])))
    text = f"{name}; {usable}: so many workers at a time, {THREADS_PER_WORKER} torch thread each"
    yield Check("processor", True, text)
    if host["kernels"] != "torch":
        yield Check("kernels", True, "layers and optimisers run as code compiled for this processor")
    else:
        text = "layers and optimisers run by torch, at half the speed or less"
        yield Check("kernels", True, text, "install a C compiler, then rlbench again from its source")


def _devices() -> Iterator[Check]:
    from rlbench.kit.devices import device_names

    names = device_names()
    cards = machine()["gpus"]
    if names:
        yield Check(
            "devices", True, f"cpu, {', '.join(f'cuda:{i} ({name})' for i, name in enumerate(names))}"
        )
    elif cards:
        text = f"cpu only: torch cannot use {', '.join(cards)}"
        yield Check("devices", True, text, "to use it, install a torch that is built for its CUDA")
    else:
        yield Check("devices", True, "cpu only: there is no CUDA device")


def _run() -> Iterator[Check]:
    catalogue = load_catalogue(external=False)
    with tempfile.TemporaryDirectory(prefix="rlbench-doctor-") as folder:
        asked = {
            **{"algos": "random", "seeds": 1, "steps": 3, "eval_points": 1, "eval_episodes": 1},
            **{"jobs": 1, "retries": 0, "device": "cpu", "out": folder},
        }
        plan = make_plan(resolve_options(asked, environ={}), catalogue)
        Runner(plan, catalogue, command="rlbench doctor", external_plugins=False).run(Silent())
        status = Store(folder).status(plan.trials[0])
    if status is not None and status.status == "finished":
        yield Check("run", True, "a trial of three steps ran, and was stored and read back")
    else:
        error = last_line(status.error) if status else "it left no status"
        yield Check(
            "run", False, f"a trial of three steps failed: {error}", "mend that; it would befall every trial"
        )
