"""Damage to any byte of a results folder is found and named, or changes nothing."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from disk import Disk, State, restore, state_of
from in_process import final, plan_for, run
from synthetic import identity, write_trial

from rlbench.results.frames import Frames
from rlbench.results.records import content_hash
from rlbench.results.store import COLUMNS, Store
from rlbench.running.runner import Runner

SEED = 3
SAMPLES = 12
"""Flips and truncations of each file."""


def damages(state: State) -> Iterator[tuple[str, str, bytes]]:
    """Give samples of damage to every file: its name, what was done, and its content then."""
    rng = random.Random(SEED)
    for name, content in state.items():
        if not content:
            continue
        for position in {0, len(content) - 1, *(rng.randrange(len(content)) for _ in range(SAMPLES))}:
            other = content[position] ^ rng.choice([1, 2, 4, 8, 16, 32, 64, 128, rng.randrange(1, 256)])
            flipped = content[:position] + bytes([other]) + content[position + 1 :]
            yield name, f"byte {position}: {content[position]} became {other}", flipped
        for length in {0, len(content) - 1, *(rng.randrange(len(content)) for _ in range(SAMPLES // 2))}:
            yield name, f"cut off after {length} of {len(content)} bytes", content[:length]


class Seen:
    """Everything that frames show of a folder."""

    def __init__(self, root: Path) -> None:
        frames = Frames(root)
        self.tables: dict[str, pd.DataFrame] = {name: getattr(frames, name) for name in COLUMNS}
        self.trials, self.experiments = frames.trials, frames.experiments
        frames.check_weights()
        self.problems = frames.problems

    def equals(self, other: Seen) -> bool:
        return (
            self.trials.equals(other.trials)
            and self.experiments == other.experiments
            and all(self.tables[name].equals(other.tables[name]) for name in COLUMNS)
        )

    def of_seed(self, seed: int) -> list[pd.DataFrame]:
        return [table[table["seed"] == seed].reset_index(drop=True) for table in self.tables.values()]


def is_same_document(before: bytes, after: bytes) -> bool:
    try:
        return json.loads(before) == json.loads(after)
    except ValueError:
        return False


@pytest.fixture
def finished(lockstep, tmp_path):
    """A plan of two trials, and the folder in which they are finished."""
    plan, catalogue = plan_for(tmp_path / "run", steps=8)
    run(plan, catalogue)
    return plan, catalogue, state_of(Path(plan.folder))


def test_damage_to_finished_trials_is_named_or_changes_nothing(finished):
    plan, catalogue, state = finished
    folder = Path(plan.folder)
    whole = Seen(folder)
    assert whole.problems == []
    count = detected = 0
    for name, what, content in damages(state):
        count += 1
        restore({**state, name: content}, folder)
        seen = Seen(folder)
        if seen.problems:
            assert any(str(folder / name) in problem for problem in seen.problems), (
                name,
                what,
                seen.problems,
            )
            detected += 1
        else:
            assert seen.equals(whole), (name, what)
            assert is_same_document(state[name], content), (name, what)
        for trial in plan.trials:
            if trial.folder not in name:
                for mine, expected in zip(seen.of_seed(trial.seed), whole.of_seed(trial.seed), strict=True):
                    assert mine.equals(expected), (name, what)
        run(plan, catalogue)
        after = state_of(folder)
        assert {one for one in final(state) if after[one] != state[one]} <= {name}, (name, what)
        if after[name] != state[name] and seen.problems and not name.endswith("timing.json"):
            shutil.rmtree((folder / name).parent)  # the cure that the message names
            run(plan, catalogue)
            assert final(state_of(folder)) == final(state), (name, what)
    assert count > 250
    assert detected > count * 3 // 4


@pytest.fixture
def unfinished(lockstep, tmp_path):
    """A plan of one trial, its folder with two checkpoints and rows after them, and how it ends."""
    plan, catalogue = plan_for(tmp_path / "run", seeds=1, steps=8)
    folder = Path(plan.folder)
    folder.mkdir()
    disk = Disk(folder)
    found: list[State] = []

    def before(number: int, name: str) -> None:
        if name == "create 8.safetensors.tmp":
            found.append(disk.killed())

    disk.before = before
    with disk.watched():
        run(plan, catalogue)
    return plan, catalogue, found[0], final(state_of(folder))


def test_damage_to_an_unfinished_trial_never_changes_its_outcome(unfinished):
    plan, catalogue, state, expected = unfinished
    folder = Path(plan.folder)
    restore(state, folder)
    assert [found.step for found in Store(folder).checkpoints(plan.trials[0])] == [7, 6]
    count = 0
    for name, what, content in damages(state):
        count += 1
        restore({**state, name: content}, folder)
        seen = Seen(folder)
        if seen.problems:
            assert any(str(folder / name) in problem for problem in seen.problems), (
                name,
                what,
                seen.problems,
            )
        assert len(Runner(plan, catalogue).missing()) == 1
        run(plan, catalogue)
        assert final(state_of(folder)) == expected, (name, what)
    assert count > 150


@pytest.mark.parametrize(
    ("damaged", "steps"),
    [
        ("checkpoint/7.safetensors", [6]),
        ("checkpoint/7.json", [6]),
        ("checkpoint/6.safetensors", [7]),
        ("evaluations.jsonl", []),
        ("diagnostics.jsonl", []),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_damaged_rows_to_the_beginning(
    unfinished, damaged, steps
):
    plan, _, state, _ = unfinished
    (trial,) = plan.trials
    name = f"trials/{trial.folder}/{damaged}"
    content = bytearray(state[name])
    content[30] ^= 1
    restore({**state, name: bytes(content)}, Path(plan.folder))
    assert [found.step for found in Store(plan.folder).checkpoints(trial)] == steps


def test_what_the_lock_file_says_means_nothing(finished):
    plan, catalogue, state = finished
    (Path(plan.folder) / ".lock").write_bytes(b"\xff\x00 locked by 1")
    run(plan, catalogue)
    assert Seen(Path(plan.folder)).problems == []
    assert final(state_of(Path(plan.folder))) == final(state)


def test_a_folder_in_the_place_of_a_file_is_damage_like_any_other(finished):
    plan, _, state = finished
    folder = Path(plan.folder)
    for name, content in state.items():
        if content is not None:
            restore(state, folder)
            (folder / name).unlink()
            (folder / name / "inside").mkdir(parents=True)
            assert any(str(folder / name) in problem for problem in Seen(folder).problems), name


def two_contents(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders that hold the same trial with different numbers."""
    folders = []
    for name in ("a", "b"):
        store = Store(tmp_path / name)
        write_trial(store, identity(seed=0))
        writer = store.begin(identity(seed=1))
        row = {"step": [1], "env_index": [0], "episode_return": [float(ord(name))], "episode_length": [1]}
        writer.append("episodes", row)
        writer.finish("finished", step=50_000, weights=None, timing={}, error=None)
        folders.append(store.folder(identity(seed=1)))
    return folders[0], folders[1]


