"""The answer in words: what the data decide, what they do not, and what it would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from rlbench.reports.numbers import count, decimals_for, interval, number, p_value, weak

_MOST_SEEDS = 1000  # a larger estimate says little more than "a great many"


def answer(env: str, scores: pd.DataFrame, pairs: pd.DataFrame, solved: Mapping[str, float]) -> Markup:
    """Give one environment's answer as a sentence or two of HTML, names escaped.

    ``scores`` and ``pairs`` are this environment's rows of ``Results.scores`` and ``comparisons``; ``solved``
    gives what each solver's policy is worth.
    """
    decimals = decimals_for(scores["mean"])
    scored = scores[scores["n"] > 0].sort_values("mean", ascending=False, kind="stable")
    learners = scored[~scored["algorithm"].isin(solved)]
    sentences = []
    if scored.empty:
        sentences.append(Markup("On {} no trial has finished.").format(_name(env)))
    for group in _comparable(learners, pairs):
        if len(group) == 1:
            sentences.append(_alone(env, group.iloc[0], decimals))
        else:
            sentences += _compared(env, group, pairs, decimals)
    if not scored.empty:
        sentences += [
            Markup("Of {} no trial finished (0 of {}).").format(_name(row.algorithm), row.of)
            for row in scores[scores["n"] == 0].itertuples()
        ]
    worth: dict[str, list[Markup]] = {}
    for name in sorted(set(scored["algorithm"]) & set(solved)):
        worth.setdefault(number(solved[name], decimals), []).append(_name(name))
    for value, names in worth.items():
        where = Markup("") if sentences else Markup(" of {}").format(_name(env))
        sentences.append(Markup("Solving the model{} gives {} ({}).").format(where, value, _list(names)))
    return Markup(" ").join(sentences)


def _comparable(learners: pd.DataFrame, pairs: pd.DataFrame) -> list[pd.DataFrame]:
    """Split the learners into those compared with each other: different budgets are not."""
    groups, left = [], learners
    while len(left):
        best = left["algorithm"].iloc[0]
        beside = pairs[(pairs["first"] == best) | (pairs["second"] == best)]
        mine = left["algorithm"].isin([best, *beside["first"], *beside["second"]])
        groups.append(left[mine])
        left = left[~mine]
    return groups


def _alone(env: str, row: Any, decimals: int) -> Markup:
    reach = _interval(row["low"], row["high"], [row["weak"]], decimals)
    if math.isnan(row["low"]):
        reach = "one trial, so no interval" if row["n"] == 1 else "all scores equal, so no interval"
    text = Markup("{} scores {} on {} ({}; {} of {} trials).")
    return text.format(
        _name(row["algorithm"]), number(row["mean"], decimals), _name(env), reach, row["n"], row["of"]
    )


def _compared(env: str, learners: pd.DataFrame, pairs: pd.DataFrame, decimals: int) -> list[Markup]:
    best = learners.iloc[0]
    mine = pairs[pairs["first"] == best["algorithm"]]
    others = {row.algorithm: _value(row, decimals) for row in learners.iloc[1:].itertuples()}
    beaten = [row for row in mine.itertuples() if row.verdict == "better"]
    open_ = [row for row in mine.itertuples() if row.verdict != "better"]
    top = _value(next(learners.itertuples()), decimals)
    if len(beaten) == 1 and not open_:
        row = beaten[0]
        details = [row.reason or p_value(row.p_corrected)]
        if row.tests > 1 and not row.reason:
            details[0] += f", corrected for {count(row.tests, 'comparison')}"
        if not math.isnan(row.low):
            details.insert(0, _interval(row.low, row.high, learners["weak"], decimals))
        text = Markup("{} is better than {} on {}: mean return {} against {}, a difference of {} ({}).")
        means = (top, others[row.second], number(row.difference, decimals))
        return [
            text.format(_name(best["algorithm"]), _name(row.second), _name(env), *means, "; ".join(details))
        ]
    if beaten:
        against = [Markup("{} ({})").format(_name(row.second), others[row.second]) for row in beaten]
        text = Markup("{} has the highest mean return on {}, {}, and is better than {}.")
        sentences = [text.format(_name(best["algorithm"]), _name(env), top, _list(against))]
        if open_:
            names = [
                _name(row.second) + (f" ({others[row.second]})" if row.n_second < row.of_second else "")
                for row in open_
            ]
            text = Markup("Between it and {} the data do not decide{}.")
            sentences.append(text.format(_list(names), _because(row.reason for row in open_)))
        return sentences
    second = next(row for row in open_ if row.second == learners.iloc[1]["algorithm"])
    if all(row.verdict == "cannot be decided" for row in open_):
        text = Markup(
            "On {} nothing can be decided with so few trials: even the clearest difference would not pass "
            "the test. {} has the highest mean return, {}, {} is next with {}."
        )
        next_ = (_name(second.second), others[second.second])
        return [text.format(_name(env), _name(best["algorithm"]), top, *next_)]
    text = Markup("On {} the data do not decide between {} ({}) and {} ({}){}.")
    return [
        text.format(
            _name(env),
            _name(best["algorithm"]),
            top,
            _name(second.second),
            others[second.second],
            _because([second.reason]) or _needed(second.seeds_needed),
        )
    ]


def _because(reasons: Iterable[str]) -> str:
    """Say which missing scores leave open what the others would decide."""
    told = [reason for reason in dict.fromkeys(reasons) if reason]
    return f": {' and '.join(told)}" if told else ""


def _interval(low: float, high: float, marks: Iterable[str], decimals: int) -> str:
    return ", ".join(filter(None, [f"95 % interval {interval(low, high, decimals)}", weak(marks)]))


def _value(row: Any, decimals: int) -> str:
    """Give a mean, with the trials it is of where some have no score."""
    text = number(row.mean, decimals)
    return text if row.n == row.of else f"{text} from {row.n} of {row.of} trials"


def _needed(seeds: float) -> str:
    if not math.isfinite(seeds):
        return ""
    if seeds > _MOST_SEEDS:
        return f": a difference this small would take more than {_MOST_SEEDS:,} seeds each to show"
    return f": a difference of the observed size would take about {int(seeds)} seeds each to show"


def _name(name: str) -> Markup:
    return Markup("<b>{}</b>").format(name)


def _list(parts: Sequence[Markup]) -> Markup:
    if len(parts) < 2:
        return Markup("").join(parts)
    return Markup(", ").join(parts[:-1]) + " and " + parts[-1]
