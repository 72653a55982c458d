"""Pictures in a results folder: whole ones are found, and nothing else is taken for one."""

from __future__ import annotations

import hashlib

import pytest
from synthetic import identity, write_trial

from rlbench.api import FolderError
from rlbench.results.frames import Frames
from rlbench.results.records import open_sealed, readable_json, seal
from rlbench.results.store import Store
from rlbench.results.videos import LARGEST, Episode, read_videos, write_video

WEBP = b"RIFF" + (12).to_bytes(4, "little") + b"WEBPVP8L" + bytes(4)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def an_episode(trial, number=0):
    return Episode(
        trial=trial.hash,
        step=50_000,
        episode=number,
        episode_return=500.0,
        episode_length=500,
        width=300,
        height=200,
        files={},
    )


@pytest.fixture
def frames(tmp_path):
    store = Store(tmp_path / "run")
    for seed in range(2):
        write_trial(store, identity("a/b", "ALE/Pong-v5", seed))
    return Frames(store.root)


@pytest.fixture
def picture(frames):
    trial = frames.stored[0]
    return write_video(frames.root, trial, an_episode(trial), {"webp": WEBP, "png": PNG})


def replace(picture, suffix, data):
    """Put other data in the place of a picture, with a document that fits them."""
    picture.with_suffix(f".{suffix}").write_bytes(data)
    path = picture.with_suffix(".json")
    document = open_sealed(path.read_bytes())
    document["files"][suffix] = hashlib.sha256(data).hexdigest()
    path.write_bytes(readable_json(seal(document)))


def test_pictures_are_found_beside_their_documents_by_trial_and_episode(frames, picture):
    first, second = frames.stored
    write_video(frames.root, first, an_episode(first, 3), {"webp": WEBP, "png": PNG})
    write_video(frames.root, second, an_episode(second), {"webp": WEBP, "png": PNG})
    found, damaged = read_videos(frames.root, frames.stored)
    assert damaged == []
    assert [(video.trial.seed, video.episode.episode) for video in found] == [(0, 0), (0, 3), (1, 0)]
    assert (found[0].path, found[0].moving, found[0].still) == (picture, WEBP, PNG)
    assert picture.parent == frames.root / "videos" / "a%2Fb" / "ALE%2FPong-v5"
    assert read_videos(frames.root, [second])[0][0].trial is second


@pytest.mark.parametrize("suffix", ["json", "webp", "png"])
@pytest.mark.parametrize("harm", [lambda data: b"", lambda data: data[:-2], lambda data: data[:-1] + b"!"])
def test_damage_to_any_file_is_named(frames, picture, suffix, harm):
    path = picture.with_suffix(f".{suffix}")
    path.write_bytes(harm(path.read_bytes()))
    assert read_videos(frames.root, frames.stored) == ([], [picture.with_suffix(".json")])


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        ("webp", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("webp", b"GIF89a" + bytes(20)),
        ("webp", WEBP + b"<script>alert(1)</script>"),
        ("png", b"<!DOCTYPE html>"),
        ("png", PNG + bytes(LARGEST)),
    ],
)
def test_what_is_no_picture_of_its_type_is_not_taken_for_one(frames, picture, suffix, data):
    replace(picture, suffix, data)
    assert read_videos(frames.root, frames.stored) == ([], [picture.with_suffix(".json")])


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 99},
        {"schema_version": "x"},
        {"schema_version": 0},
        {"width": -5},
        {"height": 10**30},
        {"height": 0},
        {"episode_length": -7},
        {"step": -1},
    ],
)
def test_what_no_picture_of_ours_says_of_itself_is_damage_of_that_one(frames, picture, changes):
    second = frames.stored[1]
    other = write_video(frames.root, second, an_episode(second), {"webp": WEBP, "png": PNG})
    document = open_sealed(picture.with_suffix(".json").read_bytes()) | changes
    picture.with_suffix(".json").write_bytes(readable_json(seal(document)))
    found, damaged = read_videos(frames.root, frames.stored)
    assert [video.path for video in found] == [other]
    assert damaged == [picture.with_suffix(".json")]


def test_a_picture_of_another_trial_or_episode_is_damage(frames, picture):
    other = picture.with_name(picture.name.replace("episode-0", "episode-1"))
    for suffix in (".webp", ".png", ".json"):
        other.with_suffix(suffix).write_bytes(picture.with_suffix(suffix).read_bytes())
    second = frames.stored[1]
    moved = picture.with_name(f"{second.path.name}-episode-0.json")
    moved.write_bytes(picture.with_suffix(".json").read_bytes())
    found, damaged = read_videos(frames.root, frames.stored)
    assert [video.path for video in found] == [picture]
    assert damaged == [other.with_suffix(".json"), moved]


@pytest.mark.parametrize("place", ["videos", "videos/a%2Fb", "videos/a%2Fb/ALE%2FPong-v5"])
def test_no_link_leads_out_of_the_folder(frames, picture, tmp_path, place):
    outside = tmp_path / "outside"
    (frames.root / place).rename(outside)
    (frames.root / place).symlink_to(outside)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    trial = frames.stored[0]
    with pytest.raises(FolderError, match="is a link"):
        write_video(frames.root, trial, an_episode(trial, 7), {"webp": WEBP, "png": PNG})
    assert read_videos(frames.root, frames.stored)[0] == []
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


def test_a_picture_that_is_a_link_is_not_read(frames, picture, tmp_path):
    kept = tmp_path / "elsewhere.webp"
    picture.rename(kept)
    picture.symlink_to(kept)
    assert read_videos(frames.root, frames.stored)[0] == []
