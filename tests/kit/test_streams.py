"""Random streams that depend on the seed and the purpose alone."""

import numpy as np

from rlbench.kit.streams import Blocks, gumbel, normal, stream, uniform


def test_a_stream_does_not_depend_on_what_was_drawn_before(rngs):
    (fresh,), (used,) = rngs(3), rngs(3)
    used.random(100)
    stream(used, "something else").random(100)
    assert (stream(fresh, "replay").random(5) == stream(used, "replay").random(5)).all()


def test_streams_of_other_purposes_seeds_and_numbers_differ(rngs):
    one, other = rngs(3, 4)
    draws = [
        stream(one, "replay"),
        stream(one, "exploration"),
        stream(one, "replay", 0),
        stream(one, "replay", 1),
        stream(other, "replay"),
    ]
    assert len({generator.random() for generator in draws}) == 5


def test_a_seed_draws_the_same_in_any_cohort(rngs):
    alone = Blocks(rngs(3), "actions", normal, (2,), block=4)
    together = Blocks(rngs(1, 3, 5), "actions", normal, (2,), block=4)
    for _ in range(11):
        assert (alone.next()[0] == together.next()[1]).all()


def test_draws_are_contiguous_and_of_the_shape_asked_for(rngs):
    draws = Blocks(rngs(0, 1, 2), "actions", uniform, (4, 5), block=3).next()
    assert draws.shape == (3, 4, 5)
    assert draws.flags.c_contiguous


def test_the_position_is_the_whole_state(rngs):
    first = Blocks(rngs(0, 1), "actions", gumbel, (3,), block=4)
    for _ in range(10):
        first.next()
    second = Blocks(rngs(0, 1), "actions", gumbel, (3,), block=4)
    second.position = first.position
    for _ in range(6):
        assert (first.next() == second.next()).all()


def test_no_draw_comes_twice(rngs):
    blocks = Blocks(rngs(0, 1), "actions", uniform, (2,), block=3)
    draws = np.stack([blocks.next().copy() for _ in range(30)])
    assert len(np.unique(draws)) == draws.size


def test_gumbel_noise_samples_the_softmax(rngs):
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    samples = (logits + gumbel(rngs(0)[0], (50_000, 3))).argmax(-1)
    np.testing.assert_allclose(np.bincount(samples) / 50_000, [0.2, 0.5, 0.3], atol=0.01)
