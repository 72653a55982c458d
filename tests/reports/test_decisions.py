"""The section on comparisons that were decided while seeds came in."""

from __future__ import annotations

import os

import pytest
from synthetic import write_decisions, write_results

import rlbench
from rlbench.reports.decisions import decisions
from rlbench.reports.printed import claims as claims_table
from rlbench.reports.sections import answer, comparisons


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


def test_no_note_says_of_sequential_pairs_that_the_fixed_test_decides(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c", "random"))
    fixed = [section(rlbench.load(store.root)).html for section in (answer, comparisons)]
    write_decisions(store, {("a2c", "random"): "larger"})
    only = [section(rlbench.load(store.root)).html for section in (answer, comparisons)]
    for before, after in zip(fixed, only, strict=True):
        assert "studentised" in before
        assert "sequential" not in before
        assert "studentised" not in after
        assert "sequential" in after
    assert "(sequential comparison, decided after 5 of at most 10 seeds)" in only[1]


def test_beside_sequential_pairs_the_fixed_test_is_that_of_the_others(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c", "dqn", "ppo", "random"))
    write_decisions(store, {("a2c", "dqn"): "undecided"})
    results = rlbench.load(store.root)
    assert "over all other pairs shown" in answer(results).html
    assert "method over 1 comparison." in comparisons(results).html


def test_the_errors_of_several_runs_add_up_and_it_says_so(store):
    write_decisions(store, {("a2c", "dqn"): "undecided"})
    write_decisions(store, {("a2c", "random"): "larger"})
    html = decisions(rlbench.load(store.root)).html
    assert "2 runs, of 1 comparison and of 1 comparison" in html
    assert "add up" in html
    assert "15 of 30 trials" in html


def test_beside_a_damaged_journal_nothing_is_claimed(store):
    assert "better" in set(rlbench.load(store.root).comparisons()["verdict"])
    write_decisions(store, {("a2c", "dqn"): "undecided"})
    (path,) = (store.root / "decisions").iterdir()
    path.write_bytes(b"{}")
    results = rlbench.load(store.root)
    found = results.comparisons()
    assert set(found["verdict"]) == {"undecided"}
    assert found["p_corrected"].isna().all()
    assert found["reason"].str.contains(f"the journal {path.name} is damaged").all()
    assert path.name in answer(results).html


def test_a_decision_whose_scores_are_gone_says_so(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c", "random"), seeds=4)
    write_decisions(store, {("a2c", "random"): "larger"})
    assert "4 of 5 scores of a2c are left" in decisions(rlbench.load(tmp_path)).html


def test_before_its_first_decision_a_run_until_decided_claims_nothing(store):
    store.write_experiment({"schema_version": 1, "request": {"until_decided": True}, "trials": []})
    found = rlbench.load(store.root).comparisons()
    assert set(found["verdict"]) == {"undecided"}
    assert found["p_corrected"].isna().all()
    assert set(found["reason"]) == {"a run until decided has kept no decision yet"}
    write_decisions(store, {("a2c", "dqn"): "larger"})
    assert "better" in set(rlbench.load(store.root).comparisons()["verdict"])


def test_journals_of_others_say_nothing_of_a_run_until_decided(store):
    write_decisions(store, {("a2c", "dqn"): "larger"})
    store.write_experiment({"schema_version": 1, "request": {"until_decided": True}, "trials": ["0" * 64]})
    assert set(rlbench.load(store.root).comparisons()["verdict"]) == {"undecided"}


def test_a_printed_table_says_what_decided_in_the_place_of_p(store):
    write_decisions(store, {("a2c", "dqn"): "larger"})
    claims = rlbench.load(store.root).claims()
    table = claims_table(claims.itertuples(), claims).printed
    assert table["Verdict"].str.contains("better than (sequential comparison", regex=False).any()
