"""The section that shows episodes which have been drawn; nothing is played for it."""

from __future__ import annotations

import base64
from typing import Any

from rlbench.api import Section
from rlbench.reports.markup import fragment
from rlbench.reports.style import looks_of
from rlbench.results.videos import Video, read_videos

_MOST_BYTES = 1_500_000  # of pictures in one page, whose size they would otherwise decide


def episodes(results: Any) -> Section | None:
    """Show the pictures in the results folder, each moving one with a still for who prefers that."""
    frames = results.frames
    videos, damaged = read_videos(frames.root, frames.stored)
    if not videos and not damaged:
        return None
    videos.sort(
        key=lambda video: (video.trial.env, video.trial.label, video.trial.seed, video.episode.episode)
    )
    shown, left_out, size = [], [], 0
    for video in videos:
        mine = len(video.moving) + len(video.still)
        if size + mine > _MOST_BYTES:
            left_out.append(video.path.relative_to(frames.root).as_posix())
            continue
        size += mine
        shown.append((video, _inline("webp", video.moving), _inline("png", video.still), _place(video)))
    html = fragment(
        "episodes.html",
        shown=shown,
        left_out=left_out,
        damaged=[path.relative_to(frames.root).as_posix() for path in damaged],
        looks=looks_of(results),
    )
    return Section(html)


def _inline(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _place(video: Video) -> str:
    """Say which episode it is: all are of a last evaluation."""
    return "first episode" if video.episode.episode == 0 else f"episode {video.episode.episode + 1}"
