"""The section on comparisons that were decided while seeds came in."""

from __future__ import annotations

import os

import pytest
from synthetic import write_decisions, write_results

import rlbench
from rlbench.reports.decisions import decisions


@pytest.fixture
def store(tmp_path):
    return write_results(tmp_path / "run", algorithms=("a2c", "dqn", "random"))


def test_it_says_which_decisions_count_and_what_they_took(store):
    write_decisions(
        store, {("a2c", "dqn"): "undecided", ("random", "a2c"): "smaller", ("random", "dqn"): "smaller"}
    )
    results = rlbench.load(store.root)
    section = decisions(results)
    for part in (
        "a2c is better than random",
        "a2c or dqn: undecided",
        "15 of 30 trials were run: 50% fewer",
        "3 comparisons",
    ):
        assert part in section.html
    assert len(section.tables["decisions"]) == 3
    page = results.report().read_text(encoding="utf-8")
    assert "Decided while seeds came in" in page
    assert "p = nan" not in page
    assert results.document()["decisions"][0]["verdict"] == "undecided"


def test_the_answer_of_two_says_what_decided_in_the_place_of_p(store):
    only = write_results(store.root.parent / "two", algorithms=("a2c", "random"))
    write_decisions(only, {("a2c", "random"): "larger"})
    page = rlbench.load(only.root).report().read_text(encoding="utf-8")
    assert "sequential comparison, decided after 5 of at most 10 seeds" in page
    assert "1 comparisons" not in page


def test_without_a_journal_there_is_no_such_section(store):
    results = rlbench.load(store.root)
    assert decisions(results) is None
    assert "decisions" not in results.document()


def test_names_are_shown_as_text(tmp_path):
    evil = "<script>alert(1)</script>"
    store = write_results(tmp_path, algorithms=("a2c", evil))
    write_decisions(store, {("a2c", evil): "larger"})
    assert evil not in decisions(rlbench.load(tmp_path)).html
    assert "&lt;script&gt;" in decisions(rlbench.load(tmp_path)).html


def test_a_newer_journal_makes_the_report_old(store):
    results = rlbench.load(store.root)
    page = results.report()
    assert rlbench.load(store.root).current_report() == page
    write_decisions(store, {("a2c", "dqn"): "undecided"})
    os.utime(next((store.root / "decisions").iterdir()), ns=(2**62, 2**62))
    assert rlbench.load(store.root).current_report() is None
