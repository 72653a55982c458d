"""The compiled module, where it was built when rlbench was installed; found without importing torch."""

from __future__ import annotations

import importlib
from typing import Any

INTERFACE = 2
"""Which version of its functions' arguments this code calls; a build of another source is left alone."""


def load() -> Any:
    """Give the module, or ``None`` where there was no C compiler or the build is not of this source."""
    try:
        module = importlib.import_module("rlbench.kit._kernels")
    except ImportError:
        return None
    return module if getattr(module, "interface", None) == INTERFACE else None
