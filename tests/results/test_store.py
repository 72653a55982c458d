"""Writing: atomically, deterministically, by one writer, never over finished results."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from synthetic import identity, write_trial

from rlbench.api import FolderError, UsageError
from rlbench.results.files import write_atomically
from rlbench.results.store import Store, checkpoint_path, read_lines
from rlbench.running.overview import overview_of

EVALUATION = {
    "step": [10, 10],
    "actual_step": [10, 10],
    "episode": [0, 1],
    "episode_return": [1.0, float("nan")],
    "episode_length": [3, 4],
}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "run")
    store.prepare()
    return store


def contents(store, trial):
    return {path.name: path.read_bytes() for path in store.folder(trial).iterdir()}


def test_a_finished_trial_holds_exactly_the_files_of_the_layout(store):
    write_trial(store, identity())
    assert sorted(contents(store, identity())) == [
        "diagnostics.parquet",
        "episodes.parquet",
        "evaluations.parquet",
        "final.safetensors",
        "status.json",
        "timing.json",
        "trial.json",
    ]
    status = store.status(identity())
    assert (status.status, status.step, status.error) == ("finished", 50_000, None)


def test_the_same_trial_written_twice_is_equal_byte_for_byte(tmp_path):
    stores = [Store(tmp_path / name) for name in ("one", "two")]
    for store in stores:
        store.prepare()
        write_trial(store, identity())
    assert contents(stores[0], identity()) == contents(stores[1], identity())


def test_bytes_do_not_depend_on_how_rows_were_grouped(tmp_path):
    together, apart = Store(tmp_path / "one").begin(identity()), Store(tmp_path / "two").begin(identity())
    together.append("evaluations", EVALUATION)
    for row in range(2):
        apart.append("evaluations", {name: column[row : row + 1] for name, column in EVALUATION.items()})
    for writer in (together, apart):
        writer.finish("finished", step=10, weights=None, timing={}, error=None)
    assert (together.folder / "evaluations.parquet").read_bytes() == (
        apart.folder / "evaluations.parquet"
    ).read_bytes()


def test_timing_may_differ_without_changing_any_other_file(tmp_path):
    kept = []
    for seconds in (1.0, 2.0):
        store = Store(tmp_path / str(seconds))
        writer = store.begin(identity())
        writer.finish("finished", step=0, weights=b"", timing={"wall_seconds": seconds}, error=None)
        kept.append(contents(store, identity()))
    assert {name for name in kept[0] if kept[0][name] != kept[1][name]} == {"timing.json"}


def test_a_trial_without_status_counts_as_not_done(store):
    store.begin(identity()).append("evaluations", EVALUATION)
    assert store.status(identity()) is None


@pytest.mark.parametrize("position", [0, 30, -10])
def test_a_damaged_status_counts_as_not_done(store, position):
    write_trial(store, identity())
    path = store.folder(identity()) / "status.json"
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)
    assert store.status(identity()) is None


def test_a_failed_trial_starts_again_from_nothing(store):
    write_trial(store, identity(), "failed", until=8)
    store.begin(identity())
    assert set(contents(store, identity())) == {"trial.json", "timing.json"}


@pytest.mark.parametrize("status", ["finished", "diverged"])
def test_results_are_never_overwritten(store, status):
    write_trial(store, identity(), status)
    before = contents(store, identity())
    with pytest.raises(FolderError, match=f"holds a {status} trial"):
        store.begin(identity())
    assert contents(store, identity()) == before


def test_rows_with_wrong_columns_are_refused(store):
    writer = store.begin(identity())
    with pytest.raises(ValueError, match="has the columns"):
        writer.append("episodes", {"step": [1]})
    with pytest.raises(ValueError, match="differ in length"):
        writer.append("evaluations", {**EVALUATION, "step": [1]})


def test_running_lines_show_damage_and_cut_off_ends(store):
    writer = store.begin(identity())
    for _ in range(3):
        writer.append("evaluations", EVALUATION)
    path = writer.folder / "evaluations.jsonl"
    data = bytearray(path.read_bytes())
    assert [line["step"] for line in read_lines(bytes(data))] == [[10, 10]] * 3
    data[len(data) // 2] ^= 1
    assert [line is None for line in read_lines(bytes(data[:-5]))] == [False, True, True]
    path.write_bytes(data)
    with pytest.raises(FolderError, match=r"line 2 of .* is damaged"):
        writer.finish("finished", step=10, weights=None, timing={}, error=None)
    assert store.status(identity()) is None


@pytest.mark.parametrize("name", ["checkpoint/10.json", "checkpoint/10.safetensors", "evaluations.jsonl"])
def test_a_pipe_in_the_place_of_a_checkpoint_or_of_rows_holds_nobody_up(store, name):
    writer = store.begin(identity())
    writer.append("evaluations", EVALUATION)
    checkpoint_path(writer.folder, 10).parent.mkdir()
    checkpoint_path(writer.folder, 10).write_bytes(b"state")
    writer.commit(10, hashlib.sha256(b"state").hexdigest(), clock={}, machine={})
    assert [one.step for one in store.checkpoints(identity())] == [10]
    (writer.folder / name).unlink()
    os.mkfifo(writer.folder / name)
    assert store.checkpoints(identity()) == []
    (trial,) = overview_of(store.root).trials
    assert trial.status == "unfinished"
    store.begin(identity()).append("evaluations", EVALUATION)


def test_whoever_looks_sees_whether_a_run_is_writing_and_since_when(store):
    assert store.locked_since() is None
    with store.lock():
        assert store.locked_since() == (store.root / ".lock").stat().st_mtime
        writer = store.begin(identity())
        assert writer.folder.stat().st_mtime >= store.locked_since()
    assert store.locked_since() is None


def test_a_second_writer_is_refused_and_a_killed_one_leaves_no_lock(store):
    code = (
        "import os, sys; from rlbench.results.store import Store\n"
        "with Store(sys.argv[1]).lock():\n    os.kill(os.getpid(), 9)"
    )
    with store.lock(), pytest.raises(FolderError, match="another run is writing"), Store(store.root).lock():
        pass
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    with store.lock():
        write_trial(store, identity())


def test_an_unwritable_folder_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write to .*--out"):
        Store(tmp_path / "file" / "run").prepare()


def test_a_failing_write_says_what_to_do_and_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    write_atomically({path: b"old"})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FolderError, match="No space left on device; "):
        write_atomically({path: b"new"})
    assert path.read_bytes() == b"old"


def test_an_experiment_is_named_after_its_content(store):
    one = store.write_experiment({"schema_version": 1, "command": "rlbench run"})
    assert store.write_experiment({"command": "rlbench run", "schema_version": 1}) == one
    assert one.parent.name == "experiments"
    assert store.write_experiment({"schema_version": 1, "command": "other"}) != one
