"""Every random stream of a trial, derived from the trial alone.

A stream is identified by ``SeedSequence(ENTROPY, spawn_key=(purpose, environment, trial seed, ...))``, so it
depends neither on the order of work nor on companions, and streams of different trials never overlap.
Environment streams do not depend on the algorithm.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

ENTROPY = int.from_bytes(b"rlbench", "big")

SEED_LIMIT = 2**32
"""Trial seeds and step counts stay below this: a spawn key is a row of 32-bit words."""


class Purpose(IntEnum):
    """What a stream is for. Numbers are part of every stored result: never renumber."""

    AGENT = 1
    TRAINING = 2
    EVALUATION = 3


@dataclass(frozen=True)
class Streams:
    """The streams of trials on one environment."""

    environment: int

    @classmethod
    def of(cls, env: str, env_kwargs: Mapping[str, Any]) -> Streams:
        """Key the streams by the environment's name and arguments."""
        text = json.dumps([env, dict(env_kwargs)], sort_keys=True, ensure_ascii=True)
        return cls(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))

    def _sequence(self, purpose: Purpose, *key: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(ENTROPY, spawn_key=(int(purpose), self.environment, *key))

    def agent(self, seed: int) -> np.random.Generator:
        """The generator that the algorithm's factory is given."""
        return np.random.Generator(np.random.PCG64(self._sequence(Purpose.AGENT, seed)))

    def training_episode(self, seed: int, env_index: int, episode: int) -> int:
        """Seed of one training episode of one sub-environment (63 bits)."""
        return _integer(self._sequence(Purpose.TRAINING, seed, env_index, episode))

    def evaluation_episode(self, seed: int, step: int, episode: int) -> int:
        """Seed of one evaluation episode at a nominal step (63 bits)."""
        return _integer(self._sequence(Purpose.EVALUATION, seed, step, episode))


def _integer(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
