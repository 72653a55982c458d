"""One torch thread, as in a worker, and generators that stand for trials."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rlbench.kit import kernels
from rlbench.kit.devices import prepare


@pytest.fixture
def rngs() -> Callable[..., list[np.random.Generator]]:
    """Give ``rngs(3, 1)``: the generators of seeds 3 and 1."""
    prepare("cpu")
    return lambda *seeds: [np.random.default_rng(np.random.SeedSequence(9, spawn_key=(s,))) for s in seeds]


@pytest.fixture(params=["as installed", "by torch"])
def computed(request, monkeypatch):
    """Compute with compiled code where that is installed, and without."""
    if request.param == "by torch":
        monkeypatch.setattr(kernels, "_kernels", None)
