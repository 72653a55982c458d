"""The answer in words: what the data decide, what they do not, and what it would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from rlbench.analysis.claims import Claim, claims_of
from rlbench.reports.numbers import count, decimals_for, interval, number, p_value, weak
from rlbench.reports.sentences import Name, Sentence, joined, listed, sentence

_MOST_BESIDES = 4  # claims that the answer tells of those who are not the best
_MOST_SEEDS = 1000  # a larger estimate says little more than "a great many"


def answers(results: Any) -> list[Sentence]:
    """Give each environment's answer."""
    scores, claims, exact = results.scores(), claims_of(results.comparisons()), exact_values(results)
    solved = solvers(results.trials)
    return [
        answer(
            env,
            rows,
            [claim for claim in claims if claim.env == env],
            {
                row.algorithm: exact.get((row.algorithm, env), row.mean)
                for row in rows.itertuples()
                if row.algorithm in solved
            },
        )
        for env, rows in scores.groupby("env", sort=True)
    ]


def answer(env: str, scores: pd.DataFrame, claims: Sequence[Claim], solved: Mapping[str, float]) -> Sentence:
    """Give one environment's answer, a sentence or two.

    ``scores`` are this environment's rows of ``Results.scores``; ``solved`` gives what each solver's policy
    is worth.
    """
    decimals = decimals_for(scores["mean"])
    scored = scores[scores["n"] > 0].sort_values("mean", ascending=False, kind="stable")
    learners = scored[~scored["algorithm"].isin(solved)]
    sentences: list[Sentence] = []
    if scored.empty:
        sentences.append(sentence("On {} no trial has finished.", Name(env)))
    for group in _comparable(learners, claims):
        if len(group) == 1:
            sentences.append(_alone(env, group.iloc[0], decimals))
        else:
            best = group["algorithm"].iloc[0]
            mine = [claim for claim in claims if claim.first == best]
            sentences += [claimed(mine[0], decimals)] if len(mine) == 1 else _ranked(mine, decimals)
            rivals = set(group["algorithm"]) - {best}
            sentences += _besides([claim for claim in claims if claim.first in rivals])
    if not scored.empty:
        sentences += [
            sentence("Of {} no trial finished (0 of {}).", Name(row.algorithm), str(row.of))
            for row in scores[scores["n"] == 0].itertuples()
        ]
    worth: dict[str, list[Sentence]] = {}
    for name in sorted(set(scored["algorithm"]) & set(solved)):
        worth.setdefault(number(solved[name], decimals), []).append((Name(name),))
    for value, names in worth.items():
        where = () if sentences else sentence(" of {}", Name(env))
        sentences.append(sentence("Solving the model{} gives {} ({}).", where, value, listed(names)))
    return joined(sentences)


def claimed(claim: Claim, decimals: int | None = None) -> Sentence:
    """Give one claim as a sentence, its numbers to ``decimals`` or to what its means need."""
    if decimals is None:
        decimals = decimals_for([claim.mean_first, claim.mean_second])
    env, first, second = Name(claim.env), Name(claim.first), Name(claim.second)
    means = _mean(claim, first, decimals), _mean(claim, second, decimals)
    if claim.verdict in ("better", "equivalent"):
        is_what = sentence("{} is better than {} on {}", first, second, env)
        if claim.verdict == "equivalent":
            margin = _margin(claim, decimals)
            is_what = sentence("{} and {} are equivalent on {} {}", first, second, env, margin)
        of_what = "return" if claim.metric == "final" else claim.metric
        text = "{}: mean {} {} against {}, a difference of {} ({})."
        return sentence(
            text, is_what, of_what, *means, number(claim.effect, decimals), _evidence(claim, decimals)
        )
    both = sentence("{} ({}) and {} ({})", first, means[0], second, means[1])
    if claim.verdict == "cannot be decided":
        text = (
            "On {} nothing can be decided with so few trials between {}: "
            "even the clearest difference would not pass the test."
        )
        return sentence(text, env, both)
    why = _because([claim.reason]) or _needed(claim.seeds_needed)
    return sentence("On {} the data do not decide between {}{}.", env, both, why)


def solvers(trials: pd.DataFrame) -> set[str]:
    """Give the names of the algorithms that read the model."""
    return set(trials.loc[trials["kind"] == "solver", "algorithm"])


def exact_values(results: Any) -> dict[tuple[str, str], float]:
    """Give the exact expected return of the final policies, mean over trials, where a model gives it."""
    known = results.evaluations.dropna(subset=["exact_value"]).sort_values("step", kind="stable")
    last = known.groupby(["algorithm", "env", "seed"])["exact_value"].last()
    return last.groupby(["algorithm", "env"]).mean().to_dict()


