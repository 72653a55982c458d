"""The built-in sections of a report: each reads results and gives HTML, figures and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from rlbench.analysis.claims import claims_of
from rlbench.analysis.comparisons import unequal_budgets
from rlbench.analysis.curves import wall_clock
from rlbench.analysis.scores import CELL
from rlbench.api import Section
from rlbench.reports import figures, printed
from rlbench.reports.answer import answers
from rlbench.reports.answer import exact_values as _exact
from rlbench.reports.answer import solvers as _solvers
from rlbench.reports.decisions import chosen
from rlbench.reports.markup import fragment
from rlbench.reports.numbers import count, decimals_for, duration, reasons, reasons_in, weak
from rlbench.reports.sentences import html as html_of
from rlbench.reports.style import looks_of

_RESIDUAL = "residual"
_MOST_PAIRS = 15  # in one figure of differences
_STEPS, _CLOCK = "steps", "wall-clock"  # the views of a learning curve


def answer(results: Any) -> Section:
    """Say what the data decide, environment by environment, and what is missing from the count."""
    pairs, trials, claims = results.comparisons(), results.trials, results.claims()
    unfinished = trials.loc[trials["status"] != "finished", "status"].value_counts(sort=False).sort_index()
    parts = [f"{amount} {status}" for status, amount in unfinished.items()]
    return Section(
        fragment(
            "answer.html",
            sentences=[html_of(text) for text in answers(results)],
            trials=len(trials),
            unfinished=", ".join(parts),
            missing=results.missing,
            mixed=bool(_mixed(results)),
            fixed=not chosen(pairs).all(),
            chosen=bool(chosen(pairs).any()),
            equivalent=bool((claims["verdict"] == "equivalent").any()),
            suite=bool(((claims["environments"] > 1) & claims["p_corrected"].notna()).any()),
        ),
        tables={} if claims.empty else {"claims": printed.claims(claims.itertuples(), claims)},
    )


def scores(results: Any) -> Section | None:
    """Show the score table with every trial drawn."""
    table, trials, looks = results.scores(), results.trials, looks_of(results)
    if table.empty:
        return None
    next_run = results.predictions()
    shown = table.merge(next_run, on=["algorithm", "env"], suffixes=("", "_next"))
    groups, drawn = [], {}
    for env, rows in shown.groupby("env", sort=True):
        here = trials[trials["env"] == env]
        ranked = rows.sort_values("mean", ascending=False, kind="stable")
        groups.append((env, decimals_for(rows["mean"]), list(ranked.itertuples())))
        if rows["n"].sum():
            drawn[str(env)] = figures.score_points(str(env), rows, here, looks)
    html = fragment(
        "scores.html",
        groups=groups,
        looks=looks,
        reasons=reasons(table.loc[table["n"] > 1, "weak"]),
        exact=_exact(results),
    )
    tables = {
        "scores": printed.scores(table),
        "predictions": next_run,
        "trials": trials.drop(columns=["wall_seconds", "steps_per_second", "attempts", "hash"]),
    }
    return Section(html, figures=drawn, tables=tables)


def curves(results: Any) -> Section | None:
    """Show one figure of learning curves for each environment."""
    means, seeds, trials, looks = results.curves(), results.seed_curves(), results.trials, looks_of(results)
    if means.empty:
        return None
    exact = _exact(results)
    drawn: dict[str, Any] = {}
    notes = []
    banded: set[tuple[str, str]] = set()  # what has a band
    some_levels = False
    for env in sorted(set(means["env"])):
        here, mine, levels = curves_on(env, means, seeds, exact)
        some_levels |= bool(levels)
        banded |= set(here.loc[here["low"].notna(), CELL].itertuples(index=False, name=None))
        rest = (trials[trials["env"] == env], levels, looks)
        timed, timed_means = wall_clock(mine, here, trials[trials["status"] != "damaged"])
        drawn[env] = {_STEPS: figures.learning_curves(env, mine, here, *rest)}
        if len(timed_means):
            drawn[env][_CLOCK] = figures.learning_curves(env, timed, timed_means, *rest, x="seconds")
        for algorithm, curve in here[here["n"] < here["of"]].groupby("algorithm", sort=True):
            fewest = curve.loc[curve["n"].idxmin()]
            notes.append((algorithm, env, int(fewest["n"]), int(fewest["of"]), int(curve["step"].iloc[0])))
    marks = [row.weak for row in results.scores().itertuples() if (row.algorithm, row.env) in banded]
    html = fragment(
        "curves.html",
        notes=notes,
        levels=some_levels,
        timed=any(_CLOCK in views for views in drawn.values()),
        looks=looks,
        weak=("" if all(marks) else "some ") + weak(marks) if any(marks) else "",
    )
    return Section(html, figures=drawn, tables={"curves": means})


def comparisons(results: Any) -> Section | None:
    """Show what is decided between every two learners."""
    pairs, trials = results.comparisons(), results.trials
    unequal = unequal_budgets(trials[trials["kind"] != "solver"])
    if pairs.empty and not unequal:
        return None
    suite = results.suite_comparisons()
    suite = suite[suite["mean_second"].notna()]
    groups, drawn = [], {}
    if len(suite):
        over_all = f"{suite['env'].iloc[0].capitalize()}: normalised scores"
        groups.append((over_all, decimals_for(suite["mean_first"]), list(suite.itertuples())))
    for env, rows in pairs.groupby("env", sort=True):
        groups.append((env, decimals_for(rows["difference"]), list(rows.itertuples())))
        shown = rows[rows["low"].notna()].head(_MOST_PAIRS)
        if len(shown):
            drawn[str(env)] = figures.differences(str(env), shown)
    html = fragment(
        "comparisons.html",
        groups=groups,
        looks=looks_of(results),
        reasons=reasons_in(suite, pairs),
        tests=0 if pairs.empty else int(pairs["tests"].iloc[0]),
        unequal=unequal,
        suite=int(suite["tests"].max()) if len(suite) else 0,
        chosen=bool(chosen(pairs).any()),
        equivalences=0 if pairs.empty else int(pairs["equivalences"].iloc[0]),
    )
    found = {"comparisons": pairs, "over-environments": suite}
    tables = {name: printed.claims(claims_of(one), one) for name, one in found.items() if len(one)}
    return Section(html, figures=drawn, tables=tables)


def convergence(results: Any) -> Section | None:
    """Show the residual of each solver over its sweeps."""
    rows = results.diagnostics
    rows = rows[(rows["name"] == _RESIDUAL) & rows["algorithm"].isin(_solvers(results.trials))]
    if rows.empty:
        return None
    looks = looks_of(results)
    drawn = {env: figures.convergence(env, mine, looks) for env, mine in rows.groupby("env", sort=True)}
    last = rows.sort_values("step").groupby(["algorithm", "env"], as_index=False).last()
    table = last.rename(columns={"step": "sweeps", "value": "last residual"})
    table = table[["algorithm", "env", "sweeps", "last residual"]]
    html = fragment("convergence.html", rows=list(table.itertuples(index=False, name=None)), looks=looks)
    return Section(html, figures=drawn, tables={"convergence": table})


def diagnostics(results: Any) -> Section | None:
    """Show what the learners tell of themselves while they train."""
    rows = results.diagnostics
    rows = rows[~rows["algorithm"].isin(_solvers(results.trials))]
    if rows.empty:
        return None
    looks = looks_of(results)
    drawn = {env: figures.diagnostics(env, mine, looks) for env, mine in rows.groupby("env", sort=True)}
    return Section(fragment("diagnostics.html"), figures=drawn)


def failures(results: Any) -> Section | None:
    """List what did not finish, what is unsupported and what is damaged, each with its reason."""
    trials = results.trials[results.trials["status"] != "finished"]
    if trials.empty and not results.unsupported and not results.problems and not results.missing:
        return None
    rows = [
        {key: "" if pd.isna(value) else value for key, value in row.items()}
        for row in trials[["algorithm", "env", "seed", "status", "reached_step", "error"]].to_dict("records")
    ]
    html = fragment(
        "failures.html",
        rows=rows,
        unsupported=results.unsupported,
        problems=results.problems,
        unstarted=results.missing,
        looks=looks_of(results),
    )
    return Section(html)


def settings(results: Any) -> Section | None:
    """Show each algorithm's resolved hyperparameters and where each value came from."""
    table = results.settings
    if table.empty:
        return None
    algorithms = []
    for algorithm, mine in table.groupby("algorithm", sort=True):
        rows = []
        for name, values in mine.groupby("setting", sort=False):
            by_value: dict[tuple[str, str], list[str]] = {}
            for row in values.itertuples():
                by_value.setdefault((row.value, row.origin), []).append(row.env)
            rows.append((name, [(*key, envs) for key, envs in by_value.items()], len(by_value) > 1))
        algorithms.append((algorithm, rows))
    differing = _differing(table)
    html = fragment("settings.html", algorithms=algorithms, differing=differing, looks=looks_of(results))
    return Section(html, tables={"settings": table})


