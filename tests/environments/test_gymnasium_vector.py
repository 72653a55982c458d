import os

import gymnasium
import numpy as np
import pytest

from rlbench.environments.gymnasium_ids import make_single
from rlbench.environments.gymnasium_vector import make_async, make_sync

BACKENDS = pytest.mark.parametrize("make", [make_sync, make_async])


@pytest.fixture
def vectors():
    """Make vectors that are closed after the test."""
    made = []

    def make_and_keep(make, env_id, count, limit=500, **kwargs):
        made.append(make(env_id, kwargs, list(range(count)), limit))
        return made[-1]

    yield make_and_keep
    for vector in made:
        vector.close()


def rollout(vector, env_id, count, steps):
    """Run random actions, restarting with fresh seeds; give each finished or running episode by its seed."""
    space = make_single(env_id, {}, 500).action_space
    space.seed(1)
    rng = np.random.default_rng(2)
    seeds = rng.integers(2**62, size=count).tolist()
    obs = vector.reset(np.ones(count, bool), seeds)
    episodes = {seed: [(obs[row],)] for row, seed in enumerate(seeds)}
    for _ in range(steps):
        actions = np.stack([space.sample() for _ in range(count)])
        obs, reward, terminated, truncated = vector.step(actions)
        for row, seed in enumerate(seeds):
            episodes[seed].append(
                (actions[row], obs[row], reward[row], bool(terminated[row]), bool(truncated[row]))
            )
        done = terminated | truncated
        if done.any():
            fresh = rng.integers(2**62, size=int(done.sum())).tolist()
            obs = vector.reset(done, fresh)
            for row, seed in zip(np.flatnonzero(done), fresh, strict=True):
                seeds[row] = seed
                episodes[seed] = [(obs[row],)]
    return episodes


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "FrozenLake-v1", "Taxi-v4", "Pendulum-v1", "MountainCarContinuous-v0"]
)
def test_an_episode_replayed_alone_from_its_seed_and_actions_is_the_same(vectors, env_id):
    episodes = rollout(vectors(make_sync, env_id, 3), env_id, 3, 250)
    assert len(episodes) >= 3
    for seed, ((first,), *rows) in episodes.items():
        env = make_single(env_id, {}, 500)
        np.testing.assert_array_equal(env.reset(seed=seed)[0], first)
        for action, *expected in rows:
            obs, reward, terminated, truncated, _ = env.step(action)
            for got, want in zip((obs, reward, terminated, truncated), expected, strict=True):
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "FrozenLake-v1", "Pendulum-v1"])
def test_processes_change_nothing(vectors, env_id):
    here = rollout(vectors(make_sync, env_id, 2), env_id, 2, 60)
    there = rollout(vectors(make_async, env_id, 2), env_id, 2, 60)
    assert list(here) == list(there)
    for seed in here:
        for row, other in zip(here[seed], there[seed], strict=True):
            for got, want in zip(row, other, strict=True):
                np.testing.assert_array_equal(got, want)


@BACKENDS
def test_a_finished_sub_environment_idles_and_its_companions_go_on(vectors, make):
    lake = vectors(make, "FrozenLake-v1", 2, is_slippery=False)
    alone = vectors(make_sync, "FrozenLake-v1", 1, is_slippery=False)
    lake.reset(np.array([True, True]), [1, 2])
    alone.reset(np.array([True]), [2])
    down, right, up = 1, 2, 3
    ended = []
    for action, other in [(down, right), (right, up), (right, up), (right, up), (down, right), (down, right)]:
        obs, reward, terminated, truncated = lake.step(np.array([action, other]))
        expected = [array[0] for array in alone.step(np.array([other]))]
        assert [obs[1], reward[1], terminated[1], truncated[1]] == expected
        ended.append(bool(terminated[0]))
        if len(ended) > 2:
            assert (obs[0], reward[0], truncated[0]) == (5, 0.0, False)
    assert ended == [False, True, False, False, False, False]  # state 5 is a hole
    obs = lake.reset(np.array([True, False]), [3])
    assert obs.tolist() == [0, 3]
    assert lake.step(np.array([right, right]))[0].tolist() == [1, 3]


@BACKENDS
def test_a_sub_environment_that_was_never_started_idles(vectors, make):
    vector = vectors(make, "CartPole-v1", 2)
    obs = vector.reset(np.array([False, True]), [5])
    assert not obs[0].any()
    obs, _, terminated, _ = vector.step(np.array([0, 0]))
    assert obs[1].any()
    assert not obs[0].any()
    assert not terminated.any()


@BACKENDS
def test_arrays_belong_to_the_caller(vectors, make):
    vector = vectors(make, "CartPole-v1", 2)
    first = vector.reset(np.ones(2, bool), [1, 2])
    arrays = [first, *vector.step(np.array([0, 1]))]
    copies = [array.copy() for array in arrays]
    vector.step(np.array([1, 1]))
    vector.reset(np.ones(2, bool), [3, 4])
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
        array[:] = 0
    assert vector.reset(np.zeros(2, bool), []).any()


def test_shapes_and_types(vectors):
    pole, lake = vectors(make_sync, "CartPole-v1", 3), vectors(make_sync, "FrozenLake-v1", 3)
    assert pole.reset(np.ones(3, bool), [1, 2, 3]).dtype == np.float32
    assert lake.reset(np.ones(3, bool), [1, 2, 3]).shape == (3,)
    obs, reward, terminated, truncated = pole.step(np.zeros(3, np.int64))
    assert obs.shape == (3, 4)
    assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)


