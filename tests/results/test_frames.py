"""Reading back: what the frames hold, how damage is named, and that nothing stored is executed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from synthetic import identity, write_results, write_trial

import rlbench
from rlbench.api import FolderError, UsageError
from rlbench.results.frames import Frames
from rlbench.results.records import content_hash
from rlbench.results.store import COLUMNS, Store

FAILURES = {("dqn", "CartPole-v1", 1): "failed", ("dqn", "CartPole-v1", 2): "diverged"}


@pytest.fixture
def store(tmp_path):
    return write_results(tmp_path / "run", seeds=3, statuses=FAILURES)


def test_one_row_a_trial_whatever_its_fate(store):
    store.begin(identity("dqn", seed=7))
    trials = Frames(store.root).trials
    assert list(zip(trials.algorithm, trials.seed, trials.status, strict=True)) == [
        ("a2c", 0, "finished"),
        ("a2c", 1, "finished"),
        ("a2c", 2, "finished"),
        ("dqn", 0, "finished"),
        ("dqn", 1, "failed"),
        ("dqn", 2, "diverged"),
        ("dqn", 7, "unfinished"),
    ]
    failed = trials[trials.status == "failed"].iloc[0]
    assert (failed.error, failed.attempts, failed.reached_step) == (
        "ValueError: shapes <b>differ</b>",
        3,
        20_000,
    )
    assert trials.steps.eq(50_000).all()
    assert (store.root / trials.folder[0] / "status.json").exists()


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_tables_have_the_trial_in_front_and_keep_types_when_empty(store, tmp_path, table):
    frame = getattr(Frames(store.root), table)
    assert list(frame.columns) == ["algorithm", "env", "seed", *COLUMNS[table]]
    assert len(frame) > 0
    (tmp_path / "new" / "trials").mkdir(parents=True)
    empty = getattr(Frames(tmp_path / "new"), table)
    assert empty.empty
    pd.testing.assert_series_equal(empty.dtypes, frame.dtypes)


def test_values_come_back_exactly(tmp_path):
    store = Store(tmp_path)
    writer = store.begin(identity("weird / label", "Env é"))
    values = [0.1 + 0.2, float("inf"), -0.0, 1e-310]
    writer.append(
        "evaluations",
        {
            "step": [5] * 4,
            "actual_step": [6] * 4,
            "episode": range(4),
            "episode_return": values,
            "episode_length": [1] * 4,
            "exact_value": [None, 0.5, None, 1.0],
        },
    )
    writer.finish("finished", step=6, weights=None, timing={}, error=None)
    read = Frames(tmp_path).evaluations
    assert read.episode_return.tolist() == values
    assert read.exact_value.isna().tolist() == [True, False, True, False]
    assert set(read.algorithm) == {"weird / label"}
    assert set(read.env) == {"Env é"}


def test_a_label_with_two_settings_is_never_pooled(tmp_path):
    store = Store(tmp_path)
    for steps in (1000, 50_000):
        write_trial(store, identity("dqn", steps=steps))
    frames = Frames(tmp_path)
    assert frames.trials.algorithm.tolist() == ["dqn [steps=1000]", "dqn [steps=50000]"]
    assert set(frames.evaluations.algorithm) == set(frames.trials.algorithm)


@pytest.mark.parametrize("field", ["steps", "evaluation_points", "evaluation_episodes"])
def test_learners_of_different_budgets_show_them_where_they_differ(tmp_path, field):
    store = Store(tmp_path)
    write_trial(store, identity("a2c", **{field: 40}))
    write_trial(store, identity("dqn", **{field: 60}))
    write_trial(store, identity("dqn", "Acrobot-v1", **{field: 60}))
    write_trial(store, identity("value-iteration"))
    assert Frames(tmp_path).trials[["algorithm", "env"]].to_numpy().tolist() == [
        [f"a2c [{field}=40]", "CartPole-v1"],
        ["dqn", "Acrobot-v1"],
        [f"dqn [{field}=60]", "CartPole-v1"],
        ["value-iteration", "CartPole-v1"],
    ]


def test_a_budget_is_shown_beside_the_hash_of_many_other_differences(tmp_path):
    store = Store(tmp_path)
    for value in (1, 2):
        write_trial(store, identity(config=dict.fromkeys("abcd", value), steps=1000 * value))
    labels = Frames(tmp_path).trials.algorithm.tolist()
    assert [label[:17] for label in labels] == ["dqn [steps=1000, ", "dqn [steps=2000, "]


def test_an_environment_with_two_settings_is_never_pooled_either(tmp_path):
    store = Store(tmp_path)
    for slippery in (True, False):
        for label in ("dqn", "a2c"):
            write_trial(store, identity(label, "FrozenLake-v1", env_kwargs={"is_slippery": slippery}))
    trials = Frames(tmp_path).trials
    assert sorted(set(trials.env)) == [
        "FrozenLake-v1 [is_slippery=False]",
        "FrozenLake-v1 [is_slippery=True]",
    ]
    assert set(trials.algorithm) == {"a2c", "dqn"}


def test_many_differences_are_told_by_a_short_hash(tmp_path):
    store = Store(tmp_path)
    for value in (1, 2):
        write_trial(store, identity(config=dict.fromkeys("abcd", value)))
    labels = Frames(tmp_path).trials.algorithm.tolist()
    assert len(set(labels)) == 2
    assert all(len(label) == len("dqn [01234567]") for label in labels)


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_a_damaged_table_is_named_and_left_out(store, table):
    path = store.folder(identity("a2c", seed=1)) / f"{table}.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    frames = Frames(store.root)
    read = getattr(frames, table)
    assert set(read[read.algorithm == "a2c"].seed) == {0, 2}
    assert len(frames.problems) == 1
    assert str(path) in frames.problems[0]


@pytest.mark.parametrize("file", ["trial.json", "status.json"])
def test_a_trial_with_a_damaged_record_stays_in_the_count(store, file):
    path = store.folder(identity("a2c", seed=1)) / file
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    frames = Frames(store.root)
    row = frames.trials.query("algorithm == 'a2c' and seed == 1").iloc[0]
    assert row.status == "damaged"
    assert str(path) in row.error
    assert set(frames.evaluations.query("algorithm == 'a2c'").seed) == {0, 2}


def test_damaged_timing_costs_only_the_times(store):
    path = store.folder(identity("a2c", seed=1)) / "timing.json"
    path.write_text("{}")
    frames = Frames(store.root)
    row = frames.trials.query("algorithm == 'a2c' and seed == 1").iloc[0]
    assert row.status == "finished"
    assert pd.isna(row.wall_seconds)
    assert str(path) in frames.problems[0]


def test_a_damaged_experiment_is_named_and_left_out(store):
    path = next((store.root / "experiments").iterdir())
    assert Frames(store.root).experiments[0]["command"].startswith("rlbench run")
    path.write_bytes(path.read_bytes().replace(b"rlbench run", b"rm -rf ~   ", 1))
    frames = Frames(store.root)
    assert frames.experiments == []
    assert str(path) in frames.problems[0]


def test_a_later_schema_asks_for_an_upgrade(tmp_path):
    later = {**identity().document(), "schema_version": 2, "new_field": 1}
    folder = tmp_path / "trials" / "dqn" / "CartPole-v1" / f"seed-0-{content_hash(later)}"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(json.dumps(later))
    with pytest.raises(FolderError, match="upgrade rlbench"):
        _ = Frames(tmp_path).trials


@pytest.mark.parametrize("place", [b"d\xffn/CartPole-v1", b"dqn/Cart\xffPole-v1"])
def test_a_folder_whose_name_is_no_text_is_named_and_left_out(store, place):
    trials = os.fsencode(store.root / "trials")
    os.makedirs(os.path.join(trials, place))
    (trial,) = (store.root / "trials/dqn/CartPole-v1").glob("seed-0-*")
    shutil.copytree(os.fsencode(trial), os.path.join(trials, place, os.fsencode(trial.name)))
    results = rlbench.load(store.root)
    assert len(results.trials) == len({*results.trials["hash"]})
    (problem,) = [problem for problem in results.problems if "rename it" in problem]
    assert "\\udcff" in problem
    assert problem in results.report().read_text(encoding="utf-8")


def test_no_results_say_how_to_make_some(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="rlbench run --out"):
            Frames(folder)


def test_folders_merge_by_copying(tmp_path):
    one = write_results(tmp_path / "one", algorithms=("a2c",), seeds=2)
    two = write_results(tmp_path / "two", algorithms=("dqn",), seeds=2)
    subprocess.run(["cp", "-r", f"{two.root}/.", str(one.root)], check=True)
    frames = Frames(one.root)
    assert frames.trials.algorithm.value_counts().to_dict() == {"a2c": 2, "dqn": 2}
    assert len(frames.experiments) == 2
    assert frames.problems == []


def test_reading_imports_neither_torch_nor_plotting_nor_what_the_data_name(tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    store = Store(tmp_path / "run")
    write_trial(store, identity("evil:Agent", "evil:Env-v0", kind="evil:solver"))
    code = (
        "import sys; from rlbench.results.frames import Frames\n"
        f"frames = Frames({str(store.root)!r}); frames.trials; frames.evaluations; frames.experiments\n"
        "print([m for m in ('torch', 'seaborn', 'matplotlib', 'evil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
