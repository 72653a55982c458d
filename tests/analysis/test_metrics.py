"""The default score, by DESIGN's definition."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from rlbench.analysis.metrics import final
from rlbench.plugins import load_catalogue


def evaluations(points, episodes=2):
    return pd.DataFrame(
        [{"step": 10 * point, "episode_return": float(point)} for point in points for _ in range(episodes)]
    )


@pytest.mark.parametrize(
    ("points", "expected"),
    [(1, 1.0), (5, 5.0), (10, 10.0), (19, 19.0), (20, 19.5), (30, 29.0)],
)
def test_final_is_the_mean_of_the_last_tenth_and_at_least_the_last_point(points, expected):
    assert final(evaluations(range(1, points + 1))) == expected


def test_final_does_not_depend_on_the_order_of_rows():
    frame = evaluations(range(1, 21))
    assert final(frame.sample(frac=1, random_state=0)) == final(frame)


def test_a_solvers_single_point_at_step_0_is_its_score():
    assert final(evaluations([0])) == 0.0


def test_nan_shows_instead_of_leaving_the_average():
    frame = evaluations([1])
    frame.loc[0, "episode_return"] = math.nan
    assert math.isnan(final(frame))


def test_final_comes_through_the_hook():
    assert load_catalogue(external=False).metric("final").spec.higher_is_better
