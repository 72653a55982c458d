"""The built-in executor."""

from __future__ import annotations

from collections.abc import Iterator

from rlbench.api import ExecutorSpec
from rlbench.hookspecs import hookimpl


@hookimpl
def rlbench_executors() -> Iterator[ExecutorSpec]:
    yield ExecutorSpec(
        "local", "rlbench.running.local:LocalExecutor", description="one process per cohort on this machine"
    )
