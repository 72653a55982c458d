"""Pictures of episodes in a results folder: for each a moving one, a still one, and what they show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from rlbench.api import FolderError
from rlbench.results.files import make_folder, write_atomically, write_errors
from rlbench.results.frames import StoredTrial
from rlbench.results.records import SCHEMA_VERSION, open_sealed, readable_json, seal

FOLDER = "videos"
LARGEST = 2**20  # bytes of a picture; a larger one is none of ours
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Pixels = Annotated[int, msgspec.Meta(ge=1, le=4096)]  # far more than rlbench draws
_SUFFIXES = ("webp", "png")  # of the moving and of the still one


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture shows: ``videos/ALGO/ENV/seed-K-HASH-episode-E.json``, beside the pictures.

    ``step`` is the evaluation's; ``trial`` is the trial's hash. ``files`` gives the sha256 of each picture by
    its suffix.
    """

    trial: str
    step: _Count
    episode: _Count
    episode_return: float
    episode_length: _Count
    width: _Pixels
    height: _Pixels
    files: dict[str, str]
    schema_version: Annotated[int, msgspec.Meta(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION


class Video(NamedTuple):
    """A whole picture of one episode of a trial."""

    trial: StoredTrial
    episode: Episode
    path: Path  # of the moving picture
    moving: bytes  # WebP
    still: bytes  # PNG


def video_path(root: Path, trial: StoredTrial, episode: int) -> Path:
    """Give where the moving picture of a trial's episode is kept."""
    algorithm, env, folder = trial.path.parts[-3:]
    return root / FOLDER / algorithm / env / f"{folder}-episode-{episode}.{_SUFFIXES[0]}"


def write_video(root: Path, trial: StoredTrial, episode: Episode, pictures: Mapping[str, bytes]) -> Path:
    """Keep the ``webp`` and the ``png`` of an episode; give the path of the moving one.

    Raises ``FolderError`` where they cannot be written, or a link leads out of the results folder.
    """
    path = video_path(root, trial, episode.episode)
    _check_links(root, path)
    files = {suffix: hashlib.sha256(pictures[suffix]).hexdigest() for suffix in _SUFFIXES}
    document = seal(msgspec.to_builtins(msgspec.structs.replace(episode, files=files)))
    with write_errors(path.parent):
        make_folder(path.parent)
    write_atomically(
        {path.with_suffix(f".{suffix}"): pictures[suffix] for suffix in _SUFFIXES}
        | {path.with_suffix(".json"): readable_json(document)}
    )
    return path


def read_videos(root: Path, trials: Iterable[StoredTrial]) -> tuple[list[Video], list[Path]]:
    """Give the whole pictures of these trials, and the files that are not the ones they should be.

    A picture is whole where it has the type that its name says and the sha256 that its document says. What a
    later version of rlbench wrote is among the files that are not: it can be drawn again.
    """
    found: list[Video] = []
    damaged: list[Path] = []
    for trial in trials:
        folder = video_path(root, trial, 0).parent
        for path in sorted(folder.glob(f"{trial.path.name}-episode-*.json")):
            video = _read(root, trial, path)
            if video is None:
                damaged.append(path)
            else:
                found.append(video)
    return found, damaged


def _read(root: Path, trial: StoredTrial, path: Path) -> Video | None:
    document = open_sealed(_content(root, path))
    if document is None:
        return None
    try:
        episode = msgspec.convert(document, Episode)
    except msgspec.ValidationError:
        return None
    moving, still = (_content(root, path.with_suffix(f".{suffix}")) for suffix in _SUFFIXES)
    sums = {"webp": hashlib.sha256(moving).hexdigest(), "png": hashlib.sha256(still).hexdigest()}
    place = video_path(root, trial, episode.episode)
    if episode.files != sums or episode.trial != trial.hash or place.with_suffix(".json") != path:
        return None
    if not (_is_webp(moving) and still.startswith(b"\x89PNG\r\n\x1a\n")):
        return None
    return Video(trial, episode, place, moving, still)


def _content(root: Path, path: Path) -> bytes:
    """Give a file's content; nothing where it is too large, is not there or lies elsewhere."""
    try:
        _check_links(root, path)
        return path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST else b""
    except (OSError, FolderError):
        return b""


def _is_webp(data: bytes) -> bool:
    """Whether data are one WebP container: ``RIFF``, the length of the rest, ``WEBP`` (RFC 9649, 2.4)."""
    length = int.from_bytes(data[4:8], "little")
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP" and length == len(data) - 8


def _check_links(root: Path, path: Path) -> None:
    for part in (path, *path.parents):
        if part == root:
            return
        if part.is_symlink():
            raise FolderError(f"{part} is a link; replace it by a folder and run the same command again")
