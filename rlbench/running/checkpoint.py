"""Checkpoints as a worker writes and reads them: a file for each trial, so that cohorts can be re-formed.

A state is a tree of dicts, numpy arrays and JSON scalars. Arrays become tensors; the rest, with the place of
every array, becomes JSON in the file's metadata. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.results.files import write_atomically, write_errors
from rlbench.results.store import checkpoint_path

_ARRAY = "array"


def write(folder: Path, step: int, state: Mapping[str, Any]) -> str:
    """Write the state of the trial in ``folder`` at ``step``; give the file's sha256.

    Raises ``FolderError`` where it cannot be written.
    """
    tensors: dict[str, np.ndarray] = {}
    tree = _flatten(state, tensors)
    path, digest = checkpoint_path(folder, step), hashlib.sha256()

    def pieces() -> Iterator[bytes | memoryview]:
        for piece in _safetensors(tensors, {"tree": json.dumps(tree)}):
            digest.update(piece)
            yield piece

    with write_errors(path.parent):
        path.parent.mkdir(exist_ok=True)
    write_atomically({path: pieces()})
    return digest.hexdigest()


def _safetensors(
    tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Give a safetensors file piece by piece, where the library would hold two copies of all tensors.

    The length of the header (8 bytes), the header (JSON, padded to 8 bytes), then the tensors' bytes without
    gaps: https://huggingface.co/docs/safetensors, "Format".
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    ordered = sorted(tensors, key=lambda name: -tensors[name].itemsize)  # so that every tensor is aligned
    end = 0
    for name in ordered:
        array, start, end = tensors[name], end, end + tensors[name].nbytes
        kind = "BOOL" if array.dtype == bool else f"{array.dtype.kind.upper()}{8 * array.itemsize}"
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for name in ordered:
        yield np.ravel(tensors[name]).view(np.uint8).data


def read(folder: Path, step: int) -> dict[str, Any]:
    """Read the state that :func:`write` wrote; raises whatever reading a damaged file raises."""
    from safetensors import safe_open

    with safe_open(checkpoint_path(folder, step), framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        return _restore(json.loads(file.metadata()["tree"]), tensors)


def cut(state: Any, index: int) -> Any:
    """Give one seed's part of a batched state: row ``index`` of every array, scalars as they are."""
    if isinstance(state, Mapping):
        return {key: cut(value, index) for key, value in state.items()}
    return state[index] if isinstance(state, np.ndarray) else state


def join(states: Sequence[Any]) -> Any:
    """Give the batched state of seeds that stand at the same step: arrays stacked, scalars of the first.

    Arrays that differ in shape become an object array ``[S]`` of arrays; :func:`cut` gives them back.
    """
    first = states[0]
    if isinstance(first, Mapping):
        return {key: join([state[key] for state in states]) for key in first}
    if not isinstance(first, np.ndarray):
        return first
    if all(state.shape == first.shape for state in states):
        return np.stack(states)
    joined = np.empty(len(states), dtype=object)
    for index, state in enumerate(states):
        joined[index] = state
    return joined


def _flatten(state: Any, tensors: dict[str, np.ndarray]) -> Any:
    if isinstance(state, Mapping):
        return {str(key): _flatten(value, tensors) for key, value in state.items()}
    if isinstance(state, np.ndarray | np.generic):
        name = str(len(tensors))
        if state.dtype.kind not in "biuf" or state.itemsize > 8:
            raise TypeError(f"a state holds an array of {state.dtype}; only numbers and booleans are kept")
        tensors[name] = np.ascontiguousarray(state, dtype=state.dtype.newbyteorder("<"))
        return {_ARRAY: name, "shape": list(np.shape(state))}
    return state


def _restore(tree: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {_ARRAY, "shape"}:
        return tensors[tree[_ARRAY]].reshape(tree["shape"])
    return {key: _restore(value, tensors) for key, value in tree.items()}
