"""Results in Python: the frames, the counts, and the document that ``--json`` prints."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal

import numpy as np
import pytest
from in_process import lockstep, plan_for
from synthetic import identity, write_results, write_trial

import rlbench
from rlbench.api import FolderError, UsageError
from rlbench.experiment import run_plan
from rlbench.results.store import Store
from rlbench.running import replaying
from rlbench.running.runner import Interrupted

__all__ = ["lockstep"]

STATUSES = {("dqn", "CartPole-v1", 1): "failed", ("dqn", "CartPole-v1", 2): "diverged"}
UNSUPPORTED = [{"algorithm": "value-iteration", "env": "CartPole-v1", "reason": "needs a model"}]


@pytest.fixture
def results(tmp_path):
    write_results(tmp_path / "run", seeds=5, statuses=STATUSES, unsupported=UNSUPPORTED)
    return rlbench.load(tmp_path / "run")


def test_trials_have_the_promised_columns_in_front(results):
    promised = ["algorithm", "env", "seed", "status", "steps", "score", "error", "attempts", "wall_seconds"]
    assert list(results.trials.columns)[:10] == [*promised, "steps_per_second"]


def test_only_finished_trials_have_a_score_and_it_is_the_final_mean_return(results):
    trials = results.trials.set_index(["algorithm", "seed"])
    assert trials["score"].isna().sum() == 2
    one = results.evaluations.query("algorithm == 'a2c' and seed == 3")
    expected = one[one.step > 45_000]["episode_return"].mean()  # the last 2 of 20 points
    assert trials.loc[("a2c", 3), "score"] == expected


def test_failed_and_diverged_stay_in_the_denominator(results):
    scores = results.scores().set_index("algorithm")
    assert scores.loc["dqn", ["n", "of"]].tolist() == [3, 5]
    assert scores.loc["a2c", ["n", "of"]].tolist() == [5, 5]
    assert scores.loc["dqn", "low"] < scores.loc["dqn", "mean"] < scores.loc["dqn", "high"]


def test_curves_show_where_fewer_seeds_contribute(results):
    dqn = results.curves().query("algorithm == 'dqn'").set_index("step")
    assert dqn.loc[2_500, ["n", "of"]].tolist() == [5, 5]
    assert dqn.loc[50_000, ["n", "of"]].tolist() == [3, 5]


def test_comparisons_leave_solvers_out(tmp_path):
    write_results(tmp_path, algorithms=("q", "sarsa", "value-iteration"), envs=("FrozenLake-v1",))
    compared = rlbench.load(tmp_path).comparisons()
    assert set(compared["first"]) | set(compared["second"]) == {"q", "sarsa"}


def test_claims_are_a_frame_with_a_sentence_each_and_the_margin_of_the_reference(tmp_path):
    write_results(tmp_path, envs=("CartPole-v1", "Unheard-v0"), seeds=12)
    results = rlbench.load(tmp_path)
    claims = results.claims().set_index("env")
    assert claims["margin"].tolist() == [
        pytest.approx(0.05 * (500 - 22.2)),
        pytest.approx(math.nan, nan_ok=True),
    ]
    assert claims["tests"].tolist() == [2, 2]
    assert claims.loc["CartPole-v1", "verdict"] == "better"
    assert "a2c is better than dqn on CartPole-v1: mean return" in claims.loc["CartPole-v1", "text"]
    assert results.claims(margin=0)["margin"].isna().all()
    with pytest.raises(UsageError, match="from 0 to below 1"):
        results.claims(margin=5)


def test_the_seeds_that_a_claim_needs_are_whole_numbers_or_missing(tmp_path):
    write_results(tmp_path, algorithms=("a2c", "dqn", "random"), seeds=3)
    results = rlbench.load(tmp_path)
    wanted = results.comparisons()
    told = [claim["seeds_needed"] for claim in json.loads(json.dumps(results.document()))["claims"]]
    assert told == [None if not math.isfinite(seeds) else int(seeds) for seeds in wanted["seeds_needed"]]
    assert any(isinstance(seeds, int) for seeds in told)


def test_another_algorithm_changes_no_score_and_the_claims_say_over_how_many_tests(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c", "dqn"))
    before, claimed = rlbench.load(tmp_path).scores(), rlbench.load(tmp_path).claims()
    for seed in range(5):
        write_trial(store, identity("random", seed=seed))
    after = rlbench.load(tmp_path)
    assert after.scores().query("algorithm != 'random'").equals(before)
    pair = after.claims().query("first == 'a2c' and second == 'dqn'").iloc[0]
    assert (claimed.loc[0, "tests"], pair["tests"]) == (1, 3)
    assert pair["effect"] == claimed.loc[0, "effect"]


def test_aggregates_are_of_normalised_scores_over_all_environments_with_a_reference(tmp_path):
    envs = ("CartPole-v1", "Acrobot-v1", "Unheard-v0")
    write_results(tmp_path, envs=envs, statuses={("dqn", "Acrobot-v1", 0): "failed"})
    results = rlbench.load(tmp_path)
    trials = results.trials.assign(normalised=results.normalised)
    assert trials.loc[trials["env"] == "Unheard-v0", "normalised"].isna().all()
    cartpole = trials[trials["env"] == "CartPole-v1"]
    assert cartpole["normalised"].tolist() == ((cartpole["score"] - 22.2) / (500 - 22.2)).tolist()
    table = results.aggregates().set_index(["algorithm", "statistic"])
    mine = trials[(trials["algorithm"] == "a2c") & trials["normalised"].notna()]
    assert table.loc[("a2c", "mean"), "value"] == pytest.approx(mine["normalised"].mean())
    assert table.loc[("dqn", "iqm"), ["environments", "n", "of"]].tolist() == [2, 9, 10]
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()


def test_curves_over_environments_are_of_normalised_returns(tmp_path):
    write_results(tmp_path, algorithms=("a2c", "value-iteration"), envs=("CartPole-v1", "Acrobot-v1"))
    results = rlbench.load(tmp_path)
    table = results.aggregate_curves()
    assert set(table["algorithm"]) == {"a2c"}
    assert table["steps"].tolist() == list(range(2_500, 52_500, 2_500))
    last = results.seed_curves().query("algorithm == 'a2c' and step == 50_000").sort_values(["env", "seed"])
    acrobot, cartpole = last["value"].to_numpy().reshape(2, 5)
    both = np.sort([*((cartpole - 22.2) / (500 - 22.2)), *((acrobot + 497.4) / (497.4 - 73.5))])
    assert table["value"].iloc[-1] == pytest.approx(both[2:-2].mean())


def test_learners_of_different_budgets_are_not_compared(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c", "q"))
    for seed in range(5):
        write_trial(store, identity("dqn", seed=seed, steps=1000))
    compared = rlbench.load(tmp_path).comparisons()
    assert len(compared) == 1
    assert set(compared.loc[0, ["first", "second"]]) == {"a2c [steps=50000]", "q [steps=50000]"}


def test_the_document_is_json_without_nan(results, tmp_path):
    document = results.document(tmp_path / "run" / "report" / "index.html")
    again = json.loads(json.dumps(document, allow_nan=False))
    assert list(again) == ["schema_version", "results", "report", "trials", "scores", "claims", "unsupported"]
    assert again["unsupported"] == UNSUPPORTED
    assert len(again["trials"]) == 10
    failed = next(trial for trial in again["trials"] if trial["status"] == "failed")
    assert failed["score"] is None
    (claim,) = again["claims"]
    assert (claim["first"], claim["second"], claim["verdict"]) == ("a2c", "dqn", "undecided")
    assert claim["reason"] == "2 of 5 trials of dqn have no score"
    assert claim["text"].startswith("On CartPole-v1 the data do not decide between a2c (")
    assert claim["seeds_needed"] is None
    assert set(again["scores"][0]) == {"algorithm", "env", "mean", "low", "high", "n", "of"}


def test_a_cell_where_all_failed_is_null_not_zero(tmp_path):
    failures = {("dqn", "CartPole-v1", seed): "failed" for seed in range(2)}
    write_results(tmp_path, algorithms=("dqn",), seeds=2, statuses=failures)
    score = rlbench.load(tmp_path).document()["scores"][0]
    assert (score["mean"], score["low"], score["n"], score["of"]) == (None, None, 0, 2)


def test_a_trial_with_damaged_evaluations_loses_its_score_but_not_its_place(results):
    path = results.path / "trials" / "a2c" / "CartPole-v1"
    damaged = next(path.glob("seed-2-*")) / "evaluations.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    trial = results.trials.query("algorithm == 'a2c' and seed == 2").iloc[0]
    assert trial["status"] == "damaged"
    assert str(damaged) in trial["error"]
    assert math.isnan(trial["score"])
    assert results.scores().query("algorithm == 'a2c'")[["n", "of"]].to_numpy().tolist() == [[4, 5]]
    assert results.problems


def test_trials_asked_for_and_not_started_are_counted(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c",), seeds=2)
    write_trial(store, identity("a2c", seed=9))
    store.write_experiment({"schema_version": 1, "trials": [identity("dqn", seed=s).hash for s in range(3)]})
    assert rlbench.load(tmp_path).missing == 3


def test_settings_say_where_values_came_from(results):
    row = results.settings.query("algorithm == 'dqn' and setting == 'hidden_sizes'").iloc[0]
    assert (row["value"], row["origin"]) == ("[64, 64]", "--set")


def test_an_unknown_metric_gets_a_suggestion(results):
    with pytest.raises(UsageError, match="did you mean 'final'"):
        results.scores("finl")


def test_a_notebook_shows_labels_as_text(tmp_path):
    write_results(tmp_path, algorithms=("<script>alert(1)</script>",), seeds=1)
    shown = rlbench.load(tmp_path)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_an_experiment_without_trials_is_empty_frames(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    store.write_experiment({"schema_version": 1, "trials": []})
    results = rlbench.load(tmp_path)
    assert results.trials.empty
    assert results.scores().empty
    assert results.comparisons().empty
    assert results.curves().empty
    assert results.document()["trials"] == []


def test_no_results_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no results in"):
        rlbench.load(tmp_path)


def test_a_damaged_copy_of_a_trial_has_no_score_of_its_own(results):
    home = next((results.path / "trials" / "a2c" / "CartPole-v1").glob("seed-2-*"))
    name, _, digest = home.name.rpartition("-")
    shutil.copytree(home, home.with_name(f"{name}-{digest[::-1]}"))
    copied = rlbench.load(results.path)
    assert copied.trials.loc[copied.trials["status"] == "damaged", "score"].isna().all()
    assert copied.scores()[["mean", "n"]].equals(results.scores()[["mean", "n"]])


def test_pictures_are_drawn_under_the_lock_and_the_wish_to_stop_is_heard(lockstep, tmp_path, monkeypatch):
    plan, catalogue = plan_for(tmp_path / "run", algos="a2c,random", video=True)
    begun = []

    def draw(frames, trial, *rest, **options):
        begun.append(trial.label)
        with pytest.raises(FolderError, match="another run is writing"), Store(frames.root).lock():
            pass
        os.kill(os.getpid(), signal.SIGINT)
        raise UsageError("there is no paint")

    monkeypatch.setattr(replaying, "replay", draw)
    with pytest.raises(Interrupted, match="1 picture left; the same command continues"):
        run_plan(plan, catalogue, executor=None, console=None, command="a test")
    assert begun == ["a2c"]
    with Store(tmp_path / "run").lock():
        pass
