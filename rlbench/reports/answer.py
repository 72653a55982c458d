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
_OF_RANGE = "of the range from random to reference"
_MOST_SEEDS = 1000  # a larger estimate says little more than "a great many"


def answers(results: Any) -> list[Sentence]:
    """Give the answer over environments, where something could be compared there, then that of each."""
    over_all = suite_answer(claims_of(results.suite_comparisons()))
    return [*([over_all] if over_all else []), *_each(results)]


def suite_answer(claims: Sequence[Claim]) -> Sentence:
    """Say who is better over environments, and who has scores there but could be compared with nobody."""
    fair = [claim for claim in claims if not claim.barred]
    told = {name for claim in fair for name in (claim.first, claim.second)}
    apart = {
        name: (mean, claim.reason)
        for claim in claims
        for name, mean in ((claim.first, claim.mean_first), (claim.second, claim.mean_second))
        if fair and name not in told and not math.isnan(mean)
    }
    return joined(
        [
            *_compared(fair, None),
            *(
                sentence("{} ({}) is not compared there: {}.", Name(name), number(mean, 3), why)
                for name, (mean, why) in sorted(apart.items())
            ),
        ]
    )


def _each(results: Any) -> list[Sentence]:
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
            here = set(group["algorithm"])
            mine = [claim for claim in claims if {claim.first, claim.second} <= here]
            sentences += _compared(mine, decimals)
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
    where, first, second = _where(claim), Name(claim.first), Name(claim.second)
    if claim.barred:
        text = "{} nothing can be decided between {} and {}: {}."
        return sentence(text, _opening(where), first, second, claim.reason)
    means = _mean(claim, first, decimals), _mean(claim, second, decimals)
    if claim.verdict in ("better", "equivalent"):
        is_what = sentence("{} is better than {} {}", first, second, where)
        if claim.verdict == "equivalent":
            margin = _margin(claim, decimals)
            is_what = sentence("{} and {} are equivalent {} {}", first, second, where, margin)
        effect = number(claim.effect, decimals) + (f" {_OF_RANGE}" if claim.environments > 1 else "")
        text = "{}: mean {} {} against {}, a difference of {} ({})."
        return sentence(text, is_what, _measure(claim), *means, effect, _evidence(claim, decimals))
    both = sentence("{} ({}) and {} ({})", first, means[0], second, means[1])
    if claim.verdict == "cannot be decided":
        text = (
            "{} nothing can be decided with so few trials between {}: "
            "even the clearest difference would not pass the test."
        )
        return sentence(text, _opening(where), both)
    why = _because([claim.reason]) or _needed(claim)
    return sentence("{} the data do not decide between {}{}.", _opening(where), both, why)


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


def _compared(claims: Sequence[Claim], decimals: int | None) -> list[Sentence]:
    """Say what is decided between the best and its rivals, and besides; the best comes first in claims."""
    best = claims[0].first if claims else ""
    mine = [claim for claim in claims if claim.first == best]
    besides = _besides([claim for claim in claims if claim.first != best])
    if len(mine) < 2:
        return [*(claimed(claim, decimals) for claim in mine), *besides]
    if decimals is None:
        decimals = decimals_for([mine[0].mean_first, *(claim.mean_second for claim in mine)])
    return [*_ranked(mine, decimals), *besides]


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
    best = Name(claims[0].first)
    text = "{} has the highest mean {} {}, {}{}."
    rivals = [_rival(claim, decimals, told=True) for claim in beaten]
    than = sentence(", and is better than {}", listed(rivals)) if beaten else ()
    mean = _mean(claims[0], best, decimals)
    sentences = [sentence(text, best, _measure(claims[0]), _where(claims[0]), mean, than)]
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


def _where(claim: Claim) -> Sentence:
    """Give the words for where it holds: an environment's name is a stored one, a suite's is ours."""
    return sentence("on {}", Name(claim.env)) if claim.environments == 1 else (claim.env,)


def _opening(where: Sentence) -> Sentence:
    return (where[0].capitalize(), *where[1:])


def _measure(claim: Claim) -> str:
    if claim.environments > 1:
        return "normalised score"
    return "return" if claim.metric == "final" else claim.metric


def _margin(claim: Claim, decimals: int) -> str:
    share = f"{100 * claim.share:.4g} % {_OF_RANGE}"
    if claim.environments > 1:
        return f"within a margin of {share}"
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


def _needed(claim: Claim) -> str:
    seeds, each = claim.seeds_needed, "seeds each" + (" everywhere" if claim.environments > 1 else "")
    if not math.isfinite(seeds):
        return ""
    if seeds > _MOST_SEEDS:
        return f": a difference this small would take more than {_MOST_SEEDS:,} {each} to show"
    return f": a difference of the observed size would take about {int(seeds)} {each} to show"
