"""Writing a results folder so that a kill at any moment loses nothing that was finished."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import filelock
import msgspec
import numpy as np

from rlbench.api import FolderError, UsageError
from rlbench.results.files import (
    CURES,
    make_folder,
    read_bytes,
    remove,
    sync_file,
    sync_folder,
    write_atomically,
    write_errors,
)
from rlbench.results.records import (
    Checkpoint,
    Outcome,
    Status,
    TrialIdentity,
    check_schema,
    content_hash,
    open_sealed,
    readable_json,
    seal,
)

Table = Literal["evaluations", "episodes", "diagnostics"]

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "evaluations": {
        "step": "int64",
        "actual_step": "int64",
        "episode": "int64",
        "episode_return": "float64",
        "episode_length": "int64",
        "exact_value": "float64",
    },
    "episodes": {
        "step": "int64",
        "env_index": "int64",
        "episode_return": "float64",
        "episode_length": "int64",
    },
    "diagnostics": {"step": "int64", "name": "string", "value": "float64"},
}
"""The columns of each table of a trial with their types; ``exact_value`` may be null."""

FIRST_ATTEMPT: Mapping[str, Any] = {"attempts": 1}

CHECKPOINTS_KEPT = 2
"""A damaged checkpoint falls back to the one before it."""

LOCK = ".lock"

LOCK_SECONDS = 0.5
"""How long a run waits for a lock that somebody merely looks at."""

_LINE_HEAD = b'{"crc":"%08x","columns":'


class Store:
    """A results folder, seen by its one writer."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def prepare(self) -> None:
        """Create the folder; ``UsageError`` if it cannot be written."""
        probe = self.root / ".probe.tmp"
        try:
            make_folder(self.root)
            remove(probe)  # never through a link
            probe.write_bytes(b"")
            probe.unlink()
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            cause = getattr(error, "strerror", None) or error
            cure = CURES.get(getattr(error, "errno", None) or 0)
            raise UsageError(
                f"cannot write to {self.root}: {cause}; "
                f"{cure + ', or ' if cure else ''}choose another folder with --out"
            ) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder as its only writer; ``FolderError`` if somebody else does. A kill releases it.

        The time of the file ``.lock`` says since when.
        """
        path = self.root / LOCK
        lock = filelock.FileLock(path, timeout=LOCK_SECONDS)
        with write_errors(path):
            try:
                lock.acquire()
                os.utime(path)
            except filelock.Timeout:
                raise FolderError(
                    f"another run is writing to {self.root}; "
                    "wait for its end, or give another folder with --out"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def locked_since(self) -> float | None:
        """Give when the run began that is writing to the folder now; ``None`` where there is none.

        It looks for a moment whether the lock could be shared: too short to keep a run from starting.
        """
        try:
            descriptor = os.open(self.root / LOCK, os.O_RDONLY)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.fstat(descriptor).st_mtime
        except OSError:  # a file system without locks: nobody can tell
            return None
        finally:
            os.close(descriptor)
        return None

    def folder(self, identity: TrialIdentity) -> Path:
        """Give the folder of a trial, which may not exist yet."""
        return self.root / "trials" / identity.folder

    def status(self, identity: TrialIdentity) -> Status | None:
        """Give how the trial ended; ``None`` if it has not, or if its ``status.json`` is damaged."""
        return read_status(self.folder(identity))

    def attempts(self, identity: TrialIdentity) -> dict[str, Any]:
        """Give how many ``attempts`` there were, and why the trial was ``restarted`` if it was."""
        found = open_sealed(read_bytes(self.folder(identity) / "timing.json") or b"") or {}
        kinds = {"attempts": int, "restarted": str}
        return {"attempts": 0} | {
            name: found[name] for name, kind in kinds.items() if isinstance(found.get(name), kind)
        }

    def begin(self, identity: TrialIdentity, timing: Mapping[str, Any] = FIRST_ATTEMPT) -> TrialWriter:
        """Start a trial from nothing: leftovers of an earlier attempt, a failed one too, are removed.

        ``timing`` says which attempt this is, in case it is the last that anybody hears of it.

        Raises ``FolderError`` if the trial is finished or diverged: results are never overwritten.
        """
        folder = self._own(self.folder(identity))
        status = read_status(folder)
        if status is not None and status.status != "failed":
            raise FolderError(f"{folder} holds a {status.status} trial; remove it to run it again")
        with write_errors(folder):
            make_folder(folder)
            remove(folder / "status.json")  # first: without it nothing else counts
            for entry in folder.iterdir():
                remove(entry)
        contents = {"trial.json": identity.document(), "timing.json": seal(timing)}
        write_atomically({folder / name: readable_json(content) for name, content in contents.items()})
        return TrialWriter(folder)

    def checkpoints(self, identity: TrialIdentity) -> list[Checkpoint]:
        """Give the whole checkpoints of an unfinished trial, newest first; damaged ones are passed over."""
        folder = self.folder(identity)
        tables = list(folder.glob("*.jsonl"))
        if any(path.is_symlink() for path in (folder / "checkpoint", *tables)):
            return []  # what would be written or cut off lies elsewhere
        if not all(path.is_file() for path in tables):
            return []  # a pipe would hold up whoever writes to it
        return sorted(
            (found for path in folder.glob("checkpoint/*.json") if (found := _read_checkpoint(path))),
            key=lambda checkpoint: -checkpoint.step,
        )

    def resume(
        self, identity: TrialIdentity, checkpoint: Checkpoint, timing: Mapping[str, Any]
    ) -> TrialWriter:
        """Take a trial up at a checkpoint: rows and checkpoints that came later are removed.

        ``timing`` as for :meth:`begin`.
        """
        folder = self._own(self.folder(identity))
        with write_errors(folder):
            for table, length in checkpoint.rows.items():
                path = folder / f"{table}.jsonl"
                if path.exists():
                    os.truncate(path, length)
            _remove_checkpoints(folder, lambda step: step > checkpoint.step)
            os.utime(folder)  # its time says since when the trial has been running
            contents = {folder / "timing.json": readable_json(seal(timing))}
            document, path = readable_json(identity.document()), folder / "trial.json"
            if not path.is_file() or path.read_bytes() != document:
                contents[path] = document
            write_atomically(contents)
        return TrialWriter(folder)

    def tidy(self, identity: TrialIdentity) -> None:
        """Remove what a kill left beside a trial that had just ended."""
        folder = self.folder(identity)
        with write_errors(folder):
            if any(_is_leftover(name) for name in os.listdir(folder)):
                _sweep(self._own(folder))

    def write_experiment(self, document: Mapping[str, Any]) -> Path:
        """Keep a request as ``experiments/HASH.json``, named after its content."""
        return self.keep(f"experiments/{content_hash(document)}.json", document)

    def keep(self, place: str, document: Mapping[str, Any]) -> Path:
        """Keep a JSON document at ``place`` below the root; a file that holds it already stays as it is."""
        path = self.root / place
        folder = self._own(path.parent)
        with write_errors(folder):
            make_folder(folder)
        content = readable_json(document)
        if not path.is_file() or path.read_bytes() != content:
            write_atomically({path: content})
        return path

    def _own(self, folder: Path) -> Path:
        """Give ``folder``; ``FolderError`` where a link below the root leads to another place."""
        for part in (folder, *folder.parents):
            if part == self.root:
                break
            if part.is_symlink():
                raise FolderError(
                    f"{part} is a link, and a run writes to its own folder only; "
                    "replace it by a folder and run the same command again"
                )
        return folder


class TrialWriter:
    """Takes one trial's rows while it runs and seals them at its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
        """Append rows to a table, given as equally long columns; ``exact_value`` may be left out.

        They go to a file of checked JSON lines, which survives this process but not the machine.
        """
        expected = set(COLUMNS[table])
        values = {name: np.asarray(column).tolist() for name, column in columns.items()}
        if set(values) | {"exact_value"} != expected | {"exact_value"}:
            raise ValueError(f"{table} has the columns {sorted(expected)}, not {sorted(values)}")
        if len({len(column) for column in values.values()}) != 1:
            raise ValueError(f"columns of {table} differ in length")
        body = json.dumps(values, separators=(",", ":")).encode()
        line = _LINE_HEAD % zlib.crc32(body) + body + b"}\n"
        path = self.folder / f"{table}.jsonl"
        with write_errors(path), path.open("ab") as file:
            file.write(line)

    def commit(self, step: int, sha256: str, clock: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
        """Commit the checkpoint that a worker wrote at ``step``; the ones before the last are removed."""
        rows = {}
        with write_errors(self.folder):
            for table in COLUMNS:
                path = self.folder / f"{table}.jsonl"
                rows[table] = sync_file(path) if path.exists() else 0
            sync_folder(self.folder)  # the tables and checkpoint/ themselves may be new
        checkpoint = Checkpoint(step=step, sha256=sha256, rows=rows, clock=dict(clock), machine=dict(machine))
        path = checkpoint_path(self.folder, step).with_suffix(".json")
        write_atomically({path: readable_json(seal(msgspec.to_builtins(checkpoint)))})
        kept = sorted(int(found.stem) for found in path.parent.glob("*.json"))[-CHECKPOINTS_KEPT:]
        with write_errors(self.folder):
            _remove_checkpoints(self.folder, lambda found: found < kept[0])

    def keep_log(self, text: str) -> None:
        """Keep the end of what a failed trial's worker printed as ``log.txt``."""
        write_atomically({self.folder / "log.txt": text.encode()})

    def finish(
        self,
        status: Outcome,
        *,
        step: int,
        weights: bytes | None,
        timing: Mapping[str, Any],
        error: str | None,
    ) -> None:
        """Seal the trial: Parquet files, weights, timing, and ``status.json`` last of all."""
        contents = {f"{table}.parquet": _parquet(table, self._rows(table)) for table in COLUMNS}
        if weights is not None:
            contents["final.safetensors"] = weights
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(contents.items())}
        # Timing differs between identical runs, so its checksum is its own and not in status.json.
        contents["timing.json"] = readable_json(seal(timing))
        write_atomically({self.folder / name: data for name, data in contents.items()})
        end = Status(status=status, step=step, files=hashes, error=error)
        write_atomically({self.folder / "status.json": readable_json(seal(msgspec.to_builtins(end)))})
        with write_errors(self.folder):
            _sweep(self.folder)

    def _rows(self, table: str) -> dict[str, list[Any]]:
        rows: dict[str, list[Any]] = {name: [] for name in COLUMNS[table]}
        path = self.folder / f"{table}.jsonl"
        for number, columns in enumerate(read_lines(read_bytes(path) or b"")):
            if columns is None:
                raise FolderError(f"line {number + 1} of {path} is damaged; run the same command again")
            length = len(columns["step"])
            for name, column in rows.items():
                column.extend(columns.get(name, [None] * length))
        return rows