def test_the_time_limit_truncates(vectors):
    vector = vectors(make_sync, "CliffWalking-v1", 1, limit=3)
    vector.reset(np.ones(1, bool), [1])
    flags = [vector.step(np.array([0]))[2:] for _ in range(3)]
    assert [(bool(terminated[0]), bool(truncated[0])) for terminated, truncated in flags] == [
        (False, False),
        (False, False),
        (False, True),
    ]


def test_a_mask_and_seeds_that_do_not_fit_are_refused(vectors):
    vector = vectors(make_sync, "CartPole-v1", 2)
    with pytest.raises(ValueError, match="do not fit 2 sub-environments"):
        vector.reset(np.ones(2, bool), [1])
    with pytest.raises(ValueError, match="do not fit 2 sub-environments"):
        vector.reset(np.ones(3, bool), [1, 2, 3])


class Camera(gymnasium.Env):
    """Shows the number of its steps, in one buffer that it uses again and again."""

    observation_space = gymnasium.spaces.Box(0, 255, (2, 3, 1), np.uint8)
    action_space = gymnasium.spaces.Box(-1, 1, (2,))

    def reset(self, *, seed=None, options=None):
        self.picture = np.zeros((2, 3, 1), np.uint8)
        return self.picture, {}

    def step(self, action):
        self.picture += 1
        return self.picture, float(action.sum()), bool(self.picture[0, 0, 0] == 3), False, {"info": self}


@BACKENDS
def test_pictures_come_through_unchanged(vectors, make):
    gymnasium.register("Camera-v0", Camera)
    try:
        vector = vectors(make, "Camera-v0", 2)
        seen = [vector.reset(np.ones(2, bool), [1, 2])]
        for _ in range(3):
            obs, reward, terminated, _ = vector.step(np.array([[0.5, 0.25], [0, -1]], np.float32))
            assert reward.tolist() == [0.75, -1.0]
            seen.append(obs)
        assert terminated.all()
        seen.append(vector.reset(np.array([False, True]), [3]))
    finally:
        del gymnasium.registry["Camera-v0"]
    assert all(obs.dtype == np.uint8 and obs.shape == (2, 2, 3, 1) for obs in seen)
    assert [obs[0, 0, 0, 0] for obs in seen] == [0, 1, 2, 3, 3]
    assert [obs[1, 1, 2, 0] for obs in seen] == [0, 1, 2, 3, 0]


class Faulty(gymnasium.Env):
    """Raises for action 1 and takes its process down for action 2."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        if action == 1:
            raise ZeroDivisionError("a fault of the environment")
        if action == 2:
            os._exit(1)
        return 1, 0.0, False, False, {}


@pytest.fixture
def faulty():
    gymnasium.register("Faulty-v0", Faulty)
    yield "Faulty-v0"
    del gymnasium.registry["Faulty-v0"]


@BACKENDS
@pytest.mark.filterwarnings("ignore::UserWarning")  # gymnasium reports the worker's traceback as a warning
def test_what_an_environment_raises_comes_through(vectors, faulty, make):
    vector = vectors(make, faulty, 2)
    vector.reset(np.ones(2, bool), [1, 2])
    with pytest.raises(ZeroDivisionError, match="a fault of the environment"):
        vector.step(np.array([0, 1]))
    vector.close()


def test_a_dead_process_is_an_error_and_the_rest_can_be_closed(vectors, faulty):
    vector = vectors(make_async, faulty, 2)
    vector.reset(np.ones(2, bool), [1, 2])
    with pytest.raises(RuntimeError, match="the process of a sub-environment died"):
        vector.step(np.array([0, 2]))
    vector.close()


class Careless(gymnasium.Env):
    """Gives whatever observation it is told to."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    gives = None

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return self.gives, 0.0, False, False, {}


@pytest.fixture
def careless(monkeypatch):
    gymnasium.register("Careless-v0", Careless)
    yield lambda obs: monkeypatch.setattr(Careless, "gives", obs)
    del gymnasium.registry["Careless-v0"]


@pytest.mark.parametrize(
    ("obs", "words"),
    [
        (np.zeros(3, np.float32), "gave one of shape (3,) and type float32"),
        (np.zeros((2, 1), np.float32), "gave one of shape (2, 1) and type float32"),
        (np.float32(0), "gave one of shape () and type float32"),
        (np.zeros(2, complex), "gave one of shape (2,) and type complex128"),
        (np.array(["a", "b"]), "gave one of shape (2,) and type <U1"),
        (None, "gave one of shape () and type object"),
        ([[1.0], [1.0, 2.0]], "gave one that is no array: [[1.0], [1.0, 2.0]]"),
    ],
)
@BACKENDS
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_observations_that_do_not_fit_their_space_are_named(vectors, careless, make, obs, words):
    careless(obs)
    vector = vectors(make, "Careless-v0", 2)
    vector.reset(np.ones(2, bool), [1, 2])
    with pytest.raises(
        ValueError, match=r"Careless-v0 declares .* of shape \(2,\) and type float32"
    ) as caught:
        vector.step(np.array([0, 0]))
    assert words in str(caught.value)


@pytest.mark.parametrize("obs", [np.array([0.5, -0.5]), np.array([1, 0]), [0.5, -0.5], (1, 0)])
def test_a_wider_type_of_the_same_kind_fits(vectors, careless, obs):
    careless(obs)
    vector = vectors(make_sync, "Careless-v0", 2)
    vector.reset(np.ones(2, bool), [1, 2])
    for _ in range(2):
        seen = vector.step(np.array([0, 0]))[0]
        assert seen.dtype == np.float32
        assert seen.tolist() == [list(obs)] * 2
