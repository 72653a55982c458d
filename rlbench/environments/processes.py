"""Child processes that do not outlive their parent, nor what they leave behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send a signal to this process when its parent ends, whatever ends it (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Give the process ids of this process's children; none where the system does not tell."""
    mine = set()
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        if name.isdigit() and (status := _status(int(name))) and int(status[1]) == os.getpid():
            mine.add(int(name))
    return mine


def memory_of_group(group: int) -> int:
    """Give the bytes that a process group holds, pages it shares counted in part; 0 where nobody tells."""
    total = 0
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        if name.isdigit() and (status := _status(int(name))) and int(status[2]) == group:
            try:
                with open(f"/proc/{name}/smaps_rollup", encoding="ascii") as lines:
                    total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
            except (OSError, StopIteration):
                continue
    return total


def _status(pid: int) -> list[str]:
    """Give a process's state, parent and group from ``/proc``; empty if it has gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[:3]
    except OSError:
        return []
