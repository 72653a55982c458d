"""What the plugin provides, named without importing EnvPool."""

from __future__ import annotations

from collections.abc import Iterator

from rlbench.api import EnvironmentSpec
from rlbench.hookspecs import hookimpl


@hookimpl
def rlbench_environments() -> Iterator[EnvironmentSpec]:
    """Yield the backend ``envpool:ID``."""
    yield EnvironmentSpec(
        "envpool",
        make_vector="rlbench_envpool.backend:EnvPoolVector",
        describe="rlbench_envpool.backend:describe",
        seeds_episodes=False,
        replayable=False,
        names="rlbench_envpool.backend:names",
        make_single="rlbench_envpool.backend:EnvPoolSingle",
    )
