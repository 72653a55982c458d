"""An episode played again in an environment that draws it, as a moving picture."""

from __future__ import annotations

import contextlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from PIL import Image

MOST_FRAMES = 200
_LONGEST_SIDE = 320  # pixels
_LONGEST_SECONDS = 30.0  # a longer episode is shown faster than it went
_SHORTEST_MILLISECONDS = 20  # below that, programs show a frame for as long as they like
_PAUSE_MILLISECONDS = 1500  # on the last frame, before it starts again
_DEFAULT_FPS = 30.0
_LARGEST_EXACT = 400_000  # bytes: a larger picture is kept with less detail

# Drawing needs neither a screen nor a loudspeaker, and nobody asked for the greeting on standard output.
_HEADLESS = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}


class CannotDraw(Exception):
    """An environment does not draw itself, or not the episode that was asked for."""


class Film(NamedTuple):
    """What an episode looks like: frames of one size, each shown for so many milliseconds."""

    frames: list[Image.Image]
    milliseconds: int

    def moving(self, kind: str) -> bytes:
        """Give an animated ``webp`` or ``gif`` that repeats for ever; the same film gives the same bytes."""
        exact = self._saved(kind, lossless=True, method=4)
        if kind == "webp" and len(exact) > _LARGEST_EXACT:
            return self._saved(kind, quality=50, method=4)
        return exact

    def _saved(self, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        first, *rest = self.frames
        durations = [*[self.milliseconds] * len(rest), self.milliseconds + _PAUSE_MILLISECONDS]
        first.save(buffer, kind, save_all=True, append_images=rest, duration=durations, loop=0, **options)
        return buffer.getvalue()

    def still(self) -> bytes:
        """Give the last frame as PNG: how the episode ended."""
        buffer = io.BytesIO()
        self.frames[-1].save(buffer, "png", optimize=True)
        return buffer.getvalue()


class Played(NamedTuple):
    """An episode as it went in the environment that draws it."""

    film: Film
    episode_return: float
    length: int


@contextlib.contextmanager
def drawing_environment(
    make_single: Callable[..., gymnasium.Env] | None,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    max_episode_steps: int,
) -> Iterator[gymnasium.Env]:
    """Make one environment that draws itself as arrays of pixels, without a screen; close it at the end.

    Raises :class:`CannotDraw` where this environment cannot do that.
    """
    if make_single is None:
        raise CannotDraw("its backend gives only vectors of environments")
    with _headless(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gymnasium's, about what is said below
        arguments = {**env_kwargs, "render_mode": "rgb_array"}
        try:
            env = make_single(env_id, arguments, max_episode_steps)
        except (ValueError, LookupError) as error:
            raise CannotDraw(f"its environment does not draw itself ({error})") from error
        try:
            modes = list(env.metadata.get("render_modes") or ())
            if "rgb_array" not in modes:
                known = ", ".join(map(str, modes)) or "none"
                raise CannotDraw(f"its environment has the render modes {known}, not 'rgb_array'")
            yield env
        finally:
            env.close()


@contextlib.contextmanager
def _headless() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _HEADLESS}
    os.environ.update(_HEADLESS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def play(
    env: gymnasium.Env, seed: int, observations: Sequence[np.ndarray], actions: Sequence[np.ndarray]
) -> Played:
    """Play the episode of ``seed`` with these actions, drawing at most :data:`MOST_FRAMES` + 1 frames.

    ``observations`` are those that the actions were chosen for. Raises :class:`CannotDraw` where the
    environment gives others, or no pixels.
    """
    stride = math.ceil(len(actions) / MOST_FRAMES)
    obs, _ = env.reset(seed=seed)
    frames, total, done, length = [_frame(env)], 0.0, False, 0
    while length < len(actions) and not done:
        if not np.array_equal(np.asarray(obs, observations[length].dtype), observations[length]):
            raise CannotDraw(f"where it is drawn, the episode is another one from step {length} on")
        obs, reward, terminated, truncated, _ = env.step(actions[length])
        total += float(reward)
        done = bool(terminated or truncated)
        length += 1
        if done or length == len(actions) or length % stride == 0:
            frames.append(_frame(env))
    if len({frame.size for frame in frames}) > 1:
        raise CannotDraw("its frames differ in size")
    pace = 1000 * stride / float(env.metadata.get("render_fps") or _DEFAULT_FPS)
    pace = max(_SHORTEST_MILLISECONDS, min(pace, 1000 * _LONGEST_SECONDS / len(frames)))
    return Played(Film(frames, round(pace)), total, length)


def _frame(env: gymnasium.Env) -> Image.Image:
    """Give what the environment looks like now, shrunk by a whole number."""
    try:
        pixels: Any = env.render()
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        cure = " ".join(str(error).split())
        raise CannotDraw(f"that needs a package that is not there ({cure})") from error
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[2:] != (3,):
        raise CannotDraw("render() gave no array of pixels [height, width, 3] of uint8")
    image = Image.fromarray(pixels)
    return image.reduce(math.ceil(max(image.size) / _LONGEST_SIDE))
