"""``rlbench replay`` as users call it: the stored episode as a picture, or the reason why not."""

from __future__ import annotations

import hashlib
import io
import json
import shutil

import pyarrow.compute
import pyarrow.parquet
import pytest
from PIL import Image

import rlbench as package
from rlbench.results.frames import Frames
from rlbench.results.records import content_hash, open_sealed, readable_json, seal
from rlbench.running.replaying import find_trial

SETTINGS = {"a2c": {"hidden_sizes": [4], "n_envs": 2}}

BLIND = """
    import gymnasium
    import numpy as np


    class Blind(gymnasium.Env):
        '''Has nothing to show.'''

        observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return np.zeros(2, np.float32), {}

        def step(self, action):
            return np.zeros(2, np.float32), 1.0, False, False, {}


    gymnasium.register("Blind-v0", Blind, max_episode_steps=5)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Real results of two algorithms with two seeds, to be copied."""
    folder = tmp_path_factory.mktemp("made") / "results"
    asked = {"steps": 60, "eval_points": 2, "eval_episodes": 3, "jobs": 1, "device": "cpu"}
    package.run("random,a2c", seeds=2, settings=SETTINGS, out=folder, progress=False, **asked)
    return folder


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def trial_of(results, algorithm, seed):
    (folder,) = (results / "trials" / algorithm / "CartPole-v1").glob(f"seed-{seed}-*")
    return folder


def last_evaluation(results, algorithm, seed):
    rows = package.load(results).evaluations
    rows = rows[(rows["algorithm"] == algorithm) & (rows["seed"] == seed) & (rows["step"] == 60)]
    return rows.set_index("episode")


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("algorithm", ["a2c", "random"])  # one from its final weights, one trained again
def test_the_stored_episode_is_played_again_and_kept_for_the_report(rlbench, results, algorithm):
    before = everything(results)
    stored = last_evaluation(results, algorithm, 1).loc[2]
    done = rlbench(
        *("replay", "run", "--trial", f"{algorithm}/CartPole-v1/1", "--episode", "2", "--json"),
        env={"SDL_VIDEODRIVER": "there is no screen"},
    )
    assert done.returncode == 0, done.stderr
    assert ("no weights are stored, so the trial is trained again" in done.stderr) == (algorithm == "random")
    document = json.loads(done.stdout)
    assert document["equal"] is True
    assert document["episode_return"] == document["stored_return"] == stored["episode_return"]
    assert document["episode_length"] == document["stored_length"] == stored["episode_length"]
    assert document["step"] == 60
    picture = results.parent / document["picture"]
    assert picture.parent == results / "videos" / algorithm / "CartPole-v1"
    with Image.open(picture) as image:
        assert image.format == "WEBP"
        assert 5 < image.n_frames <= stored["episode_length"] + 1  # frames that are equal become one
        assert image.info["loop"] == 0
    after = everything(results)
    assert before.items() <= after.items()
    assert {path.suffix for path in after.keys() - before.keys()} == {".webp", ".png", ".json"}


def test_a_picture_can_be_written_elsewhere_and_the_result_is_said(rlbench, results, tmp_path):
    before = everything(results)
    stored = last_evaluation(results, "a2c", 0).loc[0]
    done = rlbench("replay", "run", "--trial", "a2c/CartPole-v1/seed-0",
                   "--out", "pole.GIF")  # fmt: skip
    assert done.returncode == 0, done.stderr
    went = f"return {stored['episode_return']:g} in {stored['episode_length']} steps, as stored"
    assert done.stdout.splitlines() == [
        f"a2c on CartPole-v1, seed 0, step 60, episode 0: {went}",
        "picture: pole.GIF",
    ]
    with Image.open(tmp_path / "pole.GIF") as image:
        assert image.format == "GIF"
        assert image.n_frames > 5
    assert everything(results) == before


