"""The section that shows episodes which have been drawn; nothing is played for it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlbench.analysis.scores import typical_trials
from rlbench.api import Section
from rlbench.reports.markup import fragment
from rlbench.reports.style import looks_of
from rlbench.results.videos import Video, read_videos

if TYPE_CHECKING:
    import pandas as pd

_TRIAL = ["algorithm", "env", "seed"]
_EPISODE = ["step", "episode", "episode_return", "episode_length"]
_MOST_BYTES = 1_500_000  # of pictures in one page, whose size they would otherwise decide


def episodes(results: Any) -> Section | None:
    """Show the pictures in the results folder, each moving one with a still for who prefers that."""
    frames = results.frames
    videos, damaged = read_videos(frames.root, frames.stored)
    if not videos and not damaged:
        return None
    unlike = _unlike(videos, results.evaluations)
    videos = [video for video in videos if video.path not in {other.path for other in unlike}]
    videos.sort(
        key=lambda video: (video.trial.env, video.trial.label, video.trial.seed, video.episode.episode)
    )
    typical = results.trials[results.trials["hash"].isin(typical_trials(results.trials))]
    medians = set(typical["hash"])
    shown, left_out, size = [], [], 0
    for video in videos:
        mine = len(video.moving) + len(video.still)
        if size + mine > _MOST_BYTES:
            left_out.append(video.path.relative_to(frames.root).as_posix())
            continue
        size += mine
        pictures = (_inline("webp", video.moving), _inline("png", video.still))
        shown.append((video, *pictures, _place(video), video.trial.hash in medians))
    html = fragment(
        "episodes.html",
        shown=shown,
        others=_others(typical, videos),
        left_out=left_out,
        damaged=[path.relative_to(frames.root).as_posix() for path in damaged],
        unlike=[video.path.relative_to(frames.root).as_posix() for video in unlike],
        looks=looks_of(results),
    )
    return Section(html)


def _others(typical: pd.DataFrame, videos: Sequence[Video]) -> list[tuple[str, str, int]]:
    """Give the ``typical`` trials without a picture beside trials that have one, as more seeds leave them."""
    drawn = {(video.trial.label, video.trial.env) for video in videos}
    there = {video.trial.hash for video in videos}
    rows = typical.sort_values(_TRIAL)[[*_TRIAL, "hash"]].itertuples(index=False, name=None)
    return [(*cell, seed) for *cell, seed, digest in rows if tuple(cell) in drawn and digest not in there]


def _unlike(videos: Sequence[Video], evaluations: pd.DataFrame) -> list[Video]:
    """Give the pictures whose episode, return and length are none of their trial's last evaluation."""
    import pandas as pd

    if not videos:
        return []
    places = [(video.trial.label, video.trial.env, video.trial.seed) for video in videos]
    trials = pd.DataFrame(places, columns=_TRIAL).drop_duplicates()
    rows = evaluations.merge(trials, on=_TRIAL)
    last = rows[rows["step"] == rows.groupby(_TRIAL)["step"].transform("max")]
    stored = set(last[[*_TRIAL, *_EPISODE]].itertuples(index=False, name=None))
    said = [tuple(getattr(video.episode, name) for name in _EPISODE) for video in videos]
    return [
        video for video, place, one in zip(videos, places, said, strict=True) if place + one not in stored
    ]


def _inline(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _place(video: Video) -> str:
    """Say which episode it is: all are of a last evaluation."""
    return "first episode" if video.episode.episode == 0 else f"episode {video.episode.episode + 1}"
