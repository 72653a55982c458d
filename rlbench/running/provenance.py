"""With which versions, on which machine: what results carry beside their identity."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from rlbench.plugins import Catalogue

_PACKAGES = ("rlbench", "torch", "numpy", "gymnasium", "pandas", "pyarrow")


def versions(catalogue: Catalogue) -> dict[str, str]:
    """Give the versions of Python, of what computes the numbers, and of every plugin."""
    packages = {*_PACKAGES, *(plugin.distribution for plugin in catalogue.plugins)}
    found = {"python": platform.python_version()}
    for name in sorted(packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int | None]:
    """Give the platform, the processor and the number of cores."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": usable_cores(),
    }


def fingerprint(device: str) -> dict[str, str]:
    """Give what bits depend on beside the trial: a checkpoint is continued only where all of it matches."""
    names = ("torch", "numpy", "gymnasium")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "device": device,
    }


def usable_cores() -> int:
    """Give the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
