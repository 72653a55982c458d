"""The runner: all four factories, failures as rows, trackers and executors from plugins."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rlbench as package
from rlbench.api import UsageError

PLUGIN = '''
    from dataclasses import dataclass
    import numpy as np
    from rlbench.api import AlgorithmSpec, ExecutorSpec, Sweep, TrackerSpec
    from rlbench.hookspecs import hookimpl


    @dataclass(frozen=True)
    class Config:
        n_envs: int = 1
        n_train: int = 1


    class Cautious:
        """A single-seed agent: always the first action, and it remembers what it saw."""

        def __init__(self, task, config, rng):
            self.shape, self.seen = (task.n_envs,), 0

        def act(self, obs):
            assert obs.shape[0] == self.shape[0]
            return np.zeros(self.shape, np.int64)

        def observe(self, transition):
            self.seen += len(transition.reward)
            return {"seen": self.seen}

        def policy(self):
            return lambda obs: np.zeros(obs.shape[:1], np.int64)

        def state_dict(self):
            return {"weights": {"seen": np.array(self.seen)}}


    class CautiousBatch:
        """The same with a seed axis."""

        def __init__(self, task, config, rngs):
            self.shape, self.seen = (len(rngs), task.n_envs), 0

        def act(self, obs):
            return np.zeros(self.shape, np.int64)

        def observe(self, transition):
            self.seen += self.shape[1]
            return {"seen": np.full(self.shape[0], self.seen)}

        def policy(self):
            return lambda obs: np.zeros(obs.shape[:2], np.int64)

        def state_dict(self):
            return {"weights": {"seen": np.full(self.shape[0], self.seen)}}


    class Loop:
        """A trainer that owns its loop, over one environment or a vector of them."""

        def __init__(self, task, config, rng):
            self.config, self.seen = config, 0

        def train(self, task, tick):
            n = self.config.n_train
            env = task.make_env() if n == 1 else task.make_vector_env(n)
            env.reset()
            while True:
                action = 0 if n == 1 else np.zeros(n, np.int64)
                _, _, terminated, truncated, _ = env.step(action)
                self.seen += n
                tick(lambda obs: np.zeros(len(obs), np.int64))
                if n == 1 and (terminated or truncated):
                    env.reset()

        def state_dict(self):
            return {"weights": {"seen": np.array(self.seen)}}


    class Guess:
        """A solver that always answers the first action."""

        def __init__(self, task, config, rng):
            pass

        def solve(self, mdp):
            for k in (1, 2):
                yield Sweep(k, np.zeros(mdp.n_states, np.int64), np.zeros(mdp.n_states), 1.0 / k)


    class Diary:
        def __init__(self, folder):
            self.lines, self.path = [], folder / "diary.txt"

        def trial_started(self, trial):
            self.lines.append(f"started {trial['label']} {trial['seed']}")

        def trial_evaluated(self, trial, step, returns):
            self.lines.append(f"evaluated {trial['label']} {trial['seed']} {step} {len(returns)}")

        def trial_finished(self, trial, status):
            self.lines.append(f"{status} {trial['label']} {trial['seed']}")

        def close(self):
            self.path.write_text("\\n".join(self.lines))


    class Grumpy:
        def __init__(self, folder):
            pass

        def __getattr__(self, name):
            raise RuntimeError("leave me alone")


    @hookimpl
    def rlbench_algorithms():
        yield AlgorithmSpec("cautious", Config, agent=Cautious)
        yield AlgorithmSpec("cautious-batch", Config, batched_agent=CautiousBatch)
        yield AlgorithmSpec("loop", Config, trainer=Loop)
        yield AlgorithmSpec("guess", Config, solver=Guess)


    @hookimpl
    def rlbench_trackers():
        yield TrackerSpec("diary", Diary)
        yield TrackerSpec("grumpy", Grumpy)
'''


@pytest.fixture
def plugin(distribution):
    distribution("test-plugin", {"test": "plugin_for_tests"}, {"plugin_for_tests.py": PLUGIN})


def run(tmp_path, algos, envs="CartPole-v1", **options):
    asked = {"seeds": 2, "steps": 60, "eval_points": 3, "eval_episodes": 2, "out": tmp_path / "results"}
    return package.run(algos, envs, progress=False, **{**asked, **options})


def test_all_four_factories_run_through_the_same_runner(plugin, tmp_path):
    results = run(tmp_path, "cautious,cautious-batch,loop,guess", "FrozenLake-v1")
    assert (results.trials["status"] == "finished").all()
    assert len(results.trials) == 8
    points = results.evaluations.groupby(["algorithm", "seed"])["step"].unique().map(list)
    for algorithm in ("cautious", "cautious-batch", "loop"):
        assert points[algorithm, 0] == points[algorithm, 1] == [20, 40, 60]
    assert points["guess", 0] == [0]
    # The same actions from the same episode seeds: training episodes agree whatever the factory.
    episodes = results.episodes.drop(columns="algorithm").groupby(results.episodes["algorithm"])
    frames = {name: frame.reset_index(drop=True) for name, frame in episodes}
    assert len(frames["loop"]) > 2
    assert frames["cautious"].equals(frames["cautious-batch"])
    assert frames["cautious"].equals(frames["loop"])
    exact = results.evaluations.groupby("algorithm")["exact_value"].unique().map(list)
    assert all(len(values) == 1 and np.isfinite(values[0]) for values in exact)
    residuals = results.diagnostics.query("algorithm == 'guess' and seed == 0")
    assert list(residuals["value"]) == [1.0, 0.5]


def test_a_budget_is_rounded_up_to_whole_vector_steps_and_points_come_after_they_are_reached(
    plugin, tmp_path
):
    settings = {"cautious": {"n_envs": 7}, "loop": {"n_train": 7}}
    results = run(tmp_path, "cautious,loop", settings=settings)
    rows = results.evaluations.query("algorithm == 'cautious'")[["step", "actual_step"]]
    assert sorted(set(map(tuple, rows.to_numpy()))) == [(20, 21), (40, 42), (60, 63)]
    # In a trainer's vector a sub-environment that restarts takes no step: points fall between.
    late = results.evaluations["actual_step"] - results.evaluations["step"]
    assert late.between(0, 6).all()


@pytest.mark.parametrize(
    ("mode", "fate", "message"),
    [
        ("raise", "failed", "the simulator broke"),
        ("exit", "failed", "the worker process exited with code 7"),
        ("nan", "diverged", "stopped being finite"),
    ],
)
def test_what_befalls_one_trial_is_its_own_row_and_harms_no_companion(
    plugin, environments, tmp_path, mode, fate, message
):
    fragile = {"Fragile-v0": {"mode": mode}}
    whole = run(tmp_path, "cautious-batch", "Fragile-v0", seeds=8, env_settings=fragile, out=tmp_path / "all")
    status = whole.trials.set_index("seed")["status"]
    assert set(status) == {"finished", fate}
    errors = whole.trials.query("status == @fate")["error"]
    assert errors.str.contains(message).all()
    score = whole.scores().iloc[0]
    assert (score["n"], score["of"]) == ((status == "finished").sum(), 8)
    for seed in status.index[status == "finished"]:
        folder = tmp_path / f"alone-{seed}"
        alone = run(tmp_path, "cautious-batch", "Fragile-v0", seeds=[seed], env_settings=fragile, out=folder)
        together = whole.evaluations.query("seed == @seed").reset_index(drop=True)
        assert alone.evaluations.equals(together)


def test_failed_trials_run_again_and_diverged_ones_do_not(plugin, environments, tmp_path):
    fragile = {"Fragile-v0": {"mode": "raise"}}
    first = run(tmp_path, "cautious", "Fragile-v0", seeds=8, env_settings=fragile)
    second = run(tmp_path, "cautious", "Fragile-v0", seeds=8, env_settings=fragile)
    attempts = (
        second.trials.set_index("seed")["wall_seconds"] != first.trials.set_index("seed")["wall_seconds"]
    )
    failed = first.trials.set_index("seed")["status"] == "failed"
    assert failed.any()
    assert not attempts[~failed].any()
    assert (second.trials["status"] == first.trials["status"]).all()


def test_trackers_are_told_everything_and_one_that_raises_is_not_fatal(plugin, tmp_path, caplog):
    run(tmp_path, "cautious", seeds=1, trackers="grumpy,diary")
    assert (tmp_path / "results" / "diary.txt").read_text().splitlines() == [
        "started cautious 0",
        "evaluated cautious 0 20 2",
        "evaluated cautious 0 40 2",
        "evaluated cautious 0 60 2",
        "finished cautious 0",
    ]
    assert "tracker 'grumpy' raised; the run goes on" in caplog.text


def test_an_executor_from_a_plugin_runs_the_same_cohorts_to_the_same_bits(plugin, distribution, tmp_path):
    example = package.hookspecs.rlbench_executors.__doc__.split(">>> import", 1)[1]
    lines = ("import" + example).splitlines()
    code = "\n".join(line.strip()[4:] if line.strip()[:3] in (">>>", "...") else line for line in lines)
    distribution("in-process", {"in-process": "executor_here"}, {"executor_here.py": code})
    here = run(tmp_path, "cautious-batch,random", executor="in-process", out=tmp_path / "here")
    there = run(tmp_path, "cautious-batch,random", out=tmp_path / "there")
    assert len(here.evaluations) == 2 * 2 * 3 * 2
    assert here.evaluations.equals(there.evaluations)
    assert here.episodes.equals(there.episodes)


def test_a_trainer_that_never_ticks_fails_with_the_reason(distribution, tmp_path):
    distribution(
        "mute",
        {"mute": "mute"},
        {
            "mute.py": """
            from dataclasses import dataclass
            from rlbench.api import AlgorithmSpec
            from rlbench.hookspecs import hookimpl

            @dataclass(frozen=True)
            class Config:
                pass

            class Mute:
                def __init__(self, task, config, rng):
                    pass

                def train(self, task, tick):
                    pass

            @hookimpl
            def rlbench_algorithms():
                yield AlgorithmSpec("mute", Config, trainer=Mute)
            """
        },
    )
    (error,) = run(tmp_path, "mute", seeds=1).trials["error"]
    assert "never called tick(policy)" in error


def test_the_request_is_stored_with_what_it_was_resolved_to(plugin, tmp_path):
    run(tmp_path, "dqn,guess", seeds=1, steps=40, settings=["dqn.gamma=0.5"])
    (path,) = (tmp_path / "results" / "experiments").iterdir()
    document = json.loads(path.read_text())
    assert document["request"]["algos"] == {"dqn": "dqn", "guess": "guess"}
    (arm,) = document["algorithms"]
    assert (arm["config"]["gamma"], arm["origins"]["gamma"]) == (0.5, "argument")
    (unsupported,) = document["unsupported"]
    assert unsupported["algorithm"] == "guess"
    assert {"python", "torch", "gymnasium", "rlbench", "test-plugin"} <= set(document["versions"])


def test_an_executor_starts_before_the_plan_is_made_and_is_closed_whatever_comes(distribution, tmp_path):
    notes = tmp_path / "notes.txt"
    distribution(
        "noted",
        {"noted": "noted"},
        {
            "noted.py": f"""
            from rlbench.api import ExecutorSpec
            from rlbench.hookspecs import hookimpl
            from rlbench.running.local import LocalExecutor

            def note(word):
                with open({str(notes)!r}, "a") as file:
                    print(word, file=file)

            class Noted(LocalExecutor):
                def __init__(self, limits):
                    note("made")
                    super().__init__(limits)

                def run(self, *arguments):
                    note("run")
                    yield from super().run(*arguments)

                def close(self):
                    super().close()
                    note("closed")

            @hookimpl
            def rlbench_executors():
                yield ExecutorSpec("noted", Noted)
            """
        },
    )
    with pytest.raises(UsageError, match="Nonsense"):
        package.run("random", "Nonsense-v0", executor="noted", progress=False, out=tmp_path / "none")
    assert notes.read_text().split() == ["made", "closed"]
    notes.unlink()
    package.run("random", steps=20, seeds=1, executor="noted", progress=False, out=tmp_path / "some")
    assert notes.read_text().split()[:2] == ["made", "run"]
    assert notes.read_text().split()[-1] == "closed"


def test_a_trainer_is_unsupported_where_a_backend_gives_vectors_alone(plugin, distribution, tmp_path):
    distribution(
        "vectors",
        {"vectors": "vectors"},
        {
            "vectors.py": """
            from rlbench.api import EnvironmentSpec
            from rlbench.hookspecs import hookimpl

            @hookimpl
            def rlbench_environments():
                yield EnvironmentSpec(
                    "vectors",
                    make_vector="rlbench.environments.gymnasium_vector:make_sync",
                    describe="rlbench.environments.gymnasium_ids:describe",
                )
            """
        },
    )
    results = package.run(
        "loop,random", "vectors:CartPole-v1", seeds=1, steps=20, progress=False, out=tmp_path / "results"
    )
    assert results.trials["algorithm"].tolist() == ["random"]
    assert [(row["algorithm"], row["reason"]) for row in results.unsupported] == [
        ("loop", "needs single environments: this backend gives only vectors")
    ]


def test_a_worker_that_stops_every_time_is_given_up_after_its_retries(distribution, tmp_path):
    starts = tmp_path / "starts"
    distribution(
        "quitters",
        {"quitters": "quitters"},
        {
            "quitters.py": f"""
            from rlbench.api import ExecutorSpec
            from rlbench.hookspecs import hookimpl
            from rlbench.running.events import Ended, Started

            class Quitter:
                def __init__(self, limits):
                    pass

                def run(self, cohorts, stopping):
                    while cohorts:
                        cohort = cohorts.popleft()
                        yield cohort, Started()
                        with open({str(starts)!r}, "a") as file:
                            print(*cohort.seeds, file=file)
                        yield cohort, Ended()

            @hookimpl
            def rlbench_executors():
                yield ExecutorSpec("quitter", Quitter)
            """
        },
    )
    results = package.run(
        "random",
        steps=20,
        seeds=2,
        jobs=1,
        retries=1,
        executor="quitter",
        progress=False,
        out=tmp_path / "out",
    )
    assert results.trials["status"].tolist() == ["failed"] * 2
    assert results.trials["error"].tolist() == ["the worker stopped, asked by somebody else"] * 2
    assert starts.read_text().splitlines() == ["0 1", "0", "1", "0", "1"]
