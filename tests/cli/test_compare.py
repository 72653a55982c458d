"""``rlbench compare`` as users call it: two folders, verdicts, and an exit code for CI."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import synthetic
from synthetic import identity, write_decisions, write_results, write_trial

import rlbench as package
from rlbench.api import UsageError

ASKED = {"steps": 60, "eval_points": 2, "eval_episodes": 1, "jobs": 1, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Real results of one label that means another algorithm in each of two folders."""
    root = tmp_path_factory.mktemp("made")
    for name, algorithm in (("before", "random"), ("after", "a2c")):
        package.run({"mine": algorithm, "random": "random"}, seeds=2, out=root / name, **ASKED)
    return root


def write_worse(root, seeds=8, **changes):
    """Write ``dqn`` with half of its usual scores."""
    store = write_results(root, algorithms=("a2c",), seeds=seeds)
    usual = synthetic.CURVES["dqn", "CartPole-v1"]
    with pytest.MonkeyPatch.context() as patch:
        curves = {**synthetic.CURVES, ("dqn", "CartPole-v1"): lambda t: usual(t) / 2}
        patch.setattr(synthetic, "CURVES", curves)
        for seed in range(seeds):
            write_trial(store, identity("dqn", seed=seed, **changes), processor="Another")
    return store


def test_the_same_results_are_identical_and_pass(rlbench, made, tmp_path):
    shutil.copytree(made / "before", tmp_path / "a")
    done = rlbench("compare", "a", str(made / "before"))
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stdout
    assert "B against A: 2 identical\n" in done.stdout
    assert "corrected" not in done.stdout  # nothing was tested
    assert "the platforms are the same" in done.stdout
    assert not (tmp_path / "a" / "report").exists()  # it only reads


def test_another_algorithm_under_the_label_is_compared_and_named(rlbench, made):
    done = rlbench("compare", str(made / "before"), str(made / "after"))
    assert done.returncode == 0, done.stderr
    assert "algorithm random -> a2c" in done.stdout
    assert "no p below 0.5 is possible with these pairs" in done.stdout
    assert "2 of 2" in done.stdout


def test_a_regression_is_exit_code_1_with_verdict_interval_and_what_changed(rlbench, tmp_path):
    write_results(tmp_path / "a", seeds=8)
    write_worse(tmp_path / "b", version="0.2.0", config={"learning_rate": 0.1, "gamma": 0.99})
    done = rlbench("compare", "a", "b")
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("dqn") and "final" in line]
    assert "worse" in line
    assert "8 of 8" in line
    assert "0.0078" in line
    assert "learning_rate 0.001 -> 0.1" in done.stdout
    assert "version 0.1.0 -> 0.2.0" in done.stdout
    assert "dqn: speed is not judged: not on the same platform: processor" in done.stdout
    assert "B against A: 1 identical, 1 worse; p corrected over 1 test (Holm)" in done.stdout
    assert rlbench("compare", "b", "a").returncode == 0


