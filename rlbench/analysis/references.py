"""Scores on a common scale: 0 is a random policy, 1 a reference, from a frozen table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Reference:
    """What an environment's returns are normalised between, under a time limit, and where that comes from."""

    random: float
    reference: float
    max_episode_steps: int
    source: str

    def normalise(self, score: float) -> float:
        """Give ``(score - random) / (reference - random)``: 0 for a random policy, 1 for the reference."""
        return (score - self.random) / (self.reference - self.random)


def references() -> dict[str, Reference]:
    """Read the table: environment id to reference."""
    return {env: Reference(**entry) for env, entry in _table()["environments"].items()}


def table_version() -> int:
    """Give the version of the table: scores normalised by different ones are not comparable."""
    return int(_table()["version"])


def _table() -> dict[str, Any]:
    with Path(__file__).with_name("references.toml").open("rb") as file:
        return tomllib.load(file)


def reference_for(trial: Mapping[str, Any], table: Mapping[str, Reference]) -> Reference | None:
    """Give the reference of a trial's environment, from its identity as in ``trial.json``; or ``None``.

    A backend's prefix does not matter; arguments or another time limit make another problem, which has none.
    """
    env = str(trial.get("env", ""))
    found = table.get(env) or table.get(env.rpartition(":")[2])
    if found is None or trial.get("env_kwargs") or trial.get("max_episode_steps") != found.max_episode_steps:
        return None
    return found


def normalise(trials: pd.DataFrame, documents: Mapping[str, Mapping[str, Any]]) -> pd.Series:
    """Give the normalised ``score`` of each trial, NaN where its environment has no reference.

    ``documents`` holds the trials' identities by their ``hash``.
    """
    table = references()
    found = [reference_for(documents[digest], table) for digest in trials["hash"]]
    values = [
        np.nan if one is None else one.normalise(score)
        for one, score in zip(found, trials["score"], strict=True)
    ]
    return pd.Series(values, index=trials.index, name="normalised", dtype="float64")
