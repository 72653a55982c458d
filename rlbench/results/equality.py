"""Comparing two copies of one trial, every stored file but ``timing.json``, bit by bit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from rlbench.results.files import read_bytes
from rlbench.results.records import Status
from rlbench.results.store import read_status

if TYPE_CHECKING:
    import pyarrow as pa

Likeness = Literal["equal", "same numbers", "different", "damaged"]


class Finding(msgspec.Struct, frozen=True):
    """How a file compares, and where it first differs or what is wrong with it.

    ``same numbers``: other bytes that say the same, as another version of pyarrow writes them.
    """

    likeness: Likeness
    detail: str = ""


def compare_trials(then: Path, now: Path) -> dict[str, Finding]:
    """Compare a trial's folder with another of the same trial, file by file.

    Where the two ended differently, that is the only finding.
    """
    before, after = read_status(then), read_status(now)
    if before is None:
        return {"status.json": Finding("damaged", f"{then / 'status.json'} is damaged or missing")}
    if after is None:
        return {"status.json": Finding("different", f"{before.status} then, without an end now")}
    ends = [(one.status, one.step, one.error) for one in (before, after)]
    if ends[0] != ends[1]:
        return {"status.json": Finding("different", f"{_end(before)} then, {_end(after)} now")}
    found = {"trial.json": _compare_records(then / "trial.json", now / "trial.json")}
    for name in sorted({*before.files, *after.files}):
        if name not in before.files or name not in after.files:
            found[name] = Finding(
                "different", f"it is there {'then' if name in before.files else 'now'} only"
            )
        else:
            found[name] = _compare_data(then / name, now / name, before.files[name])
    found["status.json"] = Finding("equal" if before == after else "same numbers")
    return found


def _end(status: Status) -> str:
    error = (status.error or "").strip().splitlines()
    return f"{status.status} at step {status.step}" + (f" ({error[-1]})" if error else "")


def _compare_records(then: Path, now: Path) -> Finding:
    return (
        Finding("equal") if read_bytes(then) == read_bytes(now) else Finding("different", "another identity")
    )


def _compare_data(then: Path, now: Path, sha256: str) -> Finding:
    before, after = read_bytes(then), read_bytes(now) or b""
    if before is None or hashlib.sha256(before).hexdigest() != sha256:
        return Finding("damaged", f"{then} is not what status.json tells of")
    if before == after:
        return Finding("equal")
    compare = _first_row if then.suffix == ".parquet" else _first_number
    try:
        detail = compare(before, after)
    except Exception as error:  # whole by its checksum, and yet no file of ours
        return Finding("damaged", f"{then} cannot be read: {type(error).__name__}: {error}")
    return Finding("different", detail) if detail else Finding("same numbers")


def _first_row(before: bytes, after: bytes) -> str:
    """Say where two tables part; empty where they hold the same."""
    import pyarrow as pa
    import pyarrow.parquet

    tables = [pyarrow.parquet.ParquetFile(pa.BufferReader(data)).read() for data in (before, after)]
    names = [table.column_names for table in tables]
    if names[0] != names[1]:
        return f"columns {names[0]} then, {names[1]} now"
    rows = [table.num_rows for table in tables]
    first: tuple[int, str] | None = None
    for name in names[0]:
        parted = _part(*(table.column(name).slice(0, min(rows)) for table in tables))
        if parted is not None and (first is None or parted < first[0]):
            first = (parted, name)
    parts = []
    if first is not None:
        row, name = first
        values = [table.column(name)[row].as_py() for table in tables]
        step = tables[0].column("step")[row].as_py() if "step" in names[0] else "?"
        parts.append(f"row {row} (step {step}), column {name}: {values[0]!r} then, {values[1]!r} now")
    if rows[0] != rows[1]:
        parts.append(f"{rows[0]} rows then, {rows[1]} now")
    return "; ".join(parts)


def _part(before: pa.ChunkedArray, after: pa.ChunkedArray) -> int | None:
    """Give the first row in which two columns of equal length differ, floats by their bits."""
    if before.type != after.type:
        return 0
    (there_before, bits_before), (there_after, bits_after) = _bits(before), _bits(after)
    parted = np.flatnonzero((there_before != there_after) | (bits_before != bits_after))
    return int(parted[0]) if len(parted) else None


def _bits(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Give where a column has a value, and the values in a form that compares by bits."""
    there = np.asarray(column.is_valid())
    values = column.fill_null("" if str(column.type) == "string" else 0).to_numpy()
    return there, values.view(np.int64) if values.dtype == np.float64 else values


def _first_number(before: bytes, after: bytes) -> str:
    """Say where two files of weights part; empty where they hold the same."""
    from safetensors.numpy import load

    then, now = load(before), load(after)
    if then.keys() != now.keys():
        return f"tensors {sorted(then)} then, {sorted(now)} now"
    for name, tensor in sorted(then.items()):
        other = now[name]
        if (tensor.dtype, tensor.shape) != (other.dtype, other.shape):
            forms = [f"{one.dtype}{list(one.shape)}" for one in (tensor, other)]
            return f"tensor {name}: {forms[0]} then, {forms[1]} now"
        bits = [np.frombuffer(one.tobytes(), np.uint8).reshape(-1, one.itemsize) for one in (tensor, other)]
        parted = np.flatnonzero((bits[0] != bits[1]).any(axis=1))
        if parted.size:
            place = np.unravel_index(parted[0], tensor.shape)
            return (
                f"tensor {name}{[int(index) for index in place]}: {tensor[place].item()!r} then, "
                f"{other[place].item()!r} now; {len(parted)} of its {tensor.size} numbers differ"
            )
    return ""
