"""The built-in environment backends: gymnasium in this process, and gymnasium with a process each."""

from __future__ import annotations

from collections.abc import Iterable

from rlbench.api import EnvironmentSpec
from rlbench.hookspecs import hookimpl


@hookimpl
def rlbench_environments() -> Iterable[EnvironmentSpec]:
    """Yield ``CartPole-v1`` (no prefix) and ``async:CartPole-v1``."""
    for prefix, maker in (("", "make_sync"), ("async", "make_async")):
        yield EnvironmentSpec(
            prefix,
            make_vector=f"rlbench.environments.gymnasium_vector:{maker}",
            describe="rlbench.environments.gymnasium_ids:describe",
            names="rlbench.environments.gymnasium_ids:names",
            make_single="rlbench.environments.gymnasium_ids:make_single",
        )
