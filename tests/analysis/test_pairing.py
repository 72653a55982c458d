"""Two versions paired by seed: the test agrees with scipy, verdicts with the evidence, and all is counted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rlbench.analysis.intervals import student_t
from rlbench.analysis.pairing import COLUMNS, Scored, compare_versions, sign_flip_p, smallest_flip_p, speeds

NAN = math.nan


def frame(algorithm="dqn", env="E", **columns):
    scores = columns.pop("scores")
    return pd.DataFrame(
        {
            "algorithm": algorithm,
            "env": env,
            "seed": columns.pop("seeds", range(len(scores))),
            "score": scores,
            **columns,
        }
    )


def compared(a, b, higher_is_better=True, **rest):
    return compare_versions([Scored("final", a, b, higher_is_better)], **rest)


def one(a, b, **rest):
    (row,) = compared(frame(scores=a), frame(scores=b), **rest).to_dict("records")
    return row


def test_sign_flips_by_hand():
    # Of the 8 flips of (1, 2, 3) only +++ and --- sum to 6 or more in size; (1, 2, -3) is like half of them.
    assert sign_flip_p(np.array([1.0, 2, 3])) == 2 / 8
    assert sign_flip_p(np.array([1.0, 2, -3])) == 1.0
    assert sign_flip_p(np.array([-1.0, 2, 3])) == 4 / 8
    assert sign_flip_p(np.zeros(5)) == 1.0
    assert sign_flip_p(np.array([0.0, 1, 2, 3, 0])) == 2 / 8  # what is 0 either way says nothing


@pytest.mark.parametrize("n", [2, 5, 9, 12])
@pytest.mark.parametrize("decimals", [0, 12])
def test_exact_p_agrees_with_scipy_ties_included(n, decimals):
    rng = np.random.default_rng(n)
    a, b = rng.normal(0, 1, n).round(decimals), rng.normal(0.6, 1, n).round(decimals)
    expected = stats.permutation_test(
        (b, a), lambda x, y, axis: np.abs((x - y).mean(axis=axis)), permutation_type="samples",
        alternative="greater", n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert sign_flip_p(b - a) == pytest.approx(expected, abs=1e-12)
    assert sign_flip_p(1e9 * (a - b)) == pytest.approx(expected, abs=1e-12)


def test_sampled_p_is_close_to_that_of_the_t_test_and_repeatable():
    differences = np.random.default_rng(5).normal(0.4, 1, 30)
    p = sign_flip_p(differences)
    assert p == sign_flip_p(differences)
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=0.1)
    assert sign_flip_p(differences + 10) == smallest_flip_p(30)


@pytest.mark.parametrize(("n", "p"), [(0, 1), (1, 1), (2, 0.5), (6, 1 / 32), (20, 2**-19), (21, 1e-5)])
def test_the_smallest_attainable_p(n, p):
    assert smallest_flip_p(n) == pytest.approx(p)
    assert sign_flip_p(np.arange(1.0, n + 1)) == pytest.approx(smallest_flip_p(n))


def test_false_alarms_stay_below_the_level_over_all_rows():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        sides = [
            pd.concat([frame(env=env, scores=shared + rng.exponential(size=8)) for env, shared in seeds])
            for seeds in [[(env, rng.normal(size=8)) for env in "EFG"]] * 2
        ]
        alarms += compared(*sides)["verdict"].isin(["better", "worse"]).any()
    assert alarms <= 0.09 * 200


def test_a_clear_change_is_decided_with_the_paired_interval():
    a = np.arange(8.0)
    b = a + np.array([1, 2, 1, 2, 1, 2, 1, 2.0])
    row = one(a, b)
    assert (row["verdict"], row["difference"], row["n"], row["of"]) == ("better", 1.5, 8, 8)
    assert (row["mean_a"], row["mean_b"]) == (3.5, 5.0)
    low, high = student_t(np.array(1.5), np.std(b - a, ddof=1), np.array(8))
    assert (row["low"], row["high"]) == (pytest.approx(float(low)), pytest.approx(float(high)))
    assert row["p"] == row["p_smallest"] == row["p_corrected"] == 2 / 2**8
    assert one(b, a)["verdict"] == "worse"
    assert one(a, b, higher_is_better=False)["verdict"] == "worse"
    assert one(b, a, higher_is_better=False)["verdict"] == "better"


def test_pairing_finds_what_the_spread_over_seeds_would_hide():
    a = np.array([0.0, 100, 200, 300, 400, 500, 600, 700])
    assert one(a, a + np.array([1, 2, 3, 1, 2, 3, 1, 2]))["verdict"] == "better"


def test_too_few_pairs_cannot_decide_and_say_what_p_they_could_attain():
    row = one([0.0, 0, 0, 0], [5.0, 6, 7, 8])
    assert (row["verdict"], row["p_smallest"]) == ("cannot be decided", 1 / 8)
    single = one([0.0], [5.0])
    assert (single["verdict"], single["reason"]) == ("cannot be decided", "one pair is no test")


def test_an_unclear_change_is_undecided():
    assert one(np.zeros(8), np.array([1.0, -1, 1, -1, 1, -1, 2, -1]))["verdict"] == "undecided"


def test_identical_scores_are_called_that_and_are_no_test():
    changed = frame("a2c", scores=np.arange(6.0) + 1)
    table = compared(
        pd.concat([frame(scores=np.arange(6.0)), frame("a2c", scores=np.zeros(6))]),
        pd.concat([frame(scores=np.arange(6.0)), changed]),
    ).set_index("algorithm")
    assert table["verdict"].to_dict() == {"dqn": "identical", "a2c": "better"}
    assert table["tests"].tolist() == [1, 1]
    assert table.loc["a2c", "p_corrected"] == 1 / 32
    assert one([1.0, 2], [1.0, 2 + 1e-15])["verdict"] != "identical"


def test_the_correction_is_over_all_rows_and_metrics():
    sides = [pd.concat([frame(env=env, scores=np.arange(9.0) + up) for env in "EF"]) for up in (0, 1)]
    table = compare_versions([Scored("final", *sides), Scored("auc", *sides)])
    assert table["tests"].tolist() == [4] * 4
    assert table["p_corrected"].tolist() == pytest.approx([4 / 2**8] * 4)
    assert table["metric"].tolist() == ["final", "final", "auc", "auc"]


@pytest.mark.parametrize("sign", [1, -1])
def test_missing_scores_are_counted_and_imputed_against_a_claim(sign):
    a, b = sign * np.arange(10.0), sign * (np.arange(10.0) + 20)
    few, many = b.copy(), b.copy()
    few[0], many[:4] = NAN, NAN
    told = one(a, few, higher_is_better=sign > 0)
    assert (told["verdict"], told["n"], told["of"]) == ("better", 9, 10)
    assert told["notes"] == "1 of 10 trials of B has no score"
    assert told["p"] >= sign_flip_p(few[1:] - a[1:])
    # Six pairs decide alone; not with four that A might have won.
    open_ = one(a, np.where(np.arange(10) < 4, NAN, a + sign), higher_is_better=sign > 0)
    assert (open_["verdict"], open_["reason"]) == ("undecided", "4 of 10 trials of B have no score")


def test_a_missing_score_of_a_counts_as_the_best_seen():
    a = np.array([NAN, NAN, NAN, *np.arange(9.0)])
    row = one(a, np.array([0.0, 0, 0, *(np.arange(9.0) + 0.5)]))
    assert (row["verdict"], row["reason"]) == ("undecided", "3 of 12 trials of A have no score")


def test_a_side_of_which_nothing_finished_is_not_decided_but_told():
    row = one(np.arange(8.0), np.full(8, NAN))
    assert (row["verdict"], row["reason"]) == ("cannot be decided", "8 of 8 trials of B have no score")
    assert (row["n"], row["mean_a"]) == (0, 3.5)
    assert math.isnan(row["mean_b"])
    assert row["tests"] == 0


def test_seeds_and_cells_of_one_side_alone_are_told():
    a = pd.concat([frame(scores=np.arange(7.0)), frame("old", scores=[1.0, 2])])
    b = pd.concat([frame(scores=np.arange(8.0), seeds=[2, 3, 4, 5, 6, 7, 8, 20]), frame("new", scores=[3.0])])
    table = compared(a, b).set_index("algorithm")
    assert table.loc["dqn", ["n", "of"]].tolist() == [5, 5]
    assert table.loc["dqn", "notes"] == "only in A: seeds 0-1; only in B: seeds 7-8, 20"
    assert table["reason"].to_dict() == {"dqn": "", "new": "only in B", "old": "only in A"}
    assert table.loc[["old", "new"], ["n", "of"]].to_numpy().tolist() == [[0, 2], [0, 1]]
    apart = compared(frame(scores=[1.0], seeds=[1]), frame(scores=[1.0], seeds=[2])).iloc[0]
    assert (apart["verdict"], apart["reason"]) == ("cannot be decided", "no seed in common")


def test_what_is_not_alike_is_not_tested_and_what_else_changed_is_told():
    cell = ("dqn", "E")
    row = one(np.zeros(8), np.ones(8), unlike={cell: "steps 100 -> 200"}, notes={cell: "gamma 0.9 -> 1"})
    assert (row["verdict"], row["reason"], row["notes"]) == (
        "cannot be decided", "steps 100 -> 200", "gamma 0.9 -> 1",
    )  # fmt: skip
    assert (row["mean_a"], row["mean_b"], row["tests"]) == (0, 1, 0)
    assert math.isnan(row["difference"])


def test_of_a_trial_that_is_there_twice_the_whole_copy_counts():
    a = frame(scores=[NAN, 1.0, 2.0], seeds=[0, 0, 1])
    assert compared(a, frame(scores=[1.0, 2.0])).loc[0, ["n", "of", "verdict"]].tolist() == [
        2,
        2,
        "identical",
    ]


def test_speed_is_shown_and_never_judged():
    a = frame(scores=[1.0, 1, 1], steps_per_second=[100.0, 100, 1], status=["finished", "finished", "failed"])
    b = frame(scores=[1.0, 1, 1], steps_per_second=[50.0, 60, 50], status="finished")
    table = speeds(a, b, {("dqn", "E"): "not on the same platform: processor"})
    assert list(table.columns) == COLUMNS
    row = table.iloc[0]
    assert row[["mean_a", "mean_b", "difference", "n", "of"]].tolist() == [100, 55, -45, 2, 3]
    assert (row["verdict"], row["reason"]) == ("not judged", "not on the same platform: processor")
    assert table[["low", "high", "p", "p_corrected"]].isna().all(axis=None)


def test_nothing_to_compare_is_an_empty_table():
    empty = frame(scores=[])
    assert list(compared(empty, empty).columns) == COLUMNS


def test_differences_that_overflow_decide_nothing():
    assert sign_flip_p(np.array([np.inf, np.inf, np.inf, np.inf, np.inf, np.inf])) == 1.0
