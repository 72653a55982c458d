"""``rlbench status`` as users call it: every fate of a trial, and what the same command would do about it."""

from __future__ import annotations

import json
import os
import time

import pytest
from synthetic import identity, write_results, write_trial

from rlbench import __version__
from rlbench.results.store import Store
from rlbench.running.checkpoint import write
from rlbench.running.provenance import fingerprint

SEEDS = range(10)


def request_for(trials, **changes):
    """Give the request that asks for trials of one arm, as a run writes it."""
    first = trials[0]
    arm = {"label": first.label, "env": first.env, "kind": first.kind, "origins": {}}
    return {
        "request": {"seeds": [trial.seed for trial in trials], "steps": first.steps},
        "algorithms": [{**arm, "distribution": first.distribution, "version": first.version}],
        "unsupported": [{"algorithm": "value-iteration", "env": first.env, "reason": "needs a model"}],
        "trials": [trial.hash for trial in trials],
        **changes,
    }


def begin(store, trial, step=0, machine=None):
    """Begin a trial, with a checkpoint at ``step`` unless that is 0."""
    writer = store.begin(trial)
    if step:
        sha256 = write(writer.folder, step, {"x": 1})
        clock = {"attempts": 1, "points": [], "wall_seconds": 1.0, "evaluation_seconds": 0.0}
        writer.commit(step, sha256, clock, fingerprint("cpu") if machine is None else machine)


@pytest.fixture
def store(tmp_path):
    """A folder with a trial of every fate, told apart by the seed."""
    store = Store(tmp_path / "results" / "night")
    store.prepare()
    trials = [identity("dqn", seed=seed) for seed in SEEDS]
    write_trial(store, trials[0])
    write_trial(store, trials[1], "diverged", until=8)
    write_trial(store, trials[2], "failed", until=8)
    begin(store, trials[3], step=12_000)
    begin(store, trials[4], step=9_000, machine={**fingerprint("cpu"), "torch": "2.0.0"})
    begin(store, trials[5])
    for seed, file in ((6, "status.json"), (7, "trial.json"), (8, "episodes.parquet")):
        write_trial(store, trials[seed])
        path = store.folder(trials[seed]) / file
        path.unlink() if file.endswith("parquet") else path.write_bytes(path.read_bytes()[:-40])
    store.write_experiment(request_for(trials))
    return store