def read_lines(data: bytes) -> Iterator[dict[str, list[Any]] | None]:
    """Give the columns of each checked JSON line; ``None`` for one that is damaged or cut off."""
    start = len(_LINE_HEAD % 0)
    for line in data.splitlines():
        body = line[start:-1]
        whole = line[:start] == _LINE_HEAD % zlib.crc32(body) and line[-1:] == b"}"
        yield json.loads(body) if whole else None


def read_status(folder: Path) -> Status | None:
    """Give the verified ``status.json`` of a trial's folder; ``None`` if there is none or it is damaged."""
    path = folder / "status.json"
    data = read_bytes(path)
    document = None if data is None else open_sealed(data)
    if document is None:
        return None
    check_schema(document, path)
    try:
        status = msgspec.convert(document, Status)
    except msgspec.ValidationError:
        return None
    inside = all(name == Path(name).name not in ("", "..") for name in status.files)  # none leads elsewhere
    return status if inside else None


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where a worker writes the checkpoint at ``step`` of the trial in ``folder``."""
    return folder / "checkpoint" / f"{step}.safetensors"


def _read_checkpoint(path: Path) -> Checkpoint | None:
    """Give the checkpoint that ``path`` commits, if it, its data and the rows up to it are whole."""
    try:
        document = open_sealed(read_bytes(path) or b"")
        data = read_bytes(path.with_suffix(".safetensors")) or b""
        if document is None or hashlib.sha256(data).hexdigest() != document["sha256"]:
            return None
        checkpoint = msgspec.convert(document, Checkpoint)
        if path.stem != str(checkpoint.step):
            return None
        for table, length in checkpoint.rows.items():
            lines = (read_bytes(path.parent.parent / f"{table}.jsonl") or b"")[:length]
            if len(lines) != length or any(row is None for row in read_lines(lines)):
                return None
    except (FolderError, KeyError, ValueError):
        return None
    return checkpoint


def _remove_checkpoints(folder: Path, unwanted: Callable[[int], bool]) -> None:
    """Remove checkpoints by step; the commit goes before its data, which means nothing without it."""
    for path in sorted(folder.glob("checkpoint/*")):  # .json sorts before .safetensors
        step = path.name.partition(".")[0]
        if not step.isdecimal() or unwanted(int(step)):
            remove(path)


def _is_leftover(name: str) -> bool:
    """Whether a file or folder of a trial belongs to a running one alone."""
    return name == "checkpoint" or name.endswith((".jsonl", ".tmp"))


def _sweep(folder: Path) -> None:
    for name in os.listdir(folder):
        if _is_leftover(name):
            remove(folder / name)


def _parquet(table: str, rows: Mapping[str, list[Any]]) -> bytes:
    """Give a table as Parquet: the same rows give the same bytes."""
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, kind) for name, kind in COLUMNS[table].items()])
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table(rows, schema=schema), buffer, compression="zstd", store_schema=False
    )
    return buffer.getvalue()
