"""Finds the entry points that belong to rlbench and says which of them the user allows.

It needs the standard library alone, so that ``rlbench --help`` can list the commands of plugins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata
from typing import NamedTuple

PLUGINS = "rlbench"
COMMANDS = "rlbench.commands"
OWN_DISTRIBUTION = "rlbench"
ALLOW_LIST = "RLBENCH_PLUGINS"


class Found(NamedTuple):
    """An entry point with its owner; ``disabled`` says why it must not be loaded, or is empty."""

    point: metadata.EntryPoint
    distribution: str
    version: str
    disabled: str


def folded(name: str) -> str:
    """Give the form in which names are compared: ``rlbench-QLearning`` and ``q_learning`` become one."""
    return re.sub(r"[-_.\s]+", "", re.sub(r"^rlbench[-_.]", "", name.strip().lower()))


def allow_list(environ: Mapping[str, str]) -> list[str] | None:
    """Give the names in ``RLBENCH_PLUGINS``, or ``None`` where it is not set; empty allows none."""
    if ALLOW_LIST not in environ:
        return None
    return [name.strip() for name in environ[ALLOW_LIST].split(",") if name.strip()]


def find(group: str, environ: Mapping[str, str], external: bool = True) -> list[Found]:
    """List the entry points of a group: the built-in ones first, the others by distribution and name.

    A distribution that is on the path twice (a wheel beside an editable install) counts once, as Python
    imports it, and so does one object that a distribution lists twice.
    """
    allowed = allow_list(environ)
    permitted = None if allowed is None else {folded(name) for name in allowed}
    found: dict[tuple[str, str], Found] = {}
    for point in metadata.entry_points(group=group):
        owner = point.dist
        name = (owner.name if owner else None) or "unknown distribution"
        if name == OWN_DISTRIBUTION:
            disabled = ""
        elif not external:
            disabled = "--no-plugins"
        elif permitted is not None and not permitted & {folded(name), folded(point.name)}:
            disabled = ALLOW_LIST
        else:
            disabled = ""
        version = (owner.version if owner else None) or "unknown"
        found.setdefault((name, point.value), Found(point, name, version, disabled))
    return sorted(
        found.values(),
        key=lambda one: (one.distribution != OWN_DISTRIBUTION, one.distribution, one.point.name),
    )
