"""The identity of a trial and the form that names and documents take on disk."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote

import msgspec

from rlbench.api import FolderError, UsageError

SCHEMA_VERSION = 1
Outcome = Literal["finished", "diverged", "failed"]
STATUSES: tuple[Outcome, ...] = get_args(Outcome)

_LONGEST_NAME = 255  # bytes in one component of a path on every common file system
_TRIAL_FOLDER = re.compile(r"seed-(0|[1-9][0-9]{0,17})-([0-9a-f]{16})")


def encode_name(name: str) -> str:
    """Give ``name`` as one component of a path: percent-encoded outside ``A-Z a-z 0-9 . _ -``.

    Raises ``UsageError`` where that is impossible: an empty name, one that is no text, one too long.
    """
    try:
        encoded = quote(name, safe="").replace("~", "%7E")
    except UnicodeEncodeError:
        raise UsageError(f"the name {name!r} is not valid text; choose another") from None
    if not encoded:
        raise UsageError("a name is empty; give it at least one character")
    if set(encoded) == {"."}:
        encoded = encoded.replace(".", "%2E")  # "." and ".." would leave the folder
    if len(encoded) > _LONGEST_NAME:
        raise UsageError(
            f"the name {name[:40]!r}... takes {len(encoded)} bytes as a folder's name; "
            f"shorten it to {_LONGEST_NAME} (a byte outside A-Z a-z 0-9 . _ - counts three)"
        )
    return encoded


def decode_name(encoded: str) -> str:
    """Give back the name that :func:`encode_name` encoded."""
    return unquote(encoded, errors="replace")


def canonical_json(document: Any) -> bytes:
    """Give the one JSON text of a document: sorted keys, no spaces, numbers as Python prints them.

    Raises ``UsageError`` for what JSON cannot carry, infinity and NaN included.
    """
    try:
        return json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"a setting cannot be stored as JSON ({error}); "
            "use finite numbers, text, true, false, lists and tables"
        ) from None


def content_hash(document: Any) -> str:
    """Give the first 16 hex digits of the sha256 of the document's canonical JSON."""
    return hashlib.sha256(canonical_json(document)).hexdigest()[:16]


def readable_json(document: Any) -> bytes:
    """Give a document as people read it: indented, keys sorted, the same bytes for the same content."""
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Add a ``checksum`` over everything else."""
    return {**document, "checksum": hashlib.sha256(canonical_json(document)).hexdigest()}


def open_sealed(data: bytes) -> dict[str, Any] | None:
    """Give the document under a seal without its checksum, or ``None`` where the two do not match."""
    try:
        document = json.loads(data)
        checksum = document.pop("checksum")
        whole = hashlib.sha256(canonical_json(document)).hexdigest() == checksum
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return document if whole else None


def check_schema(document: Mapping[str, Any], where: Any) -> None:
    """Raise ``FolderError`` where a document was written by a later version of rlbench."""
    version = document.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise FolderError(
            f"{where} was written by a newer rlbench (schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}); upgrade rlbench"
        )


class Timing(msgspec.Struct):
    """What ``timing.json`` says that frames show: times, and on what the trial was made."""

    attempts: int | None = None
    wall_seconds: float | None = None
    steps_per_second: float | None = None
    device: str | None = None
    gpu: str | None = None
    torch: str | None = None
    numpy: str | None = None
    gymnasium: str | None = None
    python: str | None = None
    platform: str | None = None
    processor: str | None = None
    capability: str | None = None
    kernels: str | None = None
    variables: str | None = None


PLATFORM = Timing.__struct_fields__[3:]
"""What bits depend on beside the trial, as ``timing.json`` names it."""


class TrialIdentity(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that decides a trial's results; two trials with equal identities are one trial.

    ``config`` and ``env_kwargs`` are resolved and hold JSON values only.
    """

    label: str
    algorithm: str
    kind: str
    distribution: str
    version: str
    config: dict[str, Any]
    env: str
    env_kwargs: dict[str, Any]
    seed: int
    steps: int
    max_episode_steps: int
    evaluation_points: int
    evaluation_episodes: int
    schema_version: int = SCHEMA_VERSION

    def document(self) -> dict[str, Any]:
        """Give the identity as the JSON document that ``trial.json`` holds."""
        return json.loads(canonical_json({name: getattr(self, name) for name in self.__struct_fields__}))

    @cached_property  # a run over thousands of trials asks for it many times
    def hash(self) -> str:
        """The content hash: 16 hex digits."""
        return content_hash(self.document())

    @property
    def folder(self) -> str:
        """Where the trial lives below ``trials/``."""
        return f"{encode_name(self.label)}/{encode_name(self.env)}/seed-{self.seed}-{self.hash}"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial ended: ``status.json``. ``files`` gives the sha256 of each data file by name."""

    status: Outcome
    step: int
    files: dict[str, str]
    error: str | None = None
    schema_version: int = SCHEMA_VERSION


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A committed checkpoint of an unfinished trial: ``checkpoint/STEP.json`` beside ``STEP.safetensors``.

    ``rows`` gives the length in bytes of each table's lines at that moment; ``clock`` and ``machine`` are the
    runner's: the time used so far, and what the bits depend on beside the trial's identity.
    """

    step: int
    sha256: str
    rows: dict[str, int]
    clock: dict[str, Any]
    machine: dict[str, Any]
    schema_version: int = SCHEMA_VERSION


def parse_trial_folder(name: str) -> tuple[int, str] | None:
    """Give the seed and the hash that a trial's folder is named after; ``None`` for any other folder."""
    match = _TRIAL_FOLDER.fullmatch(name)
    return (int(match[1]), match[2]) if match else None
