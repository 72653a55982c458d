"""Options: their forms, their precedence, and what is said about bad ones."""

from __future__ import annotations

import pytest

from rlbench.api import UsageError
from rlbench.running.options import resolve_options


def options(given=None, environ=None, config=None):
    return resolve_options(given or {}, environ=environ or {}, config=config)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("5", (0, 1, 2, 3, 4)),
        ("3,8", (3, 8)),
        ("3,", (3,)),
        ("3:8", (3, 4, 5, 6, 7)),
        (3, (0, 1, 2)),
        ([7, 5, 7], (7, 5)),
    ],
)
def test_seeds_are_a_count_a_list_or_a_range(text, seeds):
    assert options({"seeds": text}).seeds == seeds


@pytest.mark.parametrize("text", ["0", "-1", "4:4", "", "many", "1.5", "-3,", "1:2:3", True])
def test_no_seed_or_nonsense_is_an_error_that_shows_the_forms(text):
    with pytest.raises(UsageError, match=r"a range \(3:8\)|0 to 4294967295"):
        options({"seeds": text})


@pytest.mark.parametrize("name", ["steps", "jobs", "eval_points", "eval_episodes", "max_episode_steps"])
@pytest.mark.parametrize("value", ["0", "-5", "1.5", "lots", True, 2**40])
def test_counts_are_whole_and_positive(name, value):
    with pytest.raises(UsageError, match="--" + name.replace("_", "-")):
        options({name: value})


def test_an_algorithm_may_appear_several_times_under_labels():
    assert options({"algos": "dqn, big=dqn"}).algos == {"dqn": "dqn", "big": "dqn"}
    assert options({"algos": ["dqn", "big=dqn"]}).algos == {"dqn": "dqn", "big": "dqn"}
    assert options({"algos": {"big": "dqn"}}).algos == {"big": "dqn"}


def test_a_label_used_twice_is_an_error():
    with pytest.raises(UsageError, match="used twice"):
        options({"algos": "dqn,dqn"})


def test_command_line_wins_over_environment_over_file_over_default(tmp_path):
    file = tmp_path / "experiment.toml"
    file.write_text(
        """
        algos = ["dqn"]
        steps = 10
        eval-points = 3
        jobs = 1
        [set.dqn]
        gamma = 0.5
        tau = 0.5
        learning_rate = 0.5
        [env-set."CartPole-v1"]
        sutton_barto_reward = true
        """
    )
    environ = {"RLBENCH_STEPS": "20", "RLBENCH_JOBS": "2", "RLBENCH_SET": "dqn.gamma=0.6; dqn.tau=0.6"}
    found = options({"steps": 30, "settings": ["dqn.gamma=0.7"]}, environ, file)
    assert (found.steps, found.jobs, found.eval_points, found.eval_episodes) == (30, 2, 3, 5)
    assert found.settings == {"dqn": {"gamma": 0.7, "tau": 0.6, "learning_rate": 0.5}}
    assert found.env_settings == {"CartPole-v1": {"sutton_barto_reward": True}}
    origins = {name: origin.split()[0] for name, origin in found.origins.items()}
    assert origins["steps"] == "argument"
    assert origins["jobs"] == "environment"
    assert origins["eval_points"] == "file"
    assert "eval_episodes" not in origins
    assert [origins[f"set.dqn.{key}"] for key in ("gamma", "tau", "learning_rate")] == [
        "argument",
        "environment",
        "file",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("huber", "huber"),
        ('"huber"', "huber"),
        ("[64, 64]", [64, 64]),
        ("a=b", "a=b"),
    ],
)
def test_a_setting_is_a_toml_value_or_a_bare_word(text, value):
    assert options({"settings": [f"my.label.key={text}"]}).settings == {"my.label": {"key": value}}


@pytest.mark.parametrize(
    "content", ["set = 3", "algos = 3", "envs = 3", "trackers = [1]", "out = 5", "steps = inf", "seeds = 1.5"]
)
def test_a_value_of_the_wrong_type_in_a_file_is_an_error(tmp_path, content):
    file = tmp_path / "experiment.toml"
    file.write_text(content)
    with pytest.raises(UsageError):
        options(config=file)


@pytest.mark.parametrize("text", ["gamma=1", "dqn.gamma", "=1", "dqn.=1", ".gamma=1"])
def test_a_setting_of_another_form_is_an_error(text):
    with pytest.raises(UsageError, match=r"LABEL\.KEY=VALUE"):
        options({"settings": [text]})


def test_an_unknown_key_in_a_file_names_the_nearest(tmp_path):
    file = tmp_path / "experiment.toml"
    file.write_text("seed = 3")
    with pytest.raises(UsageError, match="did you mean 'seeds'"):
        options(config=file)


def test_a_file_that_is_missing_or_broken_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        options(config=tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("seeds = ")
    with pytest.raises(UsageError, match="not valid TOML"):
        options(config=tmp_path / "broken.toml")
