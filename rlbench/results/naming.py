"""Names of trials where one label or environment stands for several settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from rlbench.results.records import content_hash

if TYPE_CHECKING:
    from rlbench.results.frames import StoredTrial

_LONGEST_SUFFIX = 3  # differing settings that a name spells out before it gives their hash instead
_PROBLEM = ("env_kwargs", "max_episode_steps")  # what belongs to the environment in a trial's identity
_BUDGET = (
    "steps",
    "evaluation_points",
    "evaluation_episodes",
)  # what learners are given alike to be compared


def tell_settings_apart(found: list[StoredTrial]) -> None:
    """Extend names that stand for several settings: environments first, then labels on one environment."""
    whole = [trial for trial in found if trial.document]
    for trials in _grouped(whole, lambda trial: trial.env):
        problems = [{name: trial.document.get(name) for name in _PROBLEM} for trial in trials]
        for trial, suffix in zip(trials, _suffixes(problems), strict=True):
            trial.env += suffix
    for on_env in _grouped(whole, lambda trial: trial.env):
        learners = [trial.document for trial in on_env if trial.document.get("kind") != "solver"]
        budget = [name for name in _BUDGET if len({repr(one.get(name)) for one in learners}) > 1]
        for trials in _grouped(on_env, lambda trial: trial.label):
            rest = [
                {name: value for name, value in trial.document.items() if name not in ("seed", *_PROBLEM)}
                for trial in trials
            ]
            shown = budget if trials[0].document.get("kind") != "solver" else []
            for trial, suffix in zip(trials, _suffixes(rest, shown), strict=True):
                trial.label += suffix


def _grouped(trials: list[StoredTrial], key: Callable[[StoredTrial], str]) -> list[list[StoredTrial]]:
    groups: dict[str, list[StoredTrial]] = defaultdict(list)
    for trial in trials:
        groups[key(trial)].append(trial)
    return list(groups.values())


def _suffixes(documents: list[dict[str, Any]], shown: Sequence[str] = ()) -> list[str]:
    """Say what tells each document from the others, as in `` [steps=1000]``, and the keys in ``shown``.

    Empty where all are equal and nothing is to be shown; the hash of a document where it would be too long.
    """
    if not shown and len({msgspec.json.encode(document) for document in documents}) == 1:  # nearly always
        return [""] * len(documents)
    flat = [dict(_flatten(document)) for document in documents]
    keys = sorted({key for one in flat for key in one} - set(shown))
    differing = [key for key in keys if len({repr(one.get(key)) for one in flat}) > 1]
    if not shown and not differing:
        return [""] * len(flat)
    suffixes = []
    for one in flat:
        parts = [f"{key.rpartition('.')[2]}={one.get(key)}" for key in (*shown, *differing)]
        if len(differing) > _LONGEST_SUFFIX:
            parts[len(shown) :] = [content_hash(one)[:8]]
        suffixes.append(f" [{', '.join(parts)}]")
    return suffixes


def _flatten(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