def by_seed(rlbench, *arguments):
    done = rlbench("status", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    return document, {trial["seed"]: trial for trial in document["trials"]}


def test_every_fate_is_told_with_what_would_be_done_and_why(rlbench, store):
    document, trials = by_seed(rlbench)
    told = {seed: (trial["status"], trial["action"]) for seed, trial in trials.items()}
    assert told == {
        0: ("finished", "skip"),
        1: ("diverged", "skip"),
        2: ("failed", "retry"),
        3: ("unfinished", "continue"),
        4: ("unfinished", "run"),
        5: ("unfinished", "run"),
        6: ("damaged", "run"),
        7: ("damaged", "skip"),
        8: ("damaged", "skip"),
        9: ("missing", "run"),
    }
    assert trials[1]["why"] == "diverged at step 20000: loss is NaN"
    assert trials[2]["why"] == "failed: ValueError: shapes <b>differ</b>"
    assert trials[3]["why"].startswith("checkpoint at step 12000 of 50000, ")
    assert (trials[3]["step"], trials[3]["steps"]) == (12_000, 50_000)
    assert "another torch (2.0.0, now " in trials[4]["why"]
    assert "status.json is damaged" in trials[6]["why"]
    assert "trial.json is damaged" in trials[7]["why"]
    assert "episodes.parquet is missing; remove that folder" in trials[8]["why"]
    assert not any(trial["stale"] for trial in trials.values())
    (row,) = document["summary"]
    counts = {"finished": 1, "diverged": 1, "failed": 1, "unfinished": 3, "damaged": 3, "missing": 1}
    assert {name: count for name, count in row.items() if count} == {
        "algorithm": "dqn",
        "env": "CartPole-v1",
        "all": 10,
        **counts,
    }
    assert len(document["problems"]) == 2
    assert document["unsupported"][0]["reason"] == "needs a model"
    assert document["running_for"] is None


def test_people_see_counts_first_then_reasons_and_the_newest_folder_by_default(rlbench, store, tmp_path):
    older = write_results(tmp_path / "results" / "older", seeds=1).root
    for path in (older / "experiments").iterdir():
        os.utime(path, (0, 0))
    done = rlbench("status")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "results/night"
    assert next(line for line in lines if "failed" in line and "missing" in line).split() == [
        *("algorithm", "environment", "finished", "diverged", "failed"),
        *("unfinished", "missing", "damaged", "all"),
    ]
    assert "  skip      seed 0: finished" in lines
    assert "  retry     seed 2: failed: ValueError: shapes <b>differ</b>" in lines
    assert "unsupported: value-iteration on CartPole-v1: needs a model" in lines
    assert lines[-1] == "the same command would run 4, continue 1, retry 1, skip 4"


def test_a_run_that_is_on_is_seen_and_not_disturbed(rlbench, store):
    with store.lock():
        begin(store, identity("dqn", seed=9))
        time.sleep(0.02)
        document, trials = by_seed(rlbench)
        assert "a run has been writing here for" in rlbench("status").stdout
    assert document["running_for"] >= 0
    assert (trials[9]["status"], trials[9]["action"]) == ("running", "wait")
    assert trials[5]["status"] == "unfinished"  # its turn has not come
    assert trials[0]["status"] == "finished"
    assert by_seed(rlbench)[0]["running_for"] is None


def test_looking_writes_nothing(rlbench, store, tmp_path):
    def everything():
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    before = everything()
    rlbench("status")
    assert everything() == before


def test_what_no_run_of_today_would_use_is_stale(rlbench, tmp_path):
    store = Store(tmp_path)
    store.prepare()
    old = [identity("dqn", seed=seed, version="0.0.1") for seed in range(3)]
    foreign = identity("tuned", distribution="rlbench-somebody", version="2.0")
    unasked = identity("a2c")
    for trial in (old[0], old[1], foreign, unasked):
        write_trial(store, trial)
    store.write_experiment(request_for(old))
    store.write_experiment(request_for([foreign]))
    document, _ = by_seed(rlbench, str(tmp_path))
    told = {(trial["algorithm"], trial["seed"]): trial for trial in document["trials"]}
    assert {trial["action"] for trial in told.values()} == {"leave"}
    assert [trial["status"] for trial in told.values()].count("missing") == 1
    assert told["dqn", 0]["stale"] == told["dqn", 2]["stale"]
    assert f"0.0.1, and {__version__} is installed" in told["dqn", 0]["stale"]
    assert told["tuned", 0]["stale"] == "it is of rlbench-somebody 2.0, which is not installed"
    assert told["a2c", 0]["stale"] == "no request in this folder asks for it"
    assert sum(row["stale"] for row in document["summary"]) == 5


def test_a_request_that_does_not_name_its_trials_still_asks_for_them(rlbench, tmp_path):
    store = write_results(tmp_path / "run", seeds=2)
    store.write_experiment(request_for([identity("dqn", seed=5)], algorithms=[]))
    store.write_experiment({"request": "none of ours", "trials": 3})
    document, _ = by_seed(rlbench, "run")
    (missing,) = [trial for trial in document["trials"] if trial["status"] == "missing"]
    assert (missing["algorithm"], missing["seed"], missing["action"]) == ("(unknown)", None, "run")
    assert [trial["action"] for trial in document["trials"]].count("skip") == 4


def test_equal_trials_share_a_line_and_no_name_steers_the_terminal(rlbench, tmp_path):
    store = Store(tmp_path / "run")
    store.prepare()
    trials = [identity("\x1b[31mred", seed=seed) for seed in (0, 1, 2, 5)]
    for trial in trials:
        write_trial(store, trial)
    store.write_experiment(request_for(trials))
    done = rlbench("status", "run")
    assert "  skip      seeds 0-2, 5: finished" in done.stdout
    assert "\x1b" not in done.stdout


def test_nothing_to_show_is_a_usage_error(rlbench, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in ([], ["empty"], ["nowhere"]):
        done = rlbench("status", *arguments)
        assert done.returncode == 2
        assert "rlbench run" in done.stderr
        assert "Traceback" not in done.stderr
