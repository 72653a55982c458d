"""Runs that add seeds in groups, only where a comparison is undecided."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from rlbench.api import UsageError
from rlbench.results.frames import Frames, is_results_folder
from rlbench.results.journal import (
    FOLDER,
    METRIC,
    Arm,
    Decision,
    Journal,
    Layout,
    read_journals,
    write_journal,
)
from rlbench.results.records import content_hash
from rlbench.results.store import Store
from rlbench.running.plan import Plan
from rlbench.running.runner import Interrupted
from rlbench.running.seeding import SEED_LIMIT


class Due(NamedTuple):
    """The group of seeds that a run until decided is at: the first that lacks trials, else the last."""

    plan: Plan  # of this group
    number: int  # from 1
    of: int
    missing: int  # trials
    undecided: list[str]  # pairs, by the groups before, and by this one where it lacks nothing


def layout_of(plan: Plan) -> Layout:
    """Fix what is compared: every two learners on each environment, all of them one family.

    Raises ``UsageError`` where the options do not fit together, where there is nothing to compare, where no
    scores could decide, and where the folder holds decisions on the same two learners by another layout, or
    their results by a run that decided nothing.
    """
    from rlbench.analysis.comparisons import LEVEL
    from rlbench.analysis.sequential import PATHS, STREAM, attainable

    options = plan.options
    group, most, start = len(options.seeds), options.max_seeds, options.seeds[0]
    if options.seeds != tuple(range(start, start + group)):
        raise UsageError(
            "--until-decided goes on from the last seed, and a list has no next one; "
            "give --seeds a count (5) or a range (3:8)"
        )
    if "max_seeds" not in options.origins:  # nobody asked for just this number
        most = max(most // group, 2) * group
    if most % group:
        lower, higher = most // group * group, -(-most // group) * group
        raise UsageError(
            f"--max-seeds {most} is no multiple of the {group} of --seeds; "
            f"give {f'{lower} or ' if lower else ''}{higher}"
        )
    if start + most > SEED_LIMIT:
        raise UsageError(f"--max-seeds {most} leaves the range of seeds; use seeds up to {SEED_LIMIT - 1}")
    trials = {(trial.label, trial.env): trial for trial in plan.trials}
    learners = [arm for arm in plan.arms if arm.kind != "solver"]
    arms = [
        Arm(
            label=arm.label,
            env=arm.env,
            trials=[
                msgspec.structs.replace(trials[arm.label, arm.env], seed=seed).hash
                for seed in range(start, start + most)
            ],
            seedless=msgspec.structs.replace(trials[arm.label, arm.env], seed=0).hash,
        )
        for arm in learners
    ]
    pairs = itertools.combinations(range(len(arms)), 2)
    tests = [(first, second) for first, second in pairs if arms[first].env == arms[second].env]
    if not tests:
        raise UsageError(
            "--until-decided compares learners, and no environment has two; name another one with --algos"
        )
    if not attainable(group, most // group, len(tests)):
        raise UsageError(
            f"{most} seeds in groups of {group} cannot decide any of {_count(len(tests))}, whatever the "
            "scores; raise --max-seeds or --seeds"
        )
    layout = Layout(
        group=group,
        interims=most // group,
        level=LEVEL,
        metric=METRIC,
        paths=PATHS,
        stream=STREAM,
        arms=arms,
        tests=tests,
    )
    _check_decisions(plan.folder, layout)
    _check_results(plan.folder, layout)
    return layout


def _count(tests: int) -> str:
    return f"{tests} comparison{'' if tests == 1 else 's'}"


def _check_decisions(folder: str, layout: Layout) -> None:
    """Refuse a second look at the same two learners by another layout, which no level would cover."""
    mine = _compared(layout)
    for other in read_journals(Path(folder))[0]:
        if other.layout.hash != layout.hash and mine & _compared(other.layout):
            was = other.layout
            raise UsageError(
                f"{folder} holds decisions on some of these learners, made with --seeds {was.group} "
                f"--max-seeds {was.group * was.interims} over {_count(len(was.tests))}, and another "
                "attempt, with fresh seeds too, would not keep the error they promise; repeat that command, "
                "or give another folder with --out and tell of both"
            )


def _check_results(folder: str, layout: Layout) -> None:
    """Refuse two learners whose results a run with a fixed number of seeds has shown already.

    Whoever goes on where these did not decide has looked once more than the level allows for. Once there is
    a journal, whatever came later changes nothing in it.
    """
    root = Path(folder)
    if not is_results_folder(root) or (root / FOLDER / f"{layout.hash}.json").exists():
        return
    frames = Frames(root)
    asked: dict[bool, set[str]] = {True: set(), False: set()}  # by whether it is until decided
    for document in frames.experiments:
        request = document.get("request")
        kind = isinstance(request, dict) and request.get("until_decided") is True
        asked[kind].update(document.get("trials", ()))
    shown = {
        content_hash({**trial.document, "seed": 0})
        for trial in frames.stored
        if trial.status in ("finished", "diverged")
        and (trial.hash in asked[False] or trial.hash not in asked[True])
    }
    for first, second in layout.tests:
        if {layout.arms[first].seedless, layout.arms[second].seedless} <= shown:
            start = max(trial.seed for trial in frames.stored) + 1
            raise UsageError(
                f"{folder} holds results of {_names(layout, (first, second))} by a run without "
                "--until-decided: they have been seen, and decisions on top of them would not keep the error "
                f"they promise; take fresh seeds in another folder (--seeds {start}:{start + layout.group} "
                "--out DIR) and tell of both"
            )


def _compared(layout: Layout) -> set[tuple[str, str]]:
    """Give the learners that stand against each other, and their trials of equal seeds."""
    sides = [[arm.seedless, *arm.trials] for arm in layout.arms]
    return {
        (min(pair), max(pair))
        for first, second in layout.tests
        for pair in zip(sides[first], sides[second], strict=True)
        if all(pair)
    }


def most_trials(plan: Plan) -> int:
    """Give how many trials a plan may come to: its own, and those of all groups that may be added."""
    if not plan.options.until_decided:
        return len(plan.trials)
    layout = layout_of(plan)
    more = {arm for test in layout.tests for arm in test}
    return len(plan.trials) + len(more) * layout.group * (layout.interims - 1)


def judge(layout: Layout, scores: Mapping[str, float], looks: int) -> Journal:
    """Decide from the stored scores, by trial hash, of ``looks`` groups; absent ones are missing."""
    import numpy as np

    from rlbench.analysis.sequential import decide

    sides = [
        np.array([scores.get(trial, np.nan) for trial in arm.trials], dtype=float).reshape(-1, layout.group)
        for arm in layout.arms
    ]
    pairs = [(sides[first], sides[second]) for first, second in layout.tests]
    found = decide(
        pairs, layout.interims, looks, level=layout.level, paths=layout.paths, stream=layout.stream
    )
    return Journal(layout=layout, decisions=found)


def due(plan: Plan, missing: Callable[[Plan], int], scores: Callable[[], Mapping[str, float]]) -> Due:
    """Find the group that the next run trains, deciding from the stored scores; nothing is written.

    ``missing(group)`` counts the trials that a group's plan lacks.
    """
    layout = layout_of(plan)
    group, undecided = plan, set(range(len(layout.tests)))
    for interim in range(1, layout.interims + 1):
        lacking = missing(group)
        if not lacking:
            undecided = _undecided(judge(layout, scores(), interim))
        if lacking or not undecided or interim == layout.interims:
            break
        group = _next_group(plan, layout, interim, undecided)
    pairs = [_names(layout, layout.tests[test]) for test in sorted(undecided)]
    return Due(group, interim, layout.interims, lacking, pairs)


def run_groups(
    plan: Plan,
    train: Callable[[Plan], None],
    scores: Callable[[], Mapping[str, float]],
    say: Callable[[str], None],
    stopping: Callable[[], bool],
) -> None:
    """Train group after group, keep what each decides, and stop where nothing is left to decide.

    The decisions follow from the stored scores alone: where a journal is there, they are made again, and
    ``say`` tells if they differ. Raises ``Interrupted`` if ``stopping()`` is true before the last group.
    """
    layout = layout_of(plan)
    store = Store(plan.folder)
    group = plan
    for interim in range(1, layout.interims + 1):
        if stopping():
            raise Interrupted("stopped before everything was decided; the same command continues")
        train(group)
        journal = judge(layout, scores(), interim)
        _keep(store, journal, say)
        say(_progress(journal, interim))
        undecided = _undecided(journal)
        if not undecided:
            return
        group = _next_group(plan, layout, interim, undecided)


def _undecided(journal: Journal) -> set[int]:
    return {one.test for one in journal.last() if one.verdict == "undecided"}


def _keep(store: Store, journal: Journal, say: Callable[[str], None]) -> None:
    """Write the journal, unless the one that is there says the same and perhaps more."""
    layout, found = journal.layout, journal.decisions
    old = next((one for one in read_journals(store.root)[0] if one.layout == layout), None)
    kept = old.decisions if old is not None else []
    if kept[: len(found)] == found:
        return
    for before, now in zip(kept, found, strict=False):
        if before != now:
            pair = _names(layout, layout.tests[now.test])
            say(
                f"the journal is not what the scores say: after {now.interim * layout.group} seeds {pair} "
                f"was {_said(before)} and is {_said(now)}, as where a failed trial has run again; it is "
                "written anew"
            )
            break
    with store.lock():
        write_journal(store, journal)


def _said(one: Decision) -> str:
    return f"{one.verdict} ({one.n_first} and {one.n_second} scores)"


def _names(layout: Layout, test: tuple[int, int]) -> str:
    first, second = (layout.arms[arm] for arm in test)
    return f"{first.label} against {second.label} on {first.env}"


def _next_group(plan: Plan, layout: Layout, interim: int, undecided: set[int]) -> Plan:
    """Give the plan of the group after ``interim``: the next seeds of every arm in an undecided test."""
    seeds = tuple(seed + interim * layout.group for seed in plan.options.seeds)
    wanted = {
        (layout.arms[arm].label, layout.arms[arm].env) for test in undecided for arm in layout.tests[test]
    }
    first = {(trial.label, trial.env): trial for trial in plan.trials}
    arms = [arm for arm in plan.arms if (arm.label, arm.env) in wanted]
    return dataclasses.replace(
        plan,
        options=dataclasses.replace(plan.options, seeds=seeds),
        arms=arms,
        trials=[
            msgspec.structs.replace(first[arm.label, arm.env], seed=seed) for arm in arms for seed in seeds
        ],
    )


def _progress(journal: Journal, interim: int) -> str:
    """Say what this group has decided, and who needs more seeds."""
    layout, last = journal.layout, journal.last()
    undecided = [one for one in last if one.verdict == "undecided"]
    new = [_outcome(layout, one) for one in last if one.interim == interim and one.verdict != "undecided"]
    done = f"{len(last) - len(undecided)} of {_count(len(last))} decided"
    text = f"after {interim * layout.group} seeds: {done}"
    if new:
        text += f" (now: {'; '.join(new)})"
    if undecided and interim < layout.interims:
        arms = sorted({arm for one in undecided for arm in layout.tests[one.test]})
        names = ", ".join(f"{layout.arms[arm].label} on {layout.arms[arm].env}" for arm in arms)
        text += f"; {layout.group} more seeds for {names}"
    return text


def _outcome(layout: Layout, one: Decision) -> str:
    first, second = (layout.arms[arm] for arm in layout.tests[one.test])
    better, worse = (first, second) if one.verdict == "larger" else (second, first)
    return f"{better.label} is better than {worse.label} on {first.env}"
