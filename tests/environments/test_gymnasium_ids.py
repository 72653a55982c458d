import gymnasium
import pytest

from rlbench.environments import gymnasium_ids


@pytest.fixture(autouse=True)
def registry():
    """Let a test register environments, and forget them afterwards."""
    before = dict(gymnasium.registry)
    yield gymnasium.registry
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def describe(env_id, **kwargs):
    return gymnasium_ids.describe(env_id, kwargs)


def test_a_description_holds_spaces_limit_and_model():
    lake, pole = describe("FrozenLake-v1"), describe("CartPole-v1")
    assert (lake.observation_space.n, lake.action_space.n, lake.max_episode_steps) == (16, 4, 100)
    assert lake.mdp.rewards.shape == (16, 4)
    assert (pole.observation_space.shape, pole.max_episode_steps, pole.mdp) == ((4,), 500, None)
    assert describe("CliffWalking-v1").max_episode_steps is None


def test_keyword_arguments_reach_the_environment():
    assert describe("FrozenLake-v1", map_name="8x8").observation_space.n == 64
    env = gymnasium_ids.make_single("FrozenLake-v1", {"is_slippery": False}, 10)
    env.reset(seed=0)
    assert env.step(2)[0] == 1


@pytest.mark.parametrize("limit", [7, 700])
def test_the_time_limit_given_replaces_the_environments_own(limit):
    env = gymnasium_ids.make_single("Pendulum-v1", {}, limit)  # its own limit is 200
    env.reset(seed=0)
    truncated = [env.step([0.0])[3] for _ in range(limit)]
    assert truncated == [False] * (limit - 1) + [True]


@pytest.mark.parametrize(
    ("env_id", "cure"),
    [
        ("CartPol-v1", "did you mean 'CartPole-v1'?"),
        ("cartpole-v1", "did you mean 'CartPole-v1'?"),
        ("CartPole-v9", "there is CartPole-v0, CartPole-v1"),
        ("CartPole", "there is CartPole-v0, CartPole-v1"),
        ("Pendulum-v0", "there is Pendulum-v1"),
        ("no such/thing here", "known: "),
    ],
)
def test_an_unknown_id_names_the_nearest_known_one(env_id, cure):
    with pytest.raises(LookupError) as caught:
        describe(env_id)
    assert str(caught.value).startswith(f"unknown environment {env_id!r}; ")
    assert cure in str(caught.value)


def test_an_outdated_version_runs_with_a_warning():
    with pytest.warns(UserWarning, match="CartPole-v0 is out of date: the latest version is v1"):
        assert describe("CartPole-v0").max_episode_steps == 200


@pytest.mark.parametrize(
    ("kwargs", "cause"),
    [
        ({"is_slipery": False}, "no argument 'is_slipery'; did you mean 'is_slippery'?"),
        ({"max_episode_steps": 5}, "no argument 'max_episode_steps' here; .*--max-episode-steps"),
        ({"map_name": "9x9"}, "cannot be made; KeyError: '9x9'"),
    ],
)
def test_bad_arguments_are_named(kwargs, cause):
    with pytest.raises(ValueError, match=cause):
        describe("FrozenLake-v1", **kwargs)


def needs_box(**kwargs):
    raise gymnasium.error.DependencyNotInstalled('Box is not installed, run `pip install "box"`')


def needs_import(**kwargs):
    import a_module_that_is_not_there  # noqa: F401 - that is the point


def broken(**kwargs):
    raise ZeroDivisionError("two\nlines")


def leaving(**kwargs):
    raise SystemExit("no licence")


@pytest.mark.parametrize(
    ("entry_point", "cause"),
    [
        (needs_box, 'pip install "box"'),
        (needs_import, "install the package that provides 'a_module_that_is_not_there'"),
        (leaving, "Faulty-v0 cannot be made; SystemExit: no licence$"),
        (broken, "Faulty-v0 cannot be made; ZeroDivisionError: two lines$"),
    ],
)
def test_an_environment_that_cannot_be_made_says_why_in_one_line(entry_point, cause):
    gymnasium.register("Faulty-v0", entry_point)
    with pytest.raises(ValueError, match=cause) as caught:
        describe("Faulty-v0")
    assert "\n" not in str(caught.value)


def test_atari_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install \"gymnasium\[atari\]\""):
        describe("ALE/NoSuchGame-v5")


def test_an_id_with_a_module_imports_it(tmp_path, monkeypatch):
    (tmp_path / "lakes_for_a_test.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('Lake-v0', 'gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv',\n"
        "                   max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert describe("lakes_for_a_test:Lake-v0").max_episode_steps == 9
    with pytest.raises(ValueError, match="importing 'no_such_lakes' failed: ModuleNotFoundError"):
        describe("no_such_lakes:Lake-v0")


def test_names_are_the_registered_ids(registry):
    assert gymnasium_ids.names() == sorted(registry)
