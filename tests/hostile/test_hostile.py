"""Whatever an environment does in one trial, that trial alone has it, and says what it was (promise P6)."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import pytest

import rlbench
from rlbench.api import UsageError
from rlbench.loaded import Results
from rlbench.running.seeding import Streams

SEEDS = (0, 1, 2)
BAD = 1
POINTS = 2
STEPS = 60


@dataclass
class Fate:
    """What becomes of the bad trial."""

    status: str
    says: str  # a regular expression for its error
    everyone: bool = False  # whether it becomes of all trials
    log: str = ""  # what its log holds


FATES = {
    "RaisesAtStep": Fate("failed", "RuntimeError: the simulator broke$"),
    "RaisesAtReset": Fate("failed", "RuntimeError: no level could be generated$"),
    "RaisesAtConstruction": Fate("failed", "the licence server does not answer$", everyone=True),
    "LeavesBySystemExit": Fate("failed", "SystemExit: the simulator says goodbye$"),
    "Exits": Fate("failed", "^the worker process exited with code 7\n", log="these are its last words"),
    "Crashes": Fate("failed", "^the worker process was killed by signal 11$"),
    "Hangs": Fate("failed", r"^the worker process showed no sign of life for 6 s \(--stall-limit\)$"),
    "PrintsWithoutEnd": Fate(
        "failed", r"no sign of life for 6 s \(--stall-limit\)\n", log="all work and no play"
    ),
    "PrintsMuch": Fate("finished", "^$"),
    "Leaks": Fate("failed", r"^the worker process used more than 800 MiB \(--memory-limit\)$"),
    "NanObservations": Fate("diverged", "^the observations stopped being finite$"),
    "InfiniteRewards": Fate("diverged", "stopped being finite$"),
    "WrongShape": Fate(
        "failed",
        r"ValueError: WrongShape-v0 declares observations of shape \(2,\) and type float32, and gave one of "
        r"shape \(2, 1\) and type float32; mend the environment, or the space that it declares$",
    ),
    "WrongType": Fate("failed", r"WrongType-v0 declares .* and gave one of shape \(2,\) and type <U5; mend"),
    "NoReward": Fate("diverged", "stopped being finite$"),
}
EVALUATION = {
    "RaisesAtStep": Fate("failed", "RuntimeError: the simulator broke$"),
    "Exits": Fate("failed", "^the worker process exited with code 7"),
    "NanObservations": Fate(
        "diverged", "^rewards, observations or actions stopped being finite in an evaluation$"
    ),
    "InfiniteRewards": Fate(
        "diverged", "^rewards, observations or actions stopped being finite in an evaluation$"
    ),
}


def name_of(kind: str) -> str:
    return f"hostile_environments:{kind}-v0"


def bad_episodes(kinds: list[str], during: str) -> str:
    """The second training episode, or the episode of the last evaluation, of the bad trial."""
    seeds = []
    for kind in kinds:
        streams = Streams.of(name_of(kind), {})
        seeds.append(
            streams.training_episode(BAD, 0, 1)
            if during == "training"
            else streams.evaluation_episode(BAD, STEPS, 0)
        )
    return ",".join(map(str, seeds))


def run(kinds: list[str], out: Path, algo: str, bad: str) -> Results:
    with pytest.MonkeyPatch.context() as patch:
        here = str(Path(__file__).parent)
        patch.syspath_prepend(here)
        patch.setenv("PYTHONPATH", here, prepend=os.pathsep)
        patch.setenv("HOSTILE_EPISODES", bad)
        patch.setenv("HOSTILE_PARENT", str(os.getpid()))
        return rlbench.run(
            algo,
            [name_of(kind) for kind in kinds],
            seeds=SEEDS,
            steps=STEPS,
            out=out,
            jobs=2,
            settings={
                algo: {"hidden_sizes": [4], **({"n_envs": 1} if algo == "a2c" else {"learning_starts": 8})}
            },
            eval_points=POINTS,
            eval_episodes=1,
            retries=0,
            checkpoint_every=0.05,
            stall_limit=6,
            memory_limit=800,
            allow_import=True,
            progress=False,
        )


@pytest.fixture(autouse=True)
def forgotten():
    """Leave no trace of the environments in this process."""
    yield
    module = sys.modules.pop("hostile_environments")
    for kind in module.Calm.__subclasses__():
        del gymnasium.registry[f"{kind.__name__}-v0"]


def calm_and_hostile(fates: dict[str, Fate], root: Path, algo: str, during: str) -> tuple[Results, Results]:
    kinds = list(fates)
    calm = run(kinds, root / "calm", algo, "")
    return calm, run(kinds, root / "hostile", algo, bad_episodes(kinds, during))


def stored(results: Results, folder: str) -> dict[str, bytes]:
    """The files of one trial, but for the one that may differ between identical runs."""
    return {
        path.name: path.read_bytes()
        for path in (results.path / folder).iterdir()
        if path.name != "timing.json"
    }


def check(kind: str, fate: Fate, calm: Results, hostile: Results) -> None:
    rows = {row.seed: row for row in hostile.trials.query("env == @name_of(@kind)").itertuples()}
    assert sorted(rows) == list(SEEDS)
    for seed, row in rows.items():
        if seed == BAD or fate.everyone:
            assert row.status == fate.status
            assert re.search(fate.says, (row.error if isinstance(row.error, str) else "").strip()), row.error
        else:
            assert row.status == "finished"
        if row.status == "finished":
            assert stored(hostile, row.folder) == stored(calm, row.folder)
    (score,) = hostile.scores().query("env == @name_of(@kind)").itertuples()
    assert (score.n, score.of) == (sum(row.status == "finished" for row in rows.values()), len(SEEDS))
    if fate.log:
        log = hostile.path / rows[BAD].folder / "log.txt"
        assert fate.log in log.read_text()
        assert log.stat().st_size <= 64 * 1024
        assert f"(its output: {log.relative_to(hostile.path)})" in rows[BAD].error


@pytest.mark.parametrize(
    ("fates", "algo", "during"),
    [
        pytest.param(FATES, "a2c", "training", id="training"),
        pytest.param(EVALUATION, "dqn", "evaluation", id="evaluation"),
    ],
)
def test_the_trial_says_what_befell_it_and_no_other_notices(tmp_path, subtests, fates, algo, during):
    calm, hostile = calm_and_hostile(fates, tmp_path, algo, during)
    assert set(calm.trials["status"]) == {"finished"}
    for kind, fate in fates.items():
        with subtests.test(kind):
            check(kind, fate, calm, hostile)


def test_an_environment_that_cannot_be_made_at_all_is_a_usage_error_and_nothing_is_written(tmp_path):
    with pytest.raises(
        UsageError, match=r"NeverMade-v0 cannot be made; RuntimeError: the licence has expired"
    ):
        run(["NeverMade"], tmp_path / "out", "a2c", "")
    assert not (tmp_path / "out").exists()
