"""Figures that others published for the problems of these results: shown beside scores, never compared."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.api import BaselineSpec
from rlbench.yardsticks import problems_of

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.plugins import Catalogue

_COLUMNS = [
    "algorithm", "project", "score", "spread", "steps", "seeds", "protocol", "document", "url",
]  # fmt: skip


def baselines() -> Iterator[BaselineSpec]:
    """Read rlbench's own table."""
    with Path(__file__).with_name("baselines.toml").open("rb") as file:
        document = tomllib.load(file)
    for figure in document["figures"]:
        yield BaselineSpec(
            **document["sources"][figure["source"]],
            **{name: value for name, value in figure.items() if name != "source"},
            max_episode_steps=document["max_episode_steps"][figure["env"]],
        )


def baselines_of(problems: Iterable[tuple[str, Mapping[str, Any]]], catalogue: Catalogue) -> pd.DataFrame:
    """Tabulate what was published for problems, given as a name for each and the identity of a trial.

    Columns: ``env``; ``algorithm`` as the source calls it; ``project``; ``score``; ``spread``, its ±;
    ``steps`` of training; ``seeds``; ``protocol``, ``document``, ``url``; ``plugin``. Raises
    ``PluginError`` where two plugins claim one of the figures.
    """
    import pandas as pd

    rows = []
    for env, trial in problems:
        for problem in problems_of(trial):
            for name, claims in catalogue.claims["rlbench_baselines"].items():
                if claims[0].spec.problem == problem:
                    spec, plugin = catalogue.baseline(name).spec, claims[0].plugin.distribution
                    rows.append((env, *(getattr(spec, column) for column in _COLUMNS), plugin))
    frame = pd.DataFrame(rows, columns=["env", *_COLUMNS, "plugin"])
    order = ["env", "project", "algorithm", "steps"]
    return frame.sort_values(order, kind="stable", ignore_index=True)
