"""Named random streams: one for every purpose, derived from a seed's identity and never from its draws."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def stream(rng: np.random.Generator, purpose: str, *index: int) -> np.random.Generator:
    """Give the generator that belongs to ``purpose`` (and ``index``) of the seed that ``rng`` identifies.

    ``rng`` is only read for its seed sequence, so the order in which streams are asked for, and how much
    was drawn from any of them, never matters.
    """
    parent = rng.bit_generator.seed_seq
    digest = hashlib.sha256(purpose.encode()).digest()
    words = tuple(int(word) for word in np.frombuffer(digest[:16], dtype="<u4"))
    child = np.random.SeedSequence(
        parent.entropy,  # type: ignore[attr-defined]  # every SeedSequence has it; the stub knows only the interface
        spawn_key=(*parent.spawn_key, *words, *index),  # type: ignore[attr-defined]
    )
    return np.random.Generator(np.random.PCG64(child))


class Blocks:
    """Draws for every step of every seed, made several hundred steps at a time.

    ``draw(generator, shape)`` must fill the shape it is given with independent draws; ``next()`` gives the
    contiguous slice ``[S, *shape]`` of the next step (valid until the block is used up: copy what you keep).
    Block ``k`` of a seed comes from a generator of its own, so ``position``, one integer, is the whole state.
    """

    def __init__(
        self,
        rngs: Sequence[np.random.Generator],
        purpose: str,
        draw: Draw,
        shape: tuple[int, ...],
        *,
        block: int = 512,
    ) -> None:
        self._rngs = list(rngs)
        self._purpose = purpose
        self._draw = draw
        self._shape = shape
        self._length = block
        self._block = np.empty(0)
        self._held = -1  # which block is held; -1: none
        self.position = 0

    def next(self) -> np.ndarray:
        """Give this step's draws, ``[S, *shape]``."""
        number, offset = divmod(self.position, self._length)
        if number != self._held:
            drawn = [
                self._draw(stream(rng, self._purpose, number), (self._length, *self._shape))
                for rng in self._rngs
            ]
            self._block = np.stack(drawn, axis=1)  # [block, S, *shape]
            self._held = number
        self.position += 1
        return self._block[offset]

    def state_dict(self) -> dict[str, Any]:
        """The position: the same for all seeds, which stand at the same step."""
        return {"position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self.position = int(state["position"])


def uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from [0, 1), float64."""
    return generator.random(shape)


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from the standard normal distribution, float32."""
    return generator.standard_normal(shape, dtype=np.float32)


def gumbel(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw standard Gumbel noise, float32: ``argmax(logits + gumbel)`` samples the softmax of the logits."""
    return generator.gumbel(size=shape).astype(np.float32)
