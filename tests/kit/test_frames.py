"""Large observations in a replay: given back as they came, held once."""

import numpy as np
import pytest
import torch

from rlbench import api
from rlbench.kit import frames
from rlbench.kit.replay import Batch, Replay
from rlbench.running import checkpoint

FRAME = (24, 16)


def first_axis(planes):
    return np.stack(planes)


def last_axis(planes):
    return np.stack(planes, -1)


class Stream:
    """Episodes of random lengths of one sub-environment; a new frame every step, nearly always."""

    def __init__(self, seed, kind, stack=4):
        self.random = np.random.default_rng(seed)
        self.kind, self.stack = kind, stack
        self.reset()

    def frame(self):
        return self.random.integers(256, size=FRAME, dtype=np.uint8)

    def reset(self):
        self.planes = [self.frame()] * self.stack
        self.left = self.random.integers(1, 12)

    @property
    def obs(self):
        if self.kind == "whole":
            return self.planes[-1]
        if self.kind == "floats":
            return np.stack(self.planes).astype(np.float32) / 7
        return (last_axis if self.kind in ("last", "colours") else first_axis)(self.planes)

    def step(self):
        """Give an observation, the next one and whether the episode ends there."""
        before = self.obs
        draw = self.random.random()
        if self.kind in ("unshared", "colours"):  # nothing of the observation before comes again
            self.planes = [self.frame() for _ in self.planes]
        elif self.kind == "colour stack":  # every step brings three planes
            self.planes = self.planes[3:] + [self.frame() for _ in range(3)]
        elif draw < 0.1:
            pass  # nothing moves
        elif draw < 0.2:
            self.planes = [*self.planes[1:], self.planes[-1]]
        else:
            self.planes = [*self.planes[1:], self.frame()]
        after = self.obs
        self.left -= 1
        ends = self.left == 0
        if ends:
            self.reset()
        elif draw > 0.95 and self.kind == "first":  # a caller that breaks the chain
            self.planes[1] = self.frame()
        return before, after, ends


STACKS = {"first": 4, "last": 4, "whole": 1, "floats": 4, "unshared": 5, "colours": 3, "colour stack": 6}


