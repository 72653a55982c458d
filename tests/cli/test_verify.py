"""``rlbench verify`` as users call it: equal, different and why, and what it refuses to run."""

from __future__ import annotations

import hashlib
import json
import shutil

import pyarrow.compute
import pyarrow.parquet
import pytest

import rlbench as package
from rlbench import __version__
from rlbench.results.records import content_hash, open_sealed, readable_json, seal

SETTINGS = {"a2c": {"hidden_sizes": [4], "n_envs": 2}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Real results of two algorithms with two seeds, to be copied."""
    folder = tmp_path_factory.mktemp("made") / "results"
    asked = {"steps": 60, "eval_points": 2, "eval_episodes": 1, "jobs": 1, "device": "cpu"}
    package.run("random,a2c", seeds=2, settings=SETTINGS, out=folder, progress=False, **asked)
    return folder


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def trial_of(results, algorithm, seed):
    (folder,) = (results / "trials" / algorithm / "CartPole-v1").glob(f"seed-{seed}-*")
    return folder


def replace(trial, name, data):
    """Change a data file as whoever computed other numbers would have stored it."""
    (trial / name).write_bytes(data)
    status = open_sealed((trial / "status.json").read_bytes())
    status["files"][name] = hashlib.sha256(data).hexdigest()
    (trial / "status.json").write_bytes(readable_json(seal(status)))


def pretend(trial, **changes):
    """Make a stored trial one of another identity; give its folder."""
    document = {**json.loads((trial / "trial.json").read_text()), **changes}
    moved = trial.with_name(f"seed-{document['seed']}-{content_hash(document)}")
    trial.rename(moved)
    (moved / "trial.json").write_bytes(readable_json(document))
    return moved


def retime(trial, **changes):
    timing = open_sealed((trial / "timing.json").read_bytes())
    (trial / "timing.json").write_bytes(readable_json(seal({**timing, **changes})))


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_trial_of_each_algorithm_and_environment_comes_out_bitwise_the_same(rlbench, results):
    before = everything(results)
    done = rlbench("verify", "run", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["equal"] is True
    assert sorted(trial["algorithm"] for trial in document["trials"]) == ["a2c", "random"]
    for trial in document["trials"]:
        assert {"trial.json", "evaluations.parquet", "status.json"} <= set(trial["files"])
        assert {file["likeness"] for file in trial["files"].values()} == {"equal"}
        assert trial["changed"] == {}
    assert document["packages"] == {}
    assert everything(results) == before


def test_a_difference_is_named_with_what_is_not_as_it_was(rlbench, results):
    trial = trial_of(results, "random", 1)
    table = pyarrow.parquet.read_table(trial / "evaluations.parquet")
    more = pyarrow.compute.add(table["episode_return"], 1.0)
    place = table.column_names.index("episode_return")
    path = trial / "other.parquet"
    pyarrow.parquet.write_table(table.set_column(place, "episode_return", more), path)
    replace(trial, "evaluations.parquet", path.read_bytes())
    path.unlink()
    retime(trial, processor="Pentium")
    (request,) = (results / "experiments").iterdir()
    document = json.loads(request.read_text())
    document["packages"] |= {"pygame-ce": "0.0.1", "torch": "0.0.1"}
    request.unlink()
    (request.with_stem(content_hash(document))).write_bytes(readable_json(document))
    done = rlbench("verify", "run", "--trials", "random")
    assert done.returncode == 1, done.stderr
    assert "equal      random on CartPole-v1, seed 0" in done.stdout
    assert "different  random on CartPole-v1, seed 1" in done.stdout
    assert "evaluations.parquet: row 0 (step 30), column episode_return: " in done.stdout
    assert "not as it was then: processor Pentium -> " in done.stdout
    assert "pygame-ce 0.0.1" not in done.stdout  # with that torch it was not made
    assert done.stdout.splitlines()[-1] == "1 of 2 trials are bitwise equal"
    retime(trial, torch="0.0.1")
    done = rlbench("verify", "run", "--trials", "random/CartPole-v1/seed-1", "--json")
    document = json.loads(done.stdout)
    assert document["trials"][0]["changed"]["torch"][0] == "0.0.1"
    assert document["packages"]["pygame-ce"][0] == "0.0.1"


def test_another_version_of_the_plugin_and_damage_are_said_plainly(rlbench, results):
    pretend(trial_of(results, "random", 0), version="0.0.1")
    damaged = trial_of(results, "a2c", 0) / "final.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    torn = trial_of(results, "a2c", 1) / "trial.json"
    torn.write_bytes(torn.read_bytes()[:-9])
    done = rlbench("verify", "run", "--trials", "random/CartPole-v1/seed-0,a2c")
    assert done.returncode == 1, done.stderr
    assert "equal      random [version=0.0.1] on CartPole-v1, seed 0" in done.stdout
    assert (
        f"it is of rlbench 0.0.1, and rlbench {__version__} is installed: today it is another" in done.stdout
    )
    assert "damaged    a2c on CartPole-v1, seed 0" in done.stdout
    assert "damaged    a2c on CartPole-v1, seed 1" in done.stdout


def test_code_that_only_the_results_name_is_not_imported(rlbench, results, tmp_path):
    mark = tmp_path / "imported"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    for seed, env in ((0, "evil:CartPole-v1"), (1, "CartPole-v1")):
        folder = trial_of(results, "random", seed)
        moved = pretend(folder, env=env, **({} if seed == 0 else {"algorithm": "evil:Agent"}))
        if seed == 0:
            (results / "trials" / "random" / "evil%3ACartPole-v1").mkdir()
            moved.rename(results / "trials" / "random" / "evil%3ACartPole-v1" / moved.name)
    done = rlbench("verify", "run", "--trials", "random/evil:CartPole-v1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allow-import" in done.stderr
    done = rlbench("verify", "run", "--trials", "random/CartPole-v1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown algorithm 'evil:Agent'" in done.stderr
    assert not mark.exists()
    rlbench("verify", "run", "--trials", "random/evil:CartPole-v1", "--allow-import")
    assert mark.exists()


def test_what_cannot_be_verified_is_a_usage_error_with_nothing_run(rlbench, results):
    retime(trial_of(results, "random", 0), device="cuda:31")
    status = trial_of(results, "random", 1) / "status.json"
    document = {**open_sealed(status.read_bytes()), "status": "failed", "error": "ValueError"}
    status.write_bytes(readable_json(seal(document)))
    pretend(trial_of(results, "a2c", 0), kind="trainer")
    for arguments, message in (
        (["nowhere"], "there is no folder nowhere"),
        (["run", "--trials", "a3c"], "no trial 'a3c' in run; did you mean 'a2c'?"),
        (["run", "--trials", "random/CartPole-v1/seed-0"], "was computed on 'cuda:31', which is not there"),
        (["run", "--trials", "random/CartPole-v1/seed-1"], "is failed (ValueError), so no result is stored"),
        (["run", "--trials", "a2c/CartPole-v1/seed-0"], "is a batched_agent and was a trainer"),
        (["run", "--sample", "0"], "--sample"),
        (["run", "--jobs", "none"], "--jobs"),
        ([], "RESULTS/NAME"),
    ):
        done = rlbench("verify", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_the_sample_is_as_large_as_asked_and_always_the_same(made):
    from rlbench.results.frames import Frames
    from rlbench.running.verification import choose

    def chosen(*arguments):
        return [trial.path.name for trial in choose(Frames(made), *arguments)]

    assert len(chosen()) == 2
    assert chosen() == chosen()
    assert len(chosen((), 2)) == len(chosen((), 9)) == 4
    assert len(chosen(("random",))) == 2
    assert len(chosen(("random", "a2c/CartPole-v1"), 1)) == 2
    assert len(chosen(("all",))) == 4
    folder = trial_of(made, "a2c", 1)
    assert chosen((folder.relative_to(made).as_posix(),)) == [folder.name]
