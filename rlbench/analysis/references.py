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

    from rlbench.plugins import Catalogue


def references() -> dict[str, ReferenceSpec]:
    """Read rlbench's own table: problem to reference."""
    with Path(__file__).with_name("references.toml").open("rb") as file:
        table = tomllib.load(file)
    entries = [
        ReferenceSpec(env=env, version=table["version"], **entry)
        for env, entry in table["environments"].items()
    ]
    return {entry.name: entry for entry in entries}


def references_of(trials: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> dict[str, ReferenceSpec]:
    """Give the references of these trials' problems, by problem, from rlbench's table and from plugins.

    ``trials`` are identities as in ``trial.json``. Raises ``PluginError`` where two plugins claim a problem.
    """
    claimed = catalogue.claims["rlbench_references"]
    problems = dict.fromkeys(problem for trial in trials for problem in problems_of(trial))
    return {problem: catalogue.reference(problem).spec for problem in problems if problem in claimed}


def reference_for(trial: Mapping[str, Any], table: Mapping[str, ReferenceSpec]) -> ReferenceSpec | None:
    """Give the reference of a trial's problem, from its identity as in ``trial.json``; or ``None``.

    A backend's prefix matters only where the table has an entry for it; arguments or another time limit make
    another problem.
    """
    return next((table[problem] for problem in problems_of(trial) if problem in table), None)


def normalise(
    trials: pd.DataFrame, documents: Mapping[str, Mapping[str, Any]], table: Mapping[str, ReferenceSpec]
) -> pd.Series:
    """Give the normalised ``score`` of each trial, NaN where its problem has no reference.

    ``documents`` holds the trials' identities by their ``hash``.
    """
    import pandas as pd

    found = [reference_for(documents[digest], table) for digest in trials["hash"]]
    values = [
        np.nan if one is None else one.normalise(score)
        for one, score in zip(found, trials["score"], strict=True)
    ]
    return pd.Series(values, index=trials.index, name="normalised", dtype="float64")


def tabulate(problems: Iterable[tuple[str, Mapping[str, Any]]], catalogue: Catalogue) -> pd.DataFrame:
    """Tabulate the references of problems, given as a name for each and the identity of a trial.

    Columns: ``env, random, reference, max_episode_steps, source, version, plugin``.
    """
    import pandas as pd

    columns = ["random", "reference", "max_episode_steps", "source", "version"]
    rows = []
    for env, trial in problems:
        if spec := reference_for(trial, references_of([trial], catalogue)):
            plugin = catalogue.reference(spec.name).plugin.distribution
            rows.append((env, *(getattr(spec, column) for column in columns), plugin))
    return pd.DataFrame(rows, columns=["env", *columns, "plugin"])
