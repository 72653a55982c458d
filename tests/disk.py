"""What a kill, or a crash of the machine, at any moment would leave of a folder; and a disk that fails."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

State = dict[str, bytes | None]
"""Every file below a folder with its content, and every folder with ``None``."""

_UNSYNCED = b""  # what is left of data that was never synced, at worst


def stored(folder: Path) -> dict[str, bytes]:
    """Every file of every trial, but for the one that may differ between identical runs."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob("trials/**/*"))
        if path.name != "timing.json" and path.is_file()
    }


def state_of(root: Path) -> State:
    """Give what is in ``root`` now, but for its lock."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if path.name != ".lock"
    }


def restore(state: State, root: Path) -> None:
    """Make ``root`` what ``state`` says."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name, content in state.items():
        if content is None:
            (root / name).mkdir(parents=True, exist_ok=True)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)


class Disk:
    """Watches every operation that changes something below ``root``, or is meant to make it last.

    Before each operation ``before(number, name)`` is called, and in the middle of a write too (``tear``).
    It may look at the states that a sudden end at this moment would leave, or raise ``OSError``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operations: list[str] = []
        self._paths: dict[int, Path] = {}  # of open descriptors
        self._synced: dict[int, bytes] = {}  # inode -> what a crash of the machine leaves of its content
        self._entries: dict[Path, dict[str, int | None]] = {}  # folder -> what a crash leaves of its entries
        self._graves: list[Any] = []  # files that were removed, held open so that no inode is used again
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            self._sync_folder(folder)
            for path in folder.iterdir():
                if path.is_file():
                    self._synced[path.stat().st_ino] = path.read_bytes()

    def before(self, number: int, name: str) -> None:
        """To be replaced."""

    def killed(self) -> State:
        """What a kill of all processes leaves: everything that was done."""
        return state_of(self.root)

    def crashed_with_names(self) -> State:
        """What a crash of the machine leaves where all names reached the disk and unsynced data did not."""
        return {
            name: content if content is None else self._synced.get(self._inode(name), _UNSYNCED)
            for name, content in state_of(self.root).items()
        }

    def crashed_without_names(self) -> State:
        """What a crash of the machine leaves where unsynced names did not reach the disk either."""
        state: State = {}

        def walk(folder: Path) -> None:
            for name, inode in self._entries.get(folder, {}).items():
                path = folder / name
                relative = str(path.relative_to(self.root))
                if inode is None:
                    state[relative] = None
                    walk(path)
                elif name != ".lock":
                    state[relative] = self._synced.get(inode, _UNSYNCED)

        walk(self.root)
        return state

    def _inode(self, name: str) -> int:
        return (self.root / name).stat().st_ino

    def _sync_folder(self, folder: Path) -> None:
        self._entries[folder] = {
            path.name: None if path.is_dir() else path.stat().st_ino for path in folder.iterdir()
        }

    def _bury(self, path: Path) -> None:
        if path.is_file():
            self._graves.append(io.FileIO(path))

    def _note(self, name: str) -> None:
        self.operations.append(name)
        self.before(len(self.operations) - 1, name)

    def _is_mine(self, path: Any, dir_fd: int | None = None) -> Path | None:
        if isinstance(path, int):
            return self._paths.get(path)
        whole = Path(os.path.abspath((self._paths.get(dir_fd, Path()) if dir_fd else Path()) / path))
        return whole if whole.is_relative_to(self.root) and whole.name != ".lock" else None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what this process does in the meantime."""
        own = {name: getattr(self, f"_{name}") for name in ("open", "close", "mkdir", "fsync", "truncate")}
        own |= {name: getattr(self, f"_{name}") for name in ("unlink", "rmdir", "replace", "rename")}
        self._real = {name: getattr(os, name) for name in own}
        self._real_open = io.open
        try:
            for name, function in own.items():
                setattr(os, name, function)
            io.open = self._open_file  # what pathlib calls
            yield
        finally:
            for name, function in self._real.items():
                setattr(os, name, function)
            io.open = self._real_open
            for grave in self._graves:
                grave.close()

    def _open(self, path: Any, flags: int, *rest: Any, dir_fd: int | None = None, **more: Any) -> int:
        descriptor = self._real["open"](path, flags, *rest, dir_fd=dir_fd, **more)
        if (mine := self._is_mine(path, dir_fd)) is not None:
            self._paths[descriptor] = mine
        return descriptor

    def _close(self, descriptor: int) -> None:
        self._paths.pop(descriptor, None)
        self._real["close"](descriptor)

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        mine = self._is_mine(path, dir_fd)
        if mine is None or mine.exists():
            self._real["mkdir"](path, mode, dir_fd=dir_fd)
            return
        self._note(f"mkdir {mine.name}")
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        self._entries[mine] = {}

    def _fsync(self, descriptor: int) -> None:
        mine = self._paths.get(descriptor)
        if mine is None:
            self._real["fsync"](descriptor)
            return
        self._note(f"fsync {mine.name}")  # without the real one: nobody pulls the plug
        if mine.is_dir():
            self._sync_folder(mine)
        else:
            self._synced[os.fstat(descriptor).st_ino] = mine.read_bytes()

    def _truncate(self, path: Any, length: int) -> None:
        if (mine := self._is_mine(path)) is not None:
            self._note(f"truncate {mine.name}")
        self._real["truncate"](path, length)

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        mine = self._is_mine(path, dir_fd)
        if mine is not None and os.path.lexists(mine):
            self._note(f"unlink {mine.name}")
            self._bury(mine)
        self._real["unlink"](path, dir_fd=dir_fd)

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        if (mine := self._is_mine(path, dir_fd)) is not None:
            self._note(f"rmdir {mine.name}")
        self._real["rmdir"](path, dir_fd=dir_fd)

    def _replace(self, source: Any, target: Any) -> None:
        if (mine := self._is_mine(target)) is not None:
            self._note(f"rename {mine.name}")
            self._bury(mine)
        self._real["replace"](source, target)

    def _rename(self, source: Any, target: Any) -> None:
        self._replace(source, target)

    def _open_file(self, path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        mine = None if isinstance(path, int) else self._is_mine(path)
        if mine is None or not set(mode) & set("wa+x"):
            return self._real_open(path, mode, *rest, **more)
        assert "b" in mode, "results are bytes"
        if not mine.exists() or "w" in mode:
            self._note(f"create {mine.name}")
        file = _File(mine, mode.replace("b", ""))
        file.disk = self
        self._paths[file.fileno()] = mine
        return file


class _File(io.FileIO):
    """A file whose writes are watched; unbuffered, so that they happen when they are asked for."""

    disk: Disk

    def write(self, data: Any) -> int:
        name = Path(str(self.name)).name
        self.disk._note(f"write {name}")
        half = len(data) // 2
        super().write(data[:half])
        self.disk._note(f"tear {name}")
        super().write(data[half:])
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self.disk._paths.pop(self.fileno(), None)
        super().close()