def test_json_is_one_document_and_nothing_else(rlbench, tmp_path):
    write_results(tmp_path / "a", seeds=8)
    write_worse(tmp_path / "b")
    done = rlbench("compare", "a", "b", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert list(document) == ["schema_version", "a", "b", "metrics", "comparisons", "failed"]
    assert (document["metrics"], document["failed"]) == (["final"], [])
    rows = {(row["algorithm"], row["metric"]): row for row in document["comparisons"]}
    assert rows["dqn", "final"]["verdict"] == "worse"
    assert rows["dqn", "final"]["low"] < rows["dqn", "final"]["difference"] < rows["dqn", "final"]["high"] < 0
    assert rows["a2c", "final"]["p_corrected"] is None
    assert rows["dqn", "steps_per_second"]["verdict"] == "not judged"


def test_a_trial_that_no_longer_finishes_is_a_regression_too(rlbench, tmp_path):
    write_results(tmp_path / "a", seeds=3)
    write_results(
        tmp_path / "b", seeds=3, statuses={("dqn", "CartPole-v1", seed): "failed" for seed in range(3)}
    )
    done = rlbench("compare", "a", "b")
    assert done.returncode == 1
    assert "3 of 3 trials of B have no score" in done.stdout
    assert "failed in B, finished in A: dqn on CartPole-v1, seed 2" in done.stdout
    assert rlbench("compare", "b", "a").returncode == 0


def test_another_budget_is_not_compared_and_says_so(rlbench, tmp_path):
    write_results(tmp_path / "a", seeds=8)
    write_worse(tmp_path / "b", steps=1000)
    done = rlbench("compare", "a", "b")
    assert done.returncode == 0
    assert "not the same problem or budget: steps 50000 -> 1000" in done.stdout


def test_settings_that_one_folder_alone_mixes_are_told_apart(tmp_path):
    store = write_results(tmp_path / "a", algorithms=("dqn",), seeds=2)
    for seed in range(2):
        write_trial(store, identity("dqn", seed=seed, config={"learning_rate": 0.1}))
    write_results(tmp_path / "b", algorithms=("dqn",), seeds=2)
    with pytest.raises(UsageError, match="no algorithm on the same environment in common"):
        package.compare(tmp_path / "a", tmp_path / "b")


def test_where_scores_chose_the_seeds_no_p_takes_them_as_fixed(rlbench, tmp_path):
    write_results(tmp_path / "a", algorithms=("a2c", "dqn", "random"), seeds=8)
    worse = write_worse(tmp_path / "b")
    assert rlbench("compare", "a", "b").returncode == 1
    write_decisions(worse, {("a2c", "dqn"): "larger"}, seeds=4)
    done = rlbench("compare", "a", "b")
    assert done.returncode == 0, done.stderr
    why = "no test, which takes the seeds as fixed: in B scores chose how many (--until-decided)"
    assert f"dqn (final): {why}" in done.stdout or f"dqn: {why}" in done.stdout
    rows = json.loads(rlbench("compare", "a", "b", "--json").stdout)["comparisons"]
    (row,) = [row for row in rows if (row["algorithm"], row["metric"]) == ("dqn", "final")]
    assert (row["verdict"], row["p"], row["p_corrected"], row["reason"]) == ("undecided", None, None, why)
    assert row["low"] < row["difference"] < row["high"] < 0
    for path in (tmp_path / "b" / "decisions").iterdir():
        path.write_bytes(b"{}")
    assert "in B the journal " in rlbench("compare", "a", "b").stdout
    assert rlbench("compare", "b", "a").returncode == 0


def test_nothing_in_common_and_unknown_names_are_usage_errors(rlbench, tmp_path):
    write_results(tmp_path / "a", algorithms=("a2c",), seeds=1)
    write_trial(write_results(tmp_path / "b", algorithms=("dqn",), seeds=1), identity("dqn", seed=1))
    write_trial(write_results(tmp_path / "c", algorithms=("random",), seeds=1), identity("a2c", seed=9))
    (tmp_path / "file").write_text("")
    for arguments, message in (
        (["a", "c"], "nothing in a and c can be compared: no seed in common"),
        (["a", "b"], "A a2c on CartPole-v1 and B dqn on CartPole-v1; give an algorithm the same label"),
        (["a", "a", "--metric", "finl"], "did you mean 'final'"),
        (["a", "nowhere"], "there is no folder nowhere"),
        (["a", "file"], "file is a file; give the results folder"),
        (["a"], "Missing argument"),
    ):
        done = rlbench("compare", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_names_are_text_in_the_terminal(rlbench, tmp_path):
    names = ("[red]x[/red]", "$\\frac{$", "<script>alert(1)</script>")
    for side in "ab":
        write_results(tmp_path / side, algorithms=names, envs=("[b]E[/b]",), seeds=1)
    done = rlbench("compare", "a", "b")
    assert done.returncode == 0, done.stderr
    for name in (*names, "[b]E[/b]"):
        assert name in done.stdout


def test_what_holds_of_one_score_alone_says_of_which(rlbench, made, distribution):
    plugin = """
        from rlbench.api import MetricSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_metrics():
            yield MetricSpec("none", lambda rows: float("nan"))
    """
    distribution("none", {"none": "plugin_none"}, {"plugin_none.py": plugin})
    done = rlbench(
        "compare", str(made / "before"), str(made / "after"), "--metric", "final", "--metric", "none"
    )
    assert (
        "  mine (none): 2 of 2 trials of A have no score and 2 of 2 trials of B have no score" in done.stdout
    )
    assert "  mine: A -> B: " in done.stdout


def test_python_gives_the_frame_by_any_metric_and_of_results_or_paths(made, distribution):
    plugin = """
        from rlbench.api import MetricSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_metrics():
            yield MetricSpec("first", lambda rows: rows["episode_return"].iloc[0], higher_is_better=False)
    """
    distribution("first", {"first": "plugin_first"}, {"plugin_first.py": plugin})
    after = package.load(made / "after")
    table = package.compare(made / "before", after, metrics=["final", "first"])
    assert table["metric"].tolist() == ["final"] * 2 + ["first"] * 2 + ["steps_per_second"] * 2
    mine = table.query("algorithm == 'mine' and metric == 'first'").iloc[0]
    first = after.evaluations.query("algorithm == 'mine'").groupby("seed")["episode_return"].first()
    assert mine["mean_b"] == pytest.approx(np.mean(first))
    with pytest.raises(UsageError, match="unknown metric"):
        package.compare(made / "before", after, metrics="finl")
