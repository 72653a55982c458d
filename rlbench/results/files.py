"""Files that are there whole or not at all, whatever ends the process or the machine that writes them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rlbench.api import FolderError

CURES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}
"""What to do about an ``OSError``, by its number."""


def read_bytes(path: Path) -> bytes | None:
    """Give a regular file's content, ``None`` where there is no such file, or a link that leads nowhere.

    A pipe or a device, which may never end, is no such file. Raises ``FolderError`` where it cannot be read:
    that may pass, and is no reason to write it anew.
    """
    try:
        return path.read_bytes() if stat.S_ISREG(path.stat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise FolderError(f"cannot read {path}: {error.strerror}; make it readable") from None


def shown(path: Path | str) -> str:
    """Give a path as text that any output can carry, also where its bytes are none."""
    return str(path).encode(errors="backslashreplace").decode()


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` into a ``FolderError`` that names ``path``, the cause and the cure."""
    try:
        yield
    except OSError as error:
        cure = CURES.get(error.errno or 0, "mend that")
        raise FolderError(
            f"cannot write {path}: {error.strerror or error}; {cure} and run the same command again"
        ) from error


def write_atomically(contents: Mapping[Path, bytes | Iterable[bytes | memoryview]]) -> None:
    """Write files of one folder, each of which is there whole or not at all; content may come in pieces.

    Returns when they are on the disk: files synced under temporary names, renamed, and the folder synced.
    Raises ``FolderError`` where that fails, and then leaves no temporary file: it may be space that is short.
    """
    folder = next(iter(contents)).parent
    with write_errors(folder):
        try:
            for path, content in contents.items():
                remove(_temporary(path))  # never through a link
                with _temporary(path).open("wb") as file:
                    file.writelines([content] if isinstance(content, bytes) else content)
                    file.flush()
                    os.fsync(file.fileno())
            for path in contents:
                _temporary(path).replace(path)
        except OSError:
            for path in contents:
                with contextlib.suppress(OSError):
                    _temporary(path).unlink()
            raise
        sync_folder(folder)


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def make_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a crash of the machine."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)  # also where it is there: a kill may have come before its parent was synced


def sync_file(path: Path) -> int:
    """Put a file's content on the disk and give its length in bytes."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return file.seek(0, os.SEEK_END)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk, where its file system and its owner let us."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # a folder that may be written to but not read
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what file systems say that cannot sync folders
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that it holds; a link alone, never what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