class Cohort:
    """A replay and the streams that feed it; all that it was given is remembered."""

    def __init__(self, rngs, kind, seeds, n_envs, capacity=30, batch_size=40):
        self.kind, self.seeds = kind, seeds
        self.streams = [[Stream((seed, n), kind, STACKS[kind]) for n in range(n_envs)] for seed in seeds]
        self.shape = self.streams[0][0].obs.shape
        self.make = lambda: Replay(
            rngs(*seeds),
            capacity=capacity,
            n_envs=n_envs,
            obs_shape=self.shape,
            obs_dtype=torch.from_numpy(self.streams[0][0].obs).dtype,
            batch_size=batch_size,
            device="cpu",
            dtype=torch.float32,
        )
        self.replay = self.make()
        self.given = []

    def add(self, steps, *replays):
        for _ in range(steps):
            rows = [[stream.step() for stream in seed] for seed in self.streams]
            obs, next_obs, ends = (np.array([[row[i] for row in seed] for seed in rows]) for i in range(3))
            # An action says which row this is.
            action = np.broadcast_to(len(self.given), ends.shape)
            self.given.append((obs.copy(), next_obs.copy()))
            transition = api.Transition(obs, action, action / 2, next_obs, ends, ends)
            for replay in (self.replay, *replays):
                replay.add(transition, action * ends.shape[1] + np.arange(ends.shape[1]))
            obs[:], next_obs[:] = 0, 0  # the arrays are the caller's own

    def check(self, batch):
        n_envs = len(self.streams[0])
        for seed in range(len(self.seeds)):
            for row, action in enumerate(batch.action[seed].tolist()):
                obs, next_obs = self.given[action // n_envs]
                assert np.array_equal(batch.obs[seed, row].numpy(), obs[seed, action % n_envs])
                assert np.array_equal(batch.next_obs[seed, row].numpy(), next_obs[seed, action % n_envs])


def equal(one: Batch, other: Batch, seed=slice(None), of=slice(None)):
    return all(torch.equal(ours[seed], theirs[of]) for ours, theirs in zip(one, other, strict=True))


def plain(monkeypatch, make):
    with monkeypatch.context() as patch:
        patch.setattr(frames, "_LARGE", 1 << 40)
        return make()


@pytest.mark.parametrize("n_envs", [1, 3])
@pytest.mark.parametrize("kind", STACKS)
def test_batches_are_those_of_a_replay_that_copies_everything(rngs, monkeypatch, kind, n_envs):
    cohort = Cohort(rngs, kind, [0, 1], n_envs)
    copying = plain(monkeypatch, cohort.make)
    for _ in range(25):  # around the ring several times
        cohort.add(4, copying)
        batch = cohort.replay.sample()
        assert batch.obs.shape == (2, 40, *cohort.shape)
        assert batch.obs.is_contiguous()
        assert equal(batch, copying.sample())
        cohort.check(batch)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_compared_by_their_bytes(rngs, dtype):
    values = [0.0, -0.0, np.nan, np.inf]
    images = [np.full((4, 16, 16), value, dtype) for value in values]
    replay = Replay(
        rngs(0),
        capacity=4,
        n_envs=1,
        obs_shape=(4, 16, 16),
        obs_dtype=torch.from_numpy(images[0]).dtype,
        batch_size=64,
        device="cpu",
        dtype=torch.float32,
    )
    none = np.zeros((1, 1))
    for row in range(4):
        before, after = images[row][None, None], images[(row + 1) % 4][None, None]
        replay.add(api.Transition(before, none, none, after, none, none), np.full((1, 1), row))
    batch = replay.sample()
    assert set(batch.action[0].tolist()) == {0, 1, 2, 3}
    for row, action in enumerate(batch.action[0].tolist()):
        assert batch.obs[0, row].numpy().tobytes() == images[action].tobytes()
        assert batch.next_obs[0, row].numpy().tobytes() == images[(action + 1) % 4].tobytes()


@pytest.mark.parametrize("n_envs", [1, 3])
def test_a_seed_samples_and_keeps_the_same_in_any_cohort(rngs, n_envs):
    alone = Cohort(rngs, "first", [3], n_envs)
    together = Cohort(rngs, "first", [1, 3, 2], n_envs)
    for _ in range(20):
        alone.add(5)
        together.add(5)
        assert equal(alone.replay.sample(), together.replay.sample(), seed=0, of=1)
    ours = checkpoint.cut(alone.replay.state_dict(), 0)["frames"]
    theirs = checkpoint.cut(together.replay.state_dict(), 1)["frames"]
    assert ours["slots"].tobytes() == theirs["slots"].tobytes()
    assert ours["frames"].tobytes() == theirs["frames"].tobytes()


@pytest.mark.parametrize("steps", [7, 64])
@pytest.mark.parametrize("kind", ["first", "last", "unshared"])
def test_seeds_continue_in_other_cohorts_as_if_nothing_had_happened(rngs, tmp_path, kind, steps):
    first = Cohort(rngs, kind, [0, 1, 2], 2)
    first.add(steps)
    first.replay.sample()
    state = first.replay.state_dict()
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        checkpoint.write(tmp_path / str(seed), steps, checkpoint.cut(state, seed))
    first.add(40)
    expected = first.replay.sample()
    for chosen in ([0], [2, 1], [1, 2, 0]):
        then = Cohort(rngs, kind, chosen, 2)
        then.add(steps)  # brings the streams to where they stood
        resumed = then.make()
        states = [checkpoint.read(tmp_path / str(seed), steps) for seed in chosen]
        resumed.load_state_dict(checkpoint.join(states))
        then.add(40, resumed)
        batch = resumed.sample()
        for position, seed in enumerate(chosen):
            assert equal(batch, expected, seed=position, of=seed)


def held(replay):
    """Bytes in which the observations of all seeds are kept."""
    state = replay.state_dict()["frames"]
    return sum(each.nbytes for each in state["frames"]) + state["slots"].nbytes


@pytest.mark.parametrize("kind", ["first", "last"])
def test_a_frame_that_stacks_share_is_held_once(rngs, kind):
    seeds, capacity = 3, 200
    cohort = Cohort(rngs, kind, list(range(seeds)), 1, capacity=capacity)
    for (stream,) in cohort.streams:
        stream.left = 10**6
    cohort.add(3 * capacity)
    expected = seeds * capacity * np.prod(FRAME)
    assert held(cohort.replay) < 1.3 * expected
    for (stream,) in cohort.streams:
        stream.left = 1  # from now on episodes are short, and frames are still let go
    cohort.add(3 * capacity)
    assert held(cohort.replay) < 1.5 * expected


@pytest.mark.parametrize("kind", ["unshared", "colours"])
def test_images_that_share_nothing_are_held_once_as_a_whole(rngs, kind):
    cohort = Cohort(rngs, kind, [0], 1, capacity=100)
    cohort.streams[0][0].left = 10**6
    cohort.add(300)
    assert held(cohort.replay) < 1.2 * 100 * STACKS[kind] * np.prod(FRAME)


@pytest.mark.parametrize("kind", ["first", "unshared"])
def test_frames_find_room_where_memory_is_taken_at_once(rngs, monkeypatch, kind):
    """As on a device other than a CPU."""
    monkeypatch.setattr(frames.Frames, "_first_slots", lambda *_: 5)
    cohort = Cohort(rngs, kind, [0, 1], 2)
    for _ in range(10):
        cohort.add(7)
        cohort.check(cohort.replay.sample())
    resumed = cohort.make()
    resumed.load_state_dict(cohort.replay.state_dict())
    assert equal(resumed.sample(), cohort.replay.sample())