def speed(results: Any) -> Section | None:
    """Show how long trials took; seeds trained together share their time."""
    trials = results.trials[results.trials["wall_seconds"].notna()]
    if trials.empty:
        return None
    rows = []
    for (algorithm, env), mine in trials.groupby(["algorithm", "env"], sort=True):
        pace, wall = mine["steps_per_second"].median(), mine["wall_seconds"].median()
        shown = f"{pace:,.0f}" if mine["kind"].iloc[0] != "solver" and math.isfinite(pace) else None
        rows.append((algorithm, env, wall, duration(wall), pace, shown, int(mine["attempts"].max())))
    return Section(fragment("speed.html", rows=rows, looks=looks_of(results)))


def provenance(results: Any) -> Section | None:
    """Show the commands that make these results again, and with what they were made."""
    if not results.experiments:
        return None
    commands = list(dict.fromkeys(one["command"] for one in results.experiments if one.get("command")))
    titles = {
        "Request": "request",
        "Versions": "versions",
        "Machine": "machine",
        "Environment variables": "environment",
        "Working folder": "git",
    }
    tables = [
        (title, _together([one.get(key, {}) for one in results.experiments])) for title, key in titles.items()
    ]
    loose = sorted({text for one in results.experiments for text in one.get("not_promised", ())})
    html = fragment(
        "provenance.html", commands=commands, tables=tables, mixed=_mixed(results), not_promised=loose
    )
    return Section(html)


