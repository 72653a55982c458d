"""A run's processes: its runner, the server that starts workers, the workers."""

from __future__ import annotations

from pathlib import Path


def family(pid: int) -> dict[int, str]:
    """All living descendants of a process and itself: process id to role."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    roles = {pid: "runner"}
    for server in children.get(pid, []):
        roles[server] = "server"
        roles |= dict.fromkeys(children.get(server, []), "worker")
    return roles


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
