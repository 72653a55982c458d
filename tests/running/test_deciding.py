"""Runs until decided: seeds go where they are needed, and every interruption leads to the same decisions."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from disk import Disk, restore, state_of
from in_process import final, lockstep, plan_for

import rlbench
from rlbench.api import FolderError, UsageError
from rlbench.experiment import describe_plan, make_plan, run_plan
from rlbench.results.journal import read_journals
from rlbench.running.deciding import layout_of, most_trials, run_groups
from rlbench.running.options import resolve_options
from rlbench.running.overview import overview_of
from rlbench.running.runner import Interrupted, Runner

__all__ = ["lockstep"]

LEVERS = '''
    from dataclasses import dataclass

    import gymnasium
    import numpy as np

    from rlbench.api import AlgorithmSpec
    from rlbench.hookspecs import hookimpl


    class Lever(gymnasium.Env):
        """One step; the reward is the action and some noise."""

        observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)
        action_space = gymnasium.spaces.Discrete(50)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return np.zeros(1, np.float32), {}

        def step(self, action):
            reward = float(action) + float(self.np_random.normal())
            return np.zeros(1, np.float32), reward, True, False, {}


    gymnasium.register("Lever-v0", Lever)
    gymnasium.register("Wrench-v0", Lever)


    @dataclass(frozen=True)
    class Config:
        pull: int = 0
        n_envs: int = 1


    class Puller:
        """Always the same action."""

        def __init__(self, task, config, rng):
            self.pull = config.pull

        def act(self, obs):
            return np.full(len(obs), self.pull)

        def observe(self, transition):
            pass

        def policy(self):
            return lambda obs: np.full(obs.shape[:-1], self.pull)


    @hookimpl
    def rlbench_algorithms():
        yield AlgorithmSpec("puller", Config, agent=Puller)
'''


@pytest.fixture
def levers(lockstep, distribution, monkeypatch):
    import gymnasium

    def request(runner, host):
        asked = {"until_decided": runner._plan.options.until_decided}
        trials = [trial.hash for trial in runner._plan.trials]
        return {"schema_version": 1, "command": "a test", "request": asked, "trials": trials}

    monkeypatch.setattr(Runner, "_document", request)

    distribution("levers", {"levers": "levers_for_tests"}, {"levers_for_tests.py": LEVERS})
    yield
    for name in ("Lever-v0", "Wrench-v0"):
        gymnasium.registry.pop(name, None)


def plan_of(folder, algos="high=puller,low=puller,same=puller", **asked):
    pulls = {"high": 40, "low": 1, "same": 1}
    labels = [item.partition("=")[0] for item in algos.split(",")]
    given = {
        "algos": algos,
        "envs": "Lever-v0",
        "settings": {label: {"pull": pulls[label]} for label in labels if label in pulls},
        "until_decided": True,
        "seeds": 3,
        "max_seeds": 6,
        "steps": 2,
    }
    return plan_for(folder, **given | asked)


def decide(plan, catalogue, **more):
    return run_plan(plan, catalogue, executor=None, console=None, command="a test", **more)


def counts(folder):
    return Counter(path.parts[-4] for path in Path(folder).glob("trials/*/*/*/status.json"))


def said(results):
    columns = ["first", "second", "verdict", "seeds", "n_first", "n_second"]
    return [tuple(row) for row in results.decisions()[columns].to_numpy()]


def test_seeds_go_only_to_undecided_pairs_and_the_verdicts_are_the_journals(levers, tmp_path):
    plan, catalogue = plan_of(tmp_path / "run", max_seeds=12)
    results = decide(plan, catalogue)
    assert said(results) == [
        ("high", "low", "better", 6, 6, 6),
        ("high", "same", "better", 6, 6, 6),
        ("low", "same", "undecided", 12, 12, 12),
    ]
    assert counts(tmp_path / "run") == {"high": 6, "low": 12, "same": 12}
    assert results.trials_used == (30, 36)
    assert most_trials(plan) == 36
    pairs = results.comparisons().set_index(["first", "second"])
    assert pairs.loc[("high", "low"), "verdict"] == "better"
    assert "after 6 of at most 12 seeds, 3 comparisons together" in pairs.loc[("high", "low"), "reason"]
    (undecided,) = [row for row in results.comparisons().itertuples() if row.first != "high"]
    assert undecided.verdict == "undecided"
    assert undecided.reason.startswith("sequential comparison, undecided after 12 of at most 12 seeds")
    assert pairs[["p", "p_corrected", "seeds_needed"]].isna().all(axis=None)


def test_the_same_command_again_runs_nothing_and_keeps_the_journal(levers, tmp_path):
    plan, catalogue = plan_of(tmp_path / "run")
    decide(plan, catalogue)
    before = state_of(tmp_path / "run")
    decide(plan, catalogue)
    assert state_of(tmp_path / "run") == before


def test_a_dry_run_says_which_group_is_due_and_for_whom(levers, tmp_path):
    plan, catalogue = plan_of(tmp_path / "run", max_seeds=9)
    planned = describe_plan(plan, catalogue)
    every = ["high against low on Lever-v0", "high against same on Lever-v0", "low against same on Lever-v0"]
    assert planned["group"] == {"number": 1, "of": 3, "seeds": [0, 1, 2], "undecided": every}
    assert (planned["trials"], planned["missing"], planned["at_most"]) == (9, 9, 27)
    assert not (tmp_path / "run").exists()
    decide(plan, catalogue)
    finished = describe_plan(plan, catalogue)
    assert (finished["missing"], finished["group"]["undecided"]) == (0, every[2:])
    for seed in (7, 8):
        for folder in tmp_path.glob(f"run/trials/*/*/seed-{seed}-*"):
            shutil.rmtree(folder)
    before = state_of(tmp_path / "run")
    left = describe_plan(plan, catalogue)
    assert left["group"] == {"number": 3, "of": 3, "seeds": [6, 7, 8], "undecided": every[2:]}
    assert (left["trials"], left["missing"]) == (6, 4)
    assert state_of(tmp_path / "run") == before


def test_each_environment_is_decided_alone_and_corrected_with_the_others(levers, tmp_path):
    asked = {"algos": "high=puller,low=puller", "envs": "Lever-v0,Wrench-v0", "max_seeds": 12}
    results = decide(*plan_of(tmp_path / "run", **asked))
    table = results.decisions()
    assert list(table["env"]) == ["Lever-v0", "Wrench-v0"]
    assert set(table["tests"]) == {2}
    assert set(table["verdict"]) == {"better"}


def test_killed_at_any_moment_the_same_command_comes_to_the_same_decisions(levers, tmp_path):
    folder = tmp_path / "run"
    plan, catalogue = plan_of(folder, algos="high=puller,low=puller")
    journal = layout_of(plan).hash
    folder.mkdir()
    disk = Disk(folder)
    states = {}

    def before(number, name):
        if number % 40 == 0 or journal in name or name == "mkdir decisions":
            states[number, name] = disk.killed()

    disk.before = before
    with disk.watched():
        decide(plan, catalogue)
    expected = final(state_of(folder))
    assert len(states) > 15
    for moment, state in states.items():
        restore(state, folder)
        decide(plan, catalogue)
        assert final(state_of(folder)) == expected, moment


def test_a_damaged_journal_is_named_and_made_again_from_the_scores(levers, tmp_path):
    plan, catalogue = plan_of(tmp_path / "run")
    decide(plan, catalogue)
    (path,) = (tmp_path / "run" / "decisions").iterdir()
    whole = path.read_bytes()
    for damage in (b"", whole[:-2], whole.replace(b"larger", b"smaller"), b"[]", b"{}"):
        path.write_bytes(damage)
        results = rlbench.load(tmp_path / "run")
        assert results.decisions().empty
        assert any(str(path) in problem for problem in results.problems)
        assert any(str(path) in problem for problem in overview_of(tmp_path / "run").problems)
        decide(plan, catalogue)
        assert path.read_bytes() == whole


def test_no_link_leads_the_journal_out_of_the_folder(levers, tmp_path):
    plan, catalogue = plan_of(tmp_path / "run", algos="high=puller,low=puller")
    (tmp_path / "outside").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "decisions").symlink_to(tmp_path / "outside")
    with pytest.raises(FolderError, match="decisions is a link"):
        decide(plan, catalogue)
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seeds": "3,8"}, "give --seeds a count"),
        ({"max_seeds": 7}, "give 6 or 9"),
        ({"max_seeds": 2}, "give 3"),
        ({"seeds": 2, "max_seeds": 2}, "2 seeds in groups of 2 cannot decide any of 3 comparisons"),
        ({"algos": "high=puller"}, "no environment has two"),
        ({"seeds": "4294967294:4294967296"}, "leaves the range of seeds"),
        ({"until_decided": False}, "--max-seeds is for runs --until-decided"),
    ],
)
def test_what_cannot_be_decided_as_asked_is_said_before_anything_runs(levers, tmp_path, asked, message):
    plan, catalogue = plan_of(tmp_path / "run", **asked)
    with pytest.raises(UsageError, match=message):
        make_plan(plan.options, catalogue)
    assert not (tmp_path / "run").exists()


def test_another_attempt_at_the_same_learners_is_refused_and_other_learners_are_not(levers, tmp_path):
    decide(*plan_of(tmp_path / "run"))
    another = (
        {"max_seeds": 9},
        {"seeds": 2, "max_seeds": 6},
        {"algos": "high=puller,low=puller"},
        {"seeds": "100:103"},
        {"seeds": "100:103", "algos": "low=puller,high=puller"},
    )
    for asked in another:
        plan, catalogue = plan_of(tmp_path / "run", **asked)
        with pytest.raises(UsageError, match="--seeds 3 --max-seeds 6 over 3 comparisons"):
            make_plan(plan.options, catalogue)
    for asked in ({"steps": 3}, {"envs": "Wrench-v0"}):
        other, catalogue = plan_of(tmp_path / "run", **asked)
        make_plan(other.options, catalogue)
    decide(*plan_of(tmp_path / "run"))  # the same command goes on
    assert len(read_journals(tmp_path / "run")[0]) == 1


def test_results_of_a_fixed_number_of_seeds_are_not_decided_upon_again(levers, tmp_path):
    two = {"algos": "high=puller,low=puller"}
    fixed = {"until_decided": False, "max_seeds": None}
    decide(*plan_of(tmp_path / "run", **two, **fixed))
    for asked in ({}, {"seeds": "100:103"}, {"algos": "same=puller,low=puller,high=puller"}):
        plan, catalogue = plan_of(tmp_path / "run", **two | asked)
        with pytest.raises(UsageError, match=r"another folder \(--seeds 3:6 --out DIR\) and tell of both"):
            make_plan(plan.options, catalogue)
    other, catalogue = plan_of(tmp_path / "run", algos="high=puller,same=puller")  # nobody has seen those two
    make_plan(other.options, catalogue)
    first, catalogue = plan_of(tmp_path / "other", **two)
    decide(first, catalogue)
    decide(*plan_of(tmp_path / "other", **two, **fixed))  # what has been decided stays so
    decide(first, catalogue)


class Fake:
    """Trains nothing: notes what it is asked for, and has these scores by label and seed."""

    def __init__(self, scores):
        self.wanted, self.groups, self.lines = scores, [], []
        self.stored = {}
        self.stop_after = 99

    def train(self, plan):
        self.groups.append(sorted((trial.label, trial.seed) for trial in plan.trials))
        self.stored |= {trial.hash: self.wanted(trial.label, trial.seed) for trial in plan.trials}

    def run(self, plan):
        Path(plan.folder).mkdir(exist_ok=True)
        self.groups, self.lines = [], []
        run_groups(
            plan,
            self.train,
            lambda: self.stored,
            self.lines.append,
            lambda: len(self.groups) >= self.stop_after,
        )


def clear(label, seed):
    return {"high": 40.0, "low": 1.0, "same": 1.0}[label] + (seed * 7 % 5) / 10


def test_solvers_run_once_and_are_not_compared(levers, tmp_path):
    asked = {"algos": "random,again=random,value-iteration", "envs": "FrozenLake-v1"}
    plan, _ = plan_of(tmp_path / "run", **asked)
    fake = Fake(lambda label, seed: float("nan") if "value" in label else float(seed % 3))
    fake.run(plan)
    assert [{label for label, _ in group} for group in fake.groups] == [
        {"again", "random", "value-iteration"},
        {"again", "random"},
    ]
    assert most_trials(plan) == 9 + 6


def test_it_tells_what_each_group_decides_and_who_goes_on(levers, tmp_path):
    plan, _ = plan_of(tmp_path / "run", max_seeds=9)
    fake = Fake(clear)
    fake.run(plan)
    assert fake.lines[0].startswith("after 3 seeds: 0 of 3 comparisons decided; 3 more seeds for high on")
    assert "now: high is better than low on Lever-v0; high is better than same" in fake.lines[1]
    assert fake.lines[1].endswith("3 more seeds for low on Lever-v0, same on Lever-v0")
    assert fake.lines[2] == "after 9 seeds: 2 of 3 comparisons decided"


def test_a_wish_to_stop_between_two_groups_is_heard_and_the_same_command_continues(levers, tmp_path):
    plan, _ = plan_of(tmp_path / "run")
    fake = Fake(clear)
    fake.stop_after = 1
    with pytest.raises(Interrupted, match="the same command continues"):
        fake.run(plan)
    (journal,) = read_journals(tmp_path / "run")[0]
    assert {one.interim for one in journal.decisions} == {1}
    fake.stop_after = 99
    fake.run(plan)
    assert len(fake.groups) == 2
    assert {one.verdict for one in read_journals(tmp_path / "run")[0][0].last()} == {"larger", "undecided"}


def test_scores_that_have_changed_decide_anew_and_it_says_so(levers, tmp_path):
    plan, _ = plan_of(tmp_path / "run", algos="high=puller,low=puller")
    fake = Fake(lambda label, seed: float("nan") if seed < 3 and label == "high" else clear(label, seed))
    fake.run(plan)
    assert {one.verdict for one in read_journals(tmp_path / "run")[0][0].last()} == {"undecided"}
    fake.wanted = clear  # its failed trials have run again
    fake.run(plan)
    told = [line for line in fake.lines if "the journal is not what the scores say" in line]
    assert "high against low on Lever-v0 was undecided (0 and 3 scores) and is undecided (3 and 3" in told[0]
    assert read_journals(tmp_path / "run")[0][0].last()[0].verdict == "larger"


def test_the_journal_names_no_more_than_it_needs_and_is_checked(levers, tmp_path):
    plan, _ = plan_of(tmp_path / "run")
    Fake(clear).run(plan)
    (path,) = (tmp_path / "run" / "decisions").iterdir()
    document = json.loads(path.read_text())
    assert set(document) == {"schema_version", "layout", "decisions", "checksum"}
    assert len(document["decisions"]) == 6
    assert path.stem == layout_of(plan).hash


def test_the_options_have_their_three_forms(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text("until-decided = true\nmax-seeds = 20\n")
    options = resolve_options({}, environ={"RLBENCH_MAX_SEEDS": "40"}, config=file)
    assert (options.until_decided, options.max_seeds) == (True, 40)
    assert not resolve_options({"until_decided": False}, environ={}, config=file).until_decided


@pytest.mark.parametrize(("seeds", "most"), [(3, 30), (4, 28), (20, 40)])
def test_without_a_largest_number_of_seeds_it_is_some_thirty_in_whole_groups(levers, tmp_path, seeds, most):
    plan, _ = plan_of(tmp_path / "run", seeds=seeds, max_seeds=None)
    layout = layout_of(plan)
    assert (layout.group, layout.group * layout.interims) == (seeds, most)
