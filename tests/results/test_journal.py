"""Journals of decisions: what is no journal of this program is damaged, and told."""

from __future__ import annotations

import pytest

from rlbench.results.journal import Arm, Decision, Journal, Layout, read_journals, write_journal
from rlbench.results.store import Store


def journal(decision=(0, 1, "larger", 5, 5), tests=((0, 1),), second=("b", "E"), **layout):
    arms = [Arm(label, env, [f"{label}{seed}" for seed in range(10)]) for label, env in (("a", "E"), second)]
    given = {"group": 5, "interims": 2, "level": 0.05, "metric": "final", "paths": 1000, "stream": 0}
    whole = Layout(**given | layout, arms=arms, tests=list(tests))
    return Journal(layout=whole, decisions=[Decision(*decision)])


def test_a_journal_is_read_as_it_was_written(tmp_path):
    write_journal(Store(tmp_path), journal())
    assert read_journals(tmp_path) == ([journal()], {})


@pytest.mark.parametrize(
    "odd",
    [
        {"tests": [(0, 0)]},
        {"tests": [(0, 2)]},
        {"second": ("a", "E")},
        {"second": ("b", "another")},
        {"decision": (0, 1, "larger", -1, 5)},
        {"decision": (0, 1, "larger", 5, 6)},
        {"decision": (0, 3, "larger", 5, 5)},
        {"metric": "auc"},
        {"level": 0.9},
        {"level": 0.0},
    ],
)
def test_what_no_run_writes_is_damaged(tmp_path, odd):
    write_journal(Store(tmp_path), journal(**odd))
    found, problems = read_journals(tmp_path)
    assert not found
    assert ["is damaged" in problem for problem in problems.values()] == [True]