def _differing(table: pd.DataFrame) -> list[tuple[list[str], list[tuple[str, list[str]]]]]:
    """Give what differs between algorithms with the same settings: their names, and rows of a value each.

    Values that depend on the environment stand side by side.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, mine in table.groupby("algorithm", sort=True):
        alike.setdefault(tuple(sorted(set(mine["setting"]))), []).append(str(name))
    values = {
        key: " / ".join(dict.fromkeys(mine["value"]))
        for key, mine in table.sort_values("env").groupby(["setting", "algorithm"])
    }
    groups = []
    for settings_, names in alike.items():
        rows = [(one, [values[one, name] for name in names]) for one in settings_]
        rows = [row for row in rows if len(set(row[1])) > 1]
        if rows:
            groups.append((names, rows))
    return groups


def _mixed(results: Any) -> list[tuple[str, list[str]]]:
    """Give what the trials were not all made on, each value with the trials it holds for."""
    platforms = results.platforms
    return [
        (
            name,
            [
                f"{value} ({count(len(rows), 'trial')} of {', '.join(sorted(set(rows['algorithm'])))})"
                for value, rows in platforms.groupby(name, sort=True)
            ],
        )
        for name in platforms.columns[3:]
        if platforms[name].nunique() > 1
    ]


def _together(documents: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Give the values of each key over all requests, those that differ side by side."""
    values: dict[str, list[str]] = {}
    for document in documents:
        for key, value in document.items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            if value not in (None, "", {}, []) and text not in values.setdefault(key, []):
                values[key].append(text)
    return [(key, " / ".join(texts)) for key, texts in sorted(values.items()) if texts]


def curves_on(
    env: str, means: pd.DataFrame, seeds: pd.DataFrame, exact: Mapping[tuple[str, str], float]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Give what is drawn of an environment: mean curves, the curves of their seeds, and levels.

    What has one evaluation point alone is a level: the ``exact`` value where it is known, else the mean.
    """
    here = means[means["env"] == env]
    points = here.groupby("algorithm")["step"].transform("size")
    curves = here[points > 1]
    values = {
        row.algorithm: exact.get((row.algorithm, env), row.mean) for row in here[points == 1].itertuples()
    }
    levels = {algorithm: value for algorithm, value in values.items() if math.isfinite(value)}
    return curves, seeds[(seeds["env"] == env) & seeds["algorithm"].isin(curves["algorithm"])], levels
