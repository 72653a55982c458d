"""A kill, a crash of the machine or a full disk at any operation of the store loses nothing finished."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from disk import Disk, State, restore, state_of
from in_process import final, plan_for, run

from rlbench.api import FolderError, RlbenchError, UsageError
from rlbench.plugins import Catalogue
from rlbench.results.store import Store, TrialWriter
from rlbench.running import runner
from rlbench.running.plan import Plan

ENDS: dict[str, Callable[[Disk], State]] = {
    "killed": Disk.killed,
    "crashed, names kept": Disk.crashed_with_names,
    "crashed, names lost": Disk.crashed_without_names,
}
KINDS = {"create", "write", "tear", "fsync", "rename", "mkdir"}  # what takes space


@pytest.fixture
def job(lockstep, tmp_path):
    """Two trials in one cohort, with three checkpoints each."""
    folder = tmp_path / "run"
    folder.mkdir()
    return plan_for(folder, steps=3)


@pytest.fixture
def expected(job) -> State:
    """What an undisturbed run leaves."""
    run(*job)
    return final(state_of(Path(job[0].folder)))


def done(plan: Plan) -> dict[str, int]:
    """The trials that are finished, and which file says so."""
    store = Store(plan.folder)
    return {
        trial.folder: (store.folder(trial) / "status.json").stat().st_ino
        for trial in plan.trials
        if (status := store.status(trial)) is not None and status.status != "failed"
    }


def record(
    job: tuple[Plan, Catalogue], end: Callable[[Disk], State], monkeypatch
) -> list[tuple[str, State, int]]:
    """Run once; for each operation give what an end just before it leaves, and how many trials had ended.

    Moments that leave the same are given once.
    """
    folder = Path(job[0].folder)
    ended: list[Path] = []
    finish = TrialWriter.finish

    def finish_and_tell(writer: TrialWriter, *args, **more) -> None:
        finish(writer, *args, **more)
        ended.append(writer.folder)

    disk = Disk(folder)
    moments: dict[tuple, tuple[str, State, int]] = {}

    def before(number: int, name: str) -> None:
        state = end(disk)
        moments.setdefault(tuple(state.items()), (f"{number}: {name}", state, len(ended)))

    disk.before = before
    with monkeypatch.context() as patch, disk.watched():
        patch.setattr(TrialWriter, "finish", finish_and_tell)
        run(*job)
    return list(moments.values())


def continue_from(
    job: tuple[Plan, Catalogue], moment: str, state: State, ended: int, expected: State
) -> None:
    plan, catalogue = job
    folder = Path(plan.folder)
    restore(state, folder)
    before = done(plan)
    assert len(before) >= ended, f"a finished trial was lost at {moment}"
    run(plan, catalogue)
    assert final(state_of(folder)) == expected, f"another outcome after an end at {moment}"
    assert before.items() <= done(plan).items(), f"a finished trial was written again after {moment}"


@pytest.mark.parametrize("end", ENDS)
def test_an_end_at_any_operation_loses_nothing_and_the_same_command_completes(
    job, expected, end, monkeypatch
):
    restore({}, Path(job[0].folder))
    moments = record(job, ENDS[end], monkeypatch)
    touched = {moment.split()[1] for moment, _, _ in moments}
    assert len(moments) > 20
    if end == "killed":
        assert touched >= KINDS | {"unlink", "rmdir"}
    for moment, state, ended in moments:
        continue_from(job, moment, state, ended, expected)


def unfinished(job) -> State:
    """A folder whose trials stand at their last checkpoints, with rows after them."""
    disk = Disk(Path(job[0].folder))
    found: list[State] = []

    def before(number: int, name: str) -> None:
        if name == "create evaluations.parquet.tmp":
            found.append(disk.killed())

    disk.before = before
    with disk.watched():
        run(*job)
    return found[0]


def failed(job) -> State:
    """A folder whose trials have failed."""
    store = Store(job[0].folder)
    for trial in job[0].trials:
        writer = store.begin(trial)
        writer.keep_log("its last words")
        writer.finish("failed", step=0, weights=None, timing={}, error="it broke")
    return state_of(store.root)


@pytest.mark.parametrize("end", ["killed", "crashed, names lost"])
@pytest.mark.parametrize(
    ("begin", "machines"), [(unfinished, "aaa"), (unfinished, "aba"), (unfinished, "abb"), (failed, "aaa")]
)
def test_nor_does_an_end_while_a_run_continues_restarts_on_another_machine_or_tries_again(
    job, expected, begin, machines, end, monkeypatch
):
    first, second, third = ({"processor": name} for name in machines)
    folder = Path(job[0].folder)
    restore({}, folder)
    monkeypatch.setattr(runner, "fingerprint", lambda device: first)
    restore(begin(job), folder)
    monkeypatch.setattr(runner, "fingerprint", lambda device: second)
    moments = record(job, ENDS[end], monkeypatch)
    monkeypatch.setattr(runner, "fingerprint", lambda device: third)
    for moment, state, ended in moments[: len(moments) // 3]:  # until it is as in any other run
        continue_from(job, moment, state, ended, expected)


def first_of_each(job) -> list[int]:
    """The first operation of each name, such as ``fsync status.json.tmp``."""
    disk = Disk(Path(job[0].folder))
    with disk.watched():
        run(*job)
    return sorted({name: number for number, name in reversed(list(enumerate(disk.operations)))}.values())


@pytest.mark.parametrize(
    ("code", "lasting", "cure"),
    [
        (errno.ENOSPC, True, "free some space"),
        (errno.ENOSPC, False, "free some space"),
        (errno.EROFS, True, "make it writable"),
        (errno.EACCES, True, "make it writable"),
    ],
)
def test_a_full_or_read_only_disk_ends_the_run_with_one_line_and_the_same_command_continues(
    job, expected, code, lasting, cure, caplog
):
    folder = Path(job[0].folder)
    restore({}, folder)
    numbers = first_of_each(job)
    assert len(numbers) > 60
    messages = set()
    for number in numbers if (code, lasting) == (errno.ENOSPC, True) else numbers[::3]:
        restore({}, folder)
        disk = Disk(folder)

        def before(now: int, name: str, number: int = number) -> None:
            if (now >= number if lasting else now == number) and (
                code != errno.ENOSPC or name.split()[0] in KINDS
            ):
                raise OSError(code, os.strerror(code))

        disk.before = before
        try:
            with disk.watched():
                run(*job)
        except RlbenchError as error:
            messages.add((type(error), str(error)))
        store = Store(folder)
        assert all((store.status(trial) or "none") != "failed" for trial in job[0].trials)
        before_again = done(job[0])
        run(*job)
        assert final(state_of(folder)) == expected
        assert before_again.items() <= done(job[0]).items()
    reason = os.strerror(code)
    assert len(messages) > 3
    cures = {
        UsageError: f"{cure}, or choose another folder with --out",
        FolderError: f"{cure} and run the same command again",
    }
    for kind, message in messages:
        assert re.fullmatch(f"cannot write .*: {reason}; {cures[kind]}", message)
    assert any("no checkpoint was made, and the run goes on" in text for text in caplog.messages)
    assert all(cure in text for text in caplog.messages)