@pytest.mark.parametrize("copied", ["status.json", "episodes.parquet"])
def test_two_contents_of_one_trial_that_were_mixed_are_named_as_a_broken_promise(tmp_path, copied):
    one, other = two_contents(tmp_path)
    assert Seen(tmp_path / "b").problems == []
    shutil.copy(one / copied, other / copied)
    seen = Seen(tmp_path / "b")
    (problem,) = seen.problems
    assert str(other / "episodes.parquet") in problem
    assert "a broken promise" in problem
    assert set(seen.tables["episodes"]["seed"]) == {0}


def test_a_trial_in_a_second_place_is_named_and_does_not_count_twice(tmp_path):
    store = Store(tmp_path)
    write_trial(store, identity())
    home = store.folder(identity())
    for place in ("dqn (copy)/CartPole-v1", "d%71n/CartPole-v1", "dqn/Acrobot-v1"):
        shutil.copytree(home, tmp_path / "trials" / place / home.name)
    shutil.copytree(home, home.with_name(home.name.replace("seed-0", "seed-7")))
    frames = Frames(tmp_path)
    assert sorted(frames.trials["status"]) == ["damaged"] * 4 + ["finished"]
    assert len(frames.evaluations) == 100
    assert all("moved or renamed; remove that folder" in problem for problem in frames.problems)


def test_an_identity_that_is_none_is_damage_however_well_it_is_named(tmp_path):
    for document in ({"label": "dqn"}, {**identity().document(), "steps": "<script>"}, {}):
        folder = tmp_path / "trials" / "dqn" / "CartPole-v1" / f"seed-0-{content_hash(document)}"
        folder.mkdir(parents=True)
        (folder / "trial.json").write_text(json.dumps(document))
    assert set(Frames(tmp_path).trials["status"]) == {"damaged"}
