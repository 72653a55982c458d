"""rlbench: a plugin-based benchmark harness for reinforcement learning.

The public names are imported when first used, so that ``import rlbench`` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlbench.comparing import compare
    from rlbench.experiment import run
    from rlbench.hookspecs import hookimpl
    from rlbench.loaded import Results, load

__all__ = ["Results", "__version__", "compare", "hookimpl", "load", "run"]

__version__ = "0.1.0"

_HOMES = {
    "compare": "rlbench.comparing",
    "Results": "rlbench.loaded",
    "load": "rlbench.loaded",
    "run": "rlbench.experiment",
    "hookimpl": "rlbench.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rlbench' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