def test_a_trial_can_be_named_by_the_path_to_its_folder(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = trial_of(results, "a2c", 1)
    frames = Frames("run")
    inside = folder.relative_to(results).as_posix()
    for name in (str(folder), f"run/{inside}", f"./run/{inside}/", f"{inside}/", "a2c/CartPole-v1/1/"):
        assert find_trial(frames, name).path == folder.relative_to(tmp_path), name


def test_damaged_weights_are_not_used(rlbench, results):
    weights = trial_of(results, "a2c", 0) / "final.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"evil")
    done = rlbench("replay", "run", "--trial", "a2c/CartPole-v1/0")
    assert done.returncode == 0, done.stderr
    assert "the stored weights are damaged or missing, so the trial is trained again" in done.stderr
    assert "as stored" in done.stdout


def test_an_episode_that_is_not_as_stored_is_said_with_what_changed_and_has_no_picture(rlbench, results):
    trial = trial_of(results, "a2c", 1)
    table = pyarrow.parquet.read_table(trial / "evaluations.parquet")
    more = pyarrow.compute.add(table["episode_return"], 1.0)
    sink = io.BytesIO()
    changed = table.set_column(table.column_names.index("episode_return"), "episode_return", more)
    pyarrow.parquet.write_table(changed, sink)
    (trial / "evaluations.parquet").write_bytes(sink.getvalue())
    status = open_sealed((trial / "status.json").read_bytes())
    status["files"]["evaluations.parquet"] = hashlib.sha256(sink.getvalue()).hexdigest()
    (trial / "status.json").write_bytes(readable_json(seal(status)))
    timing = open_sealed((trial / "timing.json").read_bytes())
    (trial / "timing.json").write_bytes(readable_json(seal({**timing, "processor": "Pentium"})))
    done = rlbench("replay", "run", "--trial", "a2c/CartPole-v1/1")
    assert done.returncode == 1, done.stderr
    assert ", but stored is return " in done.stdout
    assert "not as it was then: processor Pentium -> " in done.stdout
    assert "picture" not in done.stdout
    assert not (results / "videos").exists()


def test_code_that_only_the_results_name_is_not_imported(rlbench, results, tmp_path):
    mark = tmp_path / "imported"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    folder = trial_of(results, "random", 0)
    document = {**json.loads((folder / "trial.json").read_text()), "env": "evil:CartPole-v1"}
    moved = results / "trials" / "random" / "evil%3ACartPole-v1" / f"seed-0-{content_hash(document)}"
    moved.parent.mkdir()
    folder.rename(moved)
    (moved / "trial.json").write_bytes(readable_json(document))
    done = rlbench("replay", "run", "--trial", "random/evil:CartPole-v1/0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allow-import" in done.stderr
    assert not mark.exists()
    rlbench("replay", "run", "--trial", "random/evil:CartPole-v1/0", "--allow-import")
    assert mark.exists()


def test_what_cannot_be_replayed_is_one_line_with_nothing_written(rlbench, results):
    status = trial_of(results, "random", 1) / "status.json"
    document = {**open_sealed(status.read_bytes()), "status": "failed", "error": "ValueError"}
    status.write_bytes(readable_json(seal(document)))
    for arguments, message in (
        (["nowhere"], "there is no folder nowhere"),
        (["run"], "3 trials have ended; name one, e.g. --trial 'a2c/CartPole-v1/0'"),
        (["run", "--trial", "a2c"], "'a2c' is 2 trials; name one"),
        (["run", "--trial", "a2c/CartPool-v1/0"], "did you mean 'a2c/CartPole-v1/0'?"),
        (["run", "--trial", "random/CartPole-v1/1"], "is failed (ValueError), so no result is stored"),
        (["run", "--trial", "run/trials/a3c/CartPole-v1/"], "did you mean 'a2c/CartPole-v1'?"),
        (["run", "--trial", "a2c/CartPole-v1/0", "--episode", "3"], "has no episode 3; give one of 0 to 2"),
        (["run", "--trial", "a2c/CartPole-v1/0", "--out", "x.mp4"], "end it in .gif or .webp"),
        (["run", "--trial", "a2c/CartPole-v1/0", "--out", "no/x.gif"], "cannot write"),
        ([], "RESULTS/NAME"),
    ):
        done = rlbench("replay", *arguments)
        assert (done.returncode, done.stdout) == (3 if "no/x.gif" in arguments else 2, ""), arguments
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (results / "videos").exists()


def test_a_run_draws_the_median_trial_of_each_once_and_says_what_cannot_be_drawn(
    rlbench, distribution, tmp_path
):
    distribution("test-blind", {"test-blind": "blind_for_tests"}, {"blind_for_tests.py": BLIND})
    arguments = ("run", "--algos", "random", "--envs", "CartPole-v1,blind_for_tests:Blind-v0", "--out", "run")
    small = ("--seeds", "3", "--steps", "40", "--eval-points", "2", "--eval-episodes", "1", "--allow-import")
    page = tmp_path / "run" / "report" / "index.html"
    assert rlbench(*arguments, *small).returncode == 0
    assert 'id="episodes"' not in page.read_text(encoding="utf-8")
    done = rlbench(*arguments, *small, "--video")
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    said = " ".join(done.stdout.split())
    assert "random on blind_for_tests:Blind-v0, seed 0 cannot be drawn: its environment does not draw" in said
    (picture,) = tmp_path.glob("run/videos/*/*/*.webp")
    trials = package.load(tmp_path / "run").trials
    mine = trials[trials["env"] == "CartPole-v1"].sort_values(["score", "seed"])
    assert picture.name.startswith(f"seed-{mine['seed'].iloc[1]}-{mine['hash'].iloc[1]}-episode-0")
    assert page.read_text(encoding="utf-8").count('src="data:image/webp;base64,') == 1
    written = picture.stat().st_mtime_ns
    again = rlbench(*arguments, *small, env={"RLBENCH_VIDEO": "1"})
    assert again.returncode == 0, again.stderr
    assert picture.stat().st_mtime_ns == written
