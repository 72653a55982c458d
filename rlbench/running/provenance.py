"""With which versions, on which machine: what results carry beside their identity.

Nothing here depends on the moment: the same request by the same versions on the same machine gives the
same document. What is taken is listed, never whatever happens to be there.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from rlbench.discovery import ALLOW_LIST
from rlbench.kit import extension
from rlbench.plugins import Catalogue
from rlbench.running.options import VARIABLES

THREADS_PER_WORKER = 1

_PACKAGES = ("rlbench", "torch", "numpy", "gymnasium", "pandas", "pyarrow")
_BITS_DEPEND_ON = ("torch", "numpy", "gymnasium")
_BIT_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)
_VARIABLES = (
    *_BIT_VARIABLES,
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTHONOPTIMIZE",
)
_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@")
_SECRETS = re.compile(r"(?i)([?&][^=&\s]*(?:key|token|secret|passw|auth|signature)[^=&\s]*=)[^&\s#]+")
_CAPABILITIES = (  # torch's words for them, and the flags that it asks for
    ("AVX512", {"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"}),
    ("AVX2", {"avx2", "fma"}),
)
_PATIENCE_SECONDS = 5.0


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


def packages() -> dict[str, str]:
    """Give the version of every installed distribution, as Python would import it."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        try:
            found.setdefault(distribution.name, distribution.version)
        except Exception:  # a broken installation is pip's business
            continue
    return {name: version for name, version in sorted(found.items()) if name and version}


def machine() -> dict[str, Any]:
    """Give the platform, the processor and what it can do, the cores, and the graphics cards."""
    return {
        "platform": platform.platform(),
        "processor": _cpu_field("model name") or platform.processor(),
        "capability": _capability(),
        "kernels": _kernels(),
        "cores": usable_cores(),
        "threads_per_worker": THREADS_PER_WORKER,
        "gpus": _gpus(),
    }


def fingerprint(device: str) -> dict[str, str]:
    """Give what bits depend on beside the trial: a checkpoint is continued only where all of it matches."""
    found = {
        **{name: metadata.version(name) for name in _BITS_DEPEND_ON},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _cpu_field("model name") or platform.processor(),
        "capability": _capability(),
        "kernels": _kernels(),
        "device": device,
    }
    set_ = [f"{name}={os.environ[name]}" for name in _BIT_VARIABLES if os.environ.get(name)]
    if set_:
        found["variables"] = " ".join(set_)
    if device != "cpu":
        from rlbench.kit.devices import device_name

        found["gpu"] = device_name(device)
    return found


def not_promised(device: str) -> list[str]:
    """Say which promises about results do not hold on a device; see docs/reliability.md."""
    if device == "cpu":
        return []
    text = "kernels are chosen by the size of a batch, so a seed's last bits may depend on its companions"
    return [f"P1 on {device}: {text}"]


def variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give those environment variables that decide what is run or how it computes.

    Not every ``RLBENCH_...``: a plugin may keep a password there.
    """
    own = {*VARIABLES, ALLOW_LIST}
    return {name: environ[name] for name in sorted(environ) if name in own or name in _VARIABLES}


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Give the commit of the working folder and whether tracked files differ from it; empty without git.

    Files that git does not track do not count: a run's own results would be among them.
    """
    commit = _output(["git", "rev-parse", "--verify", "HEAD"], folder)
    if not commit:
        return {}
    command = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=no"]
    changes = _output(command, folder)
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def without_credentials(value: Any) -> Any:
    """Give a tree of JSON values with user names, passwords and keys cut out of every URL."""
    if isinstance(value, str):
        return _SECRETS.sub(r"\1", _CREDENTIALS.sub(r"\1", value))
    if isinstance(value, Mapping):
        return {without_credentials(key): without_credentials(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_credentials(one) for one in value]
    return value


def usable_cores() -> int:
    """Give the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _capability() -> str:
    """Name the vector instructions as torch does, without importing it; empty where nobody tells."""
    flags = set(_cpu_field("flags").split())
    if not flags:
        return ""
    return next((name for name, needed in _CAPABILITIES if needed <= flags), "DEFAULT")


def _kernels() -> str:
    """Say what computes layers on the CPU: code compiled at installation, and by what, or torch."""
    module = extension.load()
    return "torch" if module is None else f"compiled by {module.compiler}"


def _cpu_field(name: str) -> str:
    """Give what the system says of the first core; empty where it does not."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith(name))
    except (OSError, StopIteration):
        return ""


def _gpus() -> list[str]:
    """Give ``NAME, driver VERSION`` of every NVIDIA card; none where its tool is not there."""
    found = _output(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    rows = [line.rpartition(",") for line in (found or "").splitlines()]
    return [f"{name.strip()}, driver {driver.strip()}" for name, comma, driver in rows if comma]


def _output(command: list[str], folder: Path | None = None) -> str | None:
    """Give what a program says; ``None`` where it is not there, fails or takes too long."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Give ``{name: (then, now)}`` for everything that ``now`` tells and ``then`` told otherwise, or not."""
    return {name: (then.get(name), value) for name, value in now.items() if then.get(name) != value}