def _comparable(learners: pd.DataFrame, claims: Sequence[Claim]) -> list[pd.DataFrame]:
    """Split the learners into those compared with each other: different budgets are not."""
    groups, left = [], learners
    while len(left):
        best = left["algorithm"].iloc[0]
        beside = [
            name for one in claims for name in (one.first, one.second) if best in (one.first, one.second)
        ]
        mine = left["algorithm"].isin([best, *beside])
        groups.append(left[mine])
        left = left[~mine]
    return groups


def _alone(env: str, row: Any, decimals: int) -> Sentence:
    reach = _interval(row["low"], row["high"], [row["weak"]], decimals)
    if math.isnan(row["low"]):
        reach = "one trial, so no interval" if row["n"] == 1 else "all scores equal, so no interval"
    text = "{} scores {} on {} ({}; {} of {} trials)."
    mean = number(row["mean"], decimals)
    return sentence(text, Name(row["algorithm"]), mean, Name(env), reach, str(row["n"]), str(row["of"]))


def _ranked(claims: Sequence[Claim], decimals: int) -> list[Sentence]:
    """Say of the best of an environment which rivals it beats, equals and leaves open."""
    beaten, equal, open_ = (
        [claim for claim in claims if claim.verdict in verdicts]
        for verdicts in (("better",), ("equivalent",), ("undecided", "cannot be decided"))
    )
    if not beaten and not equal:  # the next best is the first of its rivals
        return [claimed(claims[0], decimals)]
    best, env = Name(claims[0].first), Name(claims[0].env)
    text = "{} has the highest mean return on {}, {}{}."
    rivals = [_rival(claim, decimals, told=True) for claim in beaten]
    than = sentence(", and is better than {}", listed(rivals)) if beaten else ()
    sentences = [sentence(text, best, env, _mean(claims[0], best, decimals), than)]
    if equal:
        rivals = [_rival(claim, decimals, told=True) for claim in equal]
        sentences.append(sentence("It is equivalent to {} {}.", listed(rivals), _margin(equal[0], decimals)))
    if open_:
        rivals = [_rival(claim, decimals, told=claim.n_second < claim.of_second) for claim in open_]
        because = _because(claim.reason for claim in open_)
        each = "each of " if len(rivals) > 1 else ""
        text = "Between it and {}{} the data do not decide{}."
        sentences.append(sentence(text, each, listed(rivals), because))
    return sentences


def _besides(claims: Iterable[Claim]) -> list[Sentence]:
    """Say what is decided between those that are not the best."""
    texts = {"better": "{} is better than {}", "equivalent": "{} is equivalent to {}"}
    told = [
        sentence(texts[claim.verdict], Name(claim.first), Name(claim.second))
        for claim in claims
        if claim.verdict in texts
    ]
    if len(told) > _MOST_BESIDES:
        told[_MOST_BESIDES:] = [sentence("{} more among the comparisons", str(len(told) - _MOST_BESIDES))]
    return [sentence("Besides, {}.", listed(told))] if told else []


def _rival(claim: Claim, decimals: int, *, told: bool) -> Sentence:
    name = Name(claim.second)
    return sentence("{} ({})", name, _mean(claim, name, decimals)) if told else (name,)


def _mean(claim: Claim, name: str, decimals: int) -> str:
    """Give one side's mean, with the trials it is of where some have no score."""
    mean, n, of = (
        (claim.mean_first, claim.n_first, claim.of_first)
        if name == claim.first
        else (claim.mean_second, claim.n_second, claim.of_second)
    )
    text = number(mean, decimals)
    return text if n == of else f"{text} from {n} of {of} trials"


def _margin(claim: Claim, decimals: int) -> str:
    share = f"{100 * claim.share:.4g} % of the range from random to reference"
    return f"within a margin of {number(claim.margin, decimals)}, {share}"


def _evidence(claim: Claim, decimals: int) -> str:
    details = [claim.reason or p_value(claim.p_corrected)]
    if claim.tests > 1 and not claim.reason:
        details[0] += f", corrected for {count(claim.tests, 'comparison')}"
    if not math.isnan(claim.low):
        details.insert(0, _interval(claim.low, claim.high, [claim.weak], decimals))
    return "; ".join(details)


def _because(reasons: Iterable[str]) -> str:
    """Say what leaves all of them open; nothing where that is not the same kind of thing for each."""
    told = list(dict.fromkeys(reasons))
    return f": {'; '.join(told)}" if all(told) else ""


def _interval(low: float, high: float, marks: Iterable[str], decimals: int) -> str:
    return ", ".join(filter(None, [f"95 % interval {interval(low, high, decimals)}", weak(marks)]))


def _needed(seeds: float) -> str:
    if not math.isfinite(seeds):
        return ""
    if seeds > _MOST_SEEDS:
        return f": a difference this small would take more than {_MOST_SEEDS:,} seeds each to show"
    return f": a difference of the observed size would take about {int(seeds)} seeds each to show"
