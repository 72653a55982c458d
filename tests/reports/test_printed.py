"""Markdown and LaTeX print a table for people; CSV keeps every number."""

from __future__ import annotations

import pandas as pd
import pytest
from synthetic import write_results

import rlbench
from rlbench.reports import printed
from rlbench.reports.markup import latex, markdown
from rlbench.reports.suite_figures import TITLES


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("printed")
    write_results(folder, algorithms=("a2c", "dqn", "random"), envs=("CartPole-v1", "Acrobot-v1"), seeds=5)
    return rlbench.load(folder)


def test_scores_are_printed_best_first_and_rounded_with_a_mark_and_its_reason(results):
    table = printed.scores(results.scores())
    assert list(table.printed.columns) == [
        "Environment",
        "Algorithm",
        "Mean score",
        "95 % interval",
        "Trials",
    ]
    for env, rows in results.scores().groupby("env"):
        mine = table.printed[table.printed["Environment"] == env]
        best = rows.sort_values("mean", ascending=False)["algorithm"]
        assert list(mine["Algorithm"]) == list(best)
    assert table.printed["95 % interval"].str.endswith(" †").all()  # five seeds: all are weak
    assert table.note == "† weak: fewer than 10 seeds"
    assert table.data.equals(results.scores())


def test_a_pair_reads_as_a_sentence(results):
    claims = results.claims()
    table = printed.claims(claims.itertuples(), claims)
    decided = claims["verdict"] == "better"
    assert decided.any()
    assert set(table.printed.loc[decided, "Verdict"]) == {"better than"}
    assert list(table.printed["First"]) == list(claims["first"])
    assert "over 2 environments, normalised" in set(table.printed["Environment"])
    assert "text" in table.data.columns


def test_equivalence_is_printed_with_its_margin(results):
    claims = results.claims().head(1).assign(verdict="equivalent", margin=25.0, effect=1.0)
    [verdict] = printed.claims(claims.itertuples(), claims).printed["Verdict"]
    assert verdict == "within 25.000 of"


def test_where_seeds_were_chosen_by_scores_there_is_a_dash_for_p(results):
    claims = results.claims().assign(p_corrected=float("nan"))
    assert set(printed.claims(claims.itertuples(), claims).printed["p"]) == {"–"}


def test_an_algorithm_has_one_row_with_every_statistic(results):
    table = printed.aggregates(results.aggregates(), TITLES, 2, results.aggregates())
    assert list(table.printed["Algorithm"]) == ["a2c", "dqn", "random"]
    assert list(table.printed.columns[1:-1]) == list(TITLES.values())
    first = results.aggregates().iloc[0]
    assert first["statistic"] == "iqm"
    assert table.printed.iloc[0, 1].startswith(f"{first['value']:.2f} ({first['low']:.2f} to ")


def test_numbers_and_words_that_begin_like_one_go_to_the_right_and_a_note_stands_below():
    table = pd.DataFrame({"algorithm": ["dqn"], "mean": ["−1.5 (−2 to 3) †"], "p": ["< 0.001"]})
    assert markdown(table, "† weak").splitlines()[1:] == [
        "| --- | ---: | ---: |",
        "| dqn | −1.5 (−2 to 3) † | \\< 0.001 |",
        "",
        "† weak",
    ]
    assert latex(table, "† weak").splitlines()[-4:] == [
        r"dqn & $-$1.5 ($-$2 to 3) $^\dagger$ & \textless{} 0.001 \\",
        r"\bottomrule",
        r"\multicolumn{3}{l}{\footnotesize $^\dagger$ weak} \\",
        r"\end{tabular}",
    ]
