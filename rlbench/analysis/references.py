"""Scores on a common scale: 0 is a random policy, 1 a reference, from a frozen table and from plugins."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.api import ReferenceSpec
from rlbench.yardsticks import problems_of

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.plugins import Catalogue, Entry


def references() -> dict[str, ReferenceSpec]:
    """Read rlbench's own table: environment id to reference."""
    with Path(__file__).with_name("references.toml").open("rb") as file:
        document = tomllib.load(file)
    return {
        env: ReferenceSpec(env=env, version=document["version"], **entry)
        for env, entry in document["environments"].items()
    }


def reference_for(trial: Mapping[str, Any], catalogue: Catalogue) -> Entry[ReferenceSpec] | None:
    """Give the reference of a trial's problem, from its identity as in ``trial.json``; or ``None``.

    Raises ``PluginError`` where two plugins claim it.
    """
    for problem in problems_of(trial):
        if problem in catalogue.claims["rlbench_references"]:
            return catalogue.reference(problem)
    return None


def normalise(
    trials: pd.DataFrame, documents: Mapping[str, Mapping[str, Any]], catalogue: Catalogue
) -> pd.Series:
    """Give the normalised ``score`` of each trial, NaN where its problem has no reference.

    ``documents`` holds the trials' identities by their ``hash``.
    """
    import pandas as pd

    found = [reference_for(documents[digest], catalogue) for digest in trials["hash"]]
    values = [
        np.nan if one is None else one.spec.normalise(score)
        for one, score in zip(found, trials["score"], strict=True)
    ]
    return pd.Series(values, index=trials.index, name="normalised", dtype="float64")


def references_of(problems: Iterable[tuple[str, Mapping[str, Any]]], catalogue: Catalogue) -> pd.DataFrame:
    """Tabulate the references of problems, given as a name for each and the identity of a trial.

    Columns: ``env, random, reference, max_episode_steps, source, version, plugin``.
    """
    import pandas as pd

    columns = ["random", "reference", "max_episode_steps", "source", "version"]
    rows = [
        (env, *(getattr(entry.spec, column) for column in columns), entry.plugin.distribution)
        for env, trial in problems
        if (entry := reference_for(trial, catalogue)) is not None
    ]
    return pd.DataFrame(rows, columns=["env", *columns, "plugin"])
