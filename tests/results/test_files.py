"""Files of a results folder are read whole, and what is no file never holds the reader up."""

from __future__ import annotations

import os

import pytest
from synthetic import write_results

import rlbench
from rlbench.results.files import read_bytes


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path.name)


def test_a_link_to_a_file_is_read_as_that_file(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link") == b"content"


@pytest.mark.parametrize("put", [pipe, endless, loop])
def test_what_is_no_regular_file_is_as_if_it_were_not_there(tmp_path, put):
    put(tmp_path / "file")
    assert read_bytes(tmp_path / "file") is None
    (tmp_path / "folder").mkdir()
    assert read_bytes(tmp_path / "folder") is None
    assert read_bytes(tmp_path / "folder" / "nothing") is None


@pytest.mark.parametrize("put", [pipe, endless, loop])
@pytest.mark.parametrize("name", ["trial.json", "timing.json", "evaluations.parquet", "final.safetensors"])
def test_what_is_no_regular_file_is_damage_of_that_one_file(tmp_path, name, put):
    write_results(tmp_path, seeds=2, algorithms=("dqn",))
    file = sorted(tmp_path.glob(f"trials/*/*/*/{name}"))[0]
    file.unlink()
    put(file)
    results = rlbench.load(tmp_path)
    assert set(results.trials["status"]) <= {"finished", "damaged"}
    (problem,) = [problem for problem in results.problems if str(file) in problem]
    assert "is damaged or missing" in problem
    assert (problem,) == tuple(results.problems)
