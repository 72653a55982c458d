"""Compares two results folders, such as two versions of one algorithm, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.api import UsageError
from rlbench.loaded import DEFAULT_METRIC, Results

if TYPE_CHECKING:
    import pandas as pd

_NOT_COMPARED = ("env_kwargs", "max_episode_steps", "steps", "evaluation_points", "evaluation_episodes")
"""What two sides must have alike to be compared: the problem and the budget."""

Cell = tuple[str, str]


def compare(
    a: Results | Path | str, b: Results | Path | str, metrics: str | Sequence[str] = DEFAULT_METRIC
) -> pd.DataFrame:
    """Compare the results ``b`` with ``a``, paired by algorithm, environment and seed.

    One row for each algorithm, environment and metric, with the columns of
    ``analysis.pairing.compare_versions``; the last rows show ``steps_per_second``, which is not judged.
    Raises ``UsageError`` where the two have no algorithm on the same environment in common.

    >>> import rlbench
    >>> rlbench.compare("results/before", "results/after")  # doctest: +SKIP
    """
    import pandas as pd

    from rlbench.analysis.pairing import Scored, compare_versions, speeds

    a, b = (side if isinstance(side, Results) else Results(side) for side in (a, b))
    names_a, names_b = _names(a), _names(b)
    documents = [
        {named[cell]: document for cell, document in _documents(side).items()}
        for side, named in ((a, names_a), (b, names_b))
    ]
    common = sorted({*documents[0]} & {*documents[1]})
    if not common:
        told = (", ".join(f"{label} on {env}" for label, env in sorted(cells)) for cells in documents)
        there = " and ".join(f"{side} {cells or 'nothing'}" for side, cells in zip("AB", told, strict=True))
        raise UsageError(
            f"{a.path} and {b.path} have no algorithm on the same environment in common: {there}; "
            "give an algorithm the same label with --algos LABEL=NAME"
        )
    changes = {cell: list(_changes(documents[0][cell], documents[1][cell])) for cell in common}
    unlike = {cell: _listed(cell_changes, problem=True) for cell, cell_changes in changes.items()}
    notes = {cell: _listed(cell_changes, problem=False) for cell, cell_changes in changes.items()}
    scored = [
        Scored(
            name,
            _named(a.scored(name), names_a),
            _named(b.scored(name), names_b),
            b.catalogue.metric(name).spec.higher_is_better,
        )
        for name in ([metrics] if isinstance(metrics, str) else dict.fromkeys(metrics))
    ]
    judged = compare_versions(
        scored,
        {cell: f"not the same problem or budget: {text}" for cell, text in unlike.items() if text},
        {cell: f"A -> B: {text}" for cell, text in notes.items() if text},
        _untested(a, names_a, "A") | _untested(b, names_b, "B"),
    )
    if not (judged["n"] > 0).any():
        reasons = "; ".join(dict.fromkeys(judged["reason"]))
        raise UsageError(f"nothing in {a.path} and {b.path} can be compared: {reasons}")
    platforms = _platforms(_named(a.platforms, names_a)), _platforms(_named(b.platforms, names_b))
    trials = _named(a.trials, names_a), _named(b.trials, names_b)
    shown = speeds(*trials, _timings(*platforms))
    return pd.concat([judged, shown], ignore_index=True) if len(shown) else judged


def failures(a: Results, b: Results) -> pd.DataFrame:
    """Give the trials that finished in ``a`` and failed, or are damaged, in ``b``."""
    key = ["algorithm", "env", "seed"]
    before, after = _named(a.trials, _names(a)), _named(b.trials, _names(b))
    finished = before.loc[before["status"] == "finished", key]
    failed = after.loc[after["status"].isin(["failed", "damaged"]), [*key, "status", "error"]]
    return failed.merge(finished.drop_duplicates(), on=key).reset_index(drop=True)


def _untested(results: Results, names: Mapping[Cell, Cell], side: str) -> dict[Cell, str]:
    """Say of each cell whose scores chose how many seeds there are, or may have, that no p can be given."""
    from rlbench.analysis.decisions import arms_of

    if unknown := results.unknown_choice:
        return dict.fromkeys(names.values(), f"no test, which takes the seeds as fixed: in {side} {unknown}")
    reason = f"no test, which takes the seeds as fixed: in {side} scores chose how many (--until-decided)"
    return {names.get(cell, cell): reason for cell in arms_of(results.decisions())}


def _documents(results: Results) -> dict[Cell, dict[str, Any]]:
    """Give what the trials of each algorithm on each environment have alike; empty where all are damaged."""
    found: dict[Cell, dict[str, Any]] = {}
    for algorithm, env, digest in results.trials[["algorithm", "env", "hash"]].itertuples(index=False):
        found[algorithm, env] = found.get((algorithm, env)) or dict(results.identities[digest])
    return found


def _names(results: Results) -> dict[Cell, Cell]:
    """Give each cell the label and environment that were asked for, where they stand for it alone.

    What is added to names tells a folder's own settings and budgets apart; the other folder's may differ.
    """
    asked: dict[Cell, list[Cell]] = {}
    for cell, document in _documents(results).items():
        asked.setdefault((document.get("label", cell[0]), document.get("env", cell[1])), []).append(cell)
    return {cell: name if len(cells) == 1 else cell for name, cells in asked.items() for cell in cells}


def _named(frame: pd.DataFrame, names: Mapping[Cell, Cell]) -> pd.DataFrame:
    cells = [names[cell] for cell in zip(frame["algorithm"], frame["env"], strict=True)]
    return frame.assign(algorithm=[name for name, _ in cells], env=[env for _, env in cells])


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Say which entries of two identities differ, and of each whether that forbids a comparison."""
    if not a or not b:
        return
    for name in sorted({*a, *b} - {"seed", "label"}):
        values = a.get(name), b.get(name)
        pairs = {name: values}
        if isinstance(values[0], dict) and isinstance(values[1], dict):
            keys = sorted({*values[0], *values[1]})
            pairs = {f"{name}.{key}": (values[0].get(key), values[1].get(key)) for key in keys}
        for key, (before, after) in pairs.items():
            if before != after:
                yield f"{key} {before} -> {after}", name in _NOT_COMPARED


def _listed(changes: Sequence[tuple[str, bool]], *, problem: bool) -> str:
    return ", ".join(text for text, forbids in changes if forbids == problem)


def _platforms(table: pd.DataFrame) -> dict[Cell, dict[str, set[str]]]:
    """Give on what each cell's trials were made, by the names of ``Results.platforms``."""
    return {
        (algorithm, env): {name: set(rows[name].dropna()) for name in table.columns[3:]}
        for (algorithm, env), rows in table.groupby(["algorithm", "env"], sort=True)
    }


def _timings(a: Mapping[Cell, Any], b: Mapping[Cell, Any]) -> dict[Cell, str]:
    """Say on what the speeds of the cells that both have depend beside the version."""
    said = {}
    for cell in sorted({*a} & {*b}):
        differ = [name for name, values in a[cell].items() if values != b[cell][name]]
        said[cell] = "the platforms are the same"
        if differ:
            said[cell] = f"not on the same platform: {', '.join(differ)}"
    return said
