"""The journal of a comparison that adds seeds until it is decided: ``decisions/HASH.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from rlbench.results.files import read_bytes, shown
from rlbench.results.records import SCHEMA_VERSION, check_schema, content_hash, open_sealed, seal
from rlbench.results.store import Store

FOLDER = "decisions"
METRIC = "final"
"""The score that is compared."""

HIGHEST_LEVEL = 0.05
"""The largest family-wise error at which a journal may have decided."""

Verdict = Literal["larger", "smaller", "undecided"]


class Arm(msgspec.Struct, frozen=True, omit_defaults=True):
    """A learner on one environment, with the hashes of all trials it may need, in the order of seeds.

    ``seedless`` is the hash that its trials would have in common but for their seeds.
    """

    label: str
    env: str
    trials: list[str]
    seedless: str = ""


class Layout(msgspec.Struct, frozen=True):
    """Everything but the scores that decides: fixed before the first of them is seen.

    ``group`` seeds are added at each of ``interims``; ``tests`` names the two arms of each; ``level`` is the
    family-wise error over all of them; ``paths`` and ``stream`` are those of the permutations.
    """

    group: int
    interims: int
    level: float
    metric: str
    paths: int
    stream: int
    arms: list[Arm]
    tests: list[tuple[int, int]]

    @property
    def hash(self) -> str:
        """The content hash: 16 hex digits."""
        return content_hash(msgspec.to_builtins(self))


class Decision(msgspec.Struct, frozen=True):
    """What one test said at one interim (from 1), of how many scores a side.

    ``larger``: the scores of the test's first arm are.
    """

    test: int
    interim: int
    verdict: Verdict
    n_first: int
    n_second: int


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """A layout, and what every open test said at every interim so far, in that order."""

    layout: Layout
    decisions: list[Decision]
    schema_version: int = SCHEMA_VERSION

    def last(self) -> list[Decision]:
        """Give the last decision of each test that has been looked at, in the order of tests."""
        last = {decision.test: decision for decision in self.decisions}
        return [last[test] for test in sorted(last)]

    def groups(self) -> dict[int, int]:
        """Give how many groups of seeds each arm has been asked for, by its place in the layout."""
        groups = dict.fromkeys(range(len(self.layout.arms)), 1)
        for decision in self.decisions:
            for arm in self.layout.tests[decision.test]:
                groups[arm] = max(groups[arm], decision.interim)
        return groups


def write_journal(store: Store, journal: Journal) -> None:
    """Keep a journal under a checksum, whole or not at all; the caller holds the store's lock."""
    store.keep(f"{FOLDER}/{journal.layout.hash}.json", seal(msgspec.to_builtins(journal)))


def read_journals(root: Path) -> tuple[list[Journal], dict[str, str]]:
    """Give the journals of a results folder in the order of their names; of others, by name, what is wrong.

    Nothing they name is looked up. ``FolderError`` where a later version of rlbench wrote one.
    """
    journals, problems = [], {}
    for path in sorted((root / FOLDER).glob("*.json")):
        document = open_sealed(read_bytes(path) or b"")
        if document is not None:
            check_schema(document, path)
        journal = _parsed(document)
        if journal is None or journal.layout.hash != path.stem:
            problems[shown(path.name)] = (
                f"{shown(path)} is damaged; the same command again decides anew from the scores"
            )
        else:
            journals.append(journal)
    return journals, problems


def _parsed(document: object) -> Journal | None:
    try:
        journal = msgspec.convert(document, Journal)
    except msgspec.ValidationError:
        return None
    layout = journal.layout
    whole = (
        layout.group > 0
        and layout.metric == METRIC
        and 0 < layout.level <= HIGHEST_LEVEL
        and all(len(arm.trials) == layout.group * layout.interims for arm in layout.arms)
        and all(0 <= arm < len(layout.arms) for test in layout.tests for arm in test)
        and all(_comparable(layout.arms[first], layout.arms[second]) for first, second in layout.tests)
        and all(
            0 <= one.test < len(layout.tests)
            and 1 <= one.interim <= layout.interims
            and all(0 <= n <= one.interim * layout.group for n in (one.n_first, one.n_second))
            for one in journal.decisions
        )
    )
    return journal if whole else None


def _comparable(first: Arm, second: Arm) -> bool:
    """Say whether these are two learners on one environment, with no trial in common."""
    return first.env == second.env and not set(first.trials) & set(second.trials)
