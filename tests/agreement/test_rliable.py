"""Agreement with rliable 1.2.0. Run by ``tox -e rliable``, which has the pandas and arch that it needs."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from rliable import library, metrics

from rlbench.analysis import aggregates
from rlbench.analysis.aggregates import Runs, bootstrap, probability_of_improvement, profile, resampled

THEIRS, OURS = 20_000, 100_000  # resamples
SHAPES = [(3, 4), (5, 26), (10, 5), (7, 1), (1, 6), (2, 2)]
THRESHOLDS = np.linspace(-0.2, 2.5, 28)
REFERENCE = {
    "iqm": metrics.aggregate_iqm,
    "mean": metrics.aggregate_mean,
    "median": metrics.aggregate_median,
    "optimality_gap": metrics.aggregate_optimality_gap,
}


def published() -> dict[str, np.ndarray]:
    """Read the published scores of single runs, normalised: ``[runs, games]`` by algorithm."""
    data = json.loads(Path(__file__).with_name("atari_100k.json").read_text(encoding="utf-8"))
    random, human = (np.array(data[name]) for name in ("random", "human"))
    return {name: (np.array(runs) - random) / (human - random) for name, runs in data["runs"].items()}


def drawn() -> dict[str, np.ndarray]:
    """Draw matrices of several shapes: normal and skewed, with ties in every second one."""
    found = {}
    for index, (runs, environments) in enumerate(SHAPES):
        rng = np.random.default_rng(index)
        scores = rng.normal(0.6, 0.5, (runs, environments)) + rng.exponential(0.3, (runs, environments))
        found[f"{runs}x{environments}"] = scores.round(1) if index % 2 else scores
    return found


MATRICES = {**drawn(), **published()}
PAIRS = [("3x4", "3x4"), ("10x5", "10x5"), ("IRIS", "SimPLe"), ("IRIS", "SPR"), ("DIAMOND", "IRIS")]


def ours(scores: np.ndarray) -> Runs:
    return Runs.of(list(scores.T))


def other_than(scores: np.ndarray) -> np.ndarray:
    """Give other runs of the same environments, two more, of which some tie."""
    return np.concatenate([scores[::-1], scores[:2] + 0.1])


def pair(names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    first, second = (MATRICES[name] for name in names)
    return first, other_than(second) if names[0] == names[1] else second


def check_ends(theirs, statistic, *samples: Runs, reps: int = THEIRS) -> None:
    """Check that their ends lie where Monte-Carlo error allows, four standard errors either way of ours.

    An end is the p-quantile of R resampled values. The share of values below the true quantile has the
    standard error sqrt(p (1 - p) / R), so that end lies between the quantiles at p plus and minus as much,
    whatever the density; the errors of both sides add up in squares.
    """
    found = resampled(statistic, *samples, resamples=OURS)
    assert np.array(bootstrap(statistic, *samples, resamples=OURS)) == pytest.approx(
        np.quantile(found, [0.025, 0.975], axis=0)
    )
    slack = 4 * np.sqrt(0.025 * 0.975 * (1 / reps + 1 / OURS))
    for end, p in zip(theirs, (0.025, 0.975), strict=True):
        least, most = np.quantile(found, [p - slack, p + slack], axis=0)
        assert (least - 1e-12 <= end).all()
        assert (end <= most + 1e-12).all()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Seed what rliable draws from, whatever ``random_state`` it is given."""
    np.random.seed(0)  # noqa: NPY002


def test_this_is_the_version_that_is_meant():
    assert version("rliable") == "1.2.0"


@pytest.mark.parametrize("name", MATRICES)
def test_point_estimates(name):
    scores = MATRICES[name]
    for statistic, reference in REFERENCE.items():
        found = aggregates.STATISTICS[statistic](ours(scores))
        assert found == pytest.approx(reference(scores), rel=0, abs=1e-12), statistic


@pytest.mark.parametrize("name", MATRICES)
def test_performance_profiles(name):
    scores = MATRICES[name]
    thresholds = np.union1d(THRESHOLDS, scores[0])  # and exactly at some scores
    expected = library.score_distributions(scores, thresholds)
    assert profile(thresholds)(ours(scores)) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_probability_of_improvement(names):
    first, second = pair(names)
    for one, other in ((first, second), (second, first)):
        expected = metrics.probability_of_improvement(one, other)
        assert probability_of_improvement(ours(one), ours(other)) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("name", ["3x4", "10x5", "5x26", "IRIS", "DIAMOND", "SimPLe", "SPR"])
def test_interval_ends_of_aggregates(name):
    scores = MATRICES[name]
    _, ends = library.get_interval_estimates(
        {"a": scores}, lambda x: np.array([reference(x) for reference in REFERENCE.values()]), reps=THEIRS
    )
    assert list(REFERENCE) == list(aggregates.STATISTICS)
    check_ends(ends["a"], aggregates.every_statistic, ours(scores))


@pytest.mark.parametrize("name", ["10x5", "IRIS"])
def test_interval_ends_of_profiles(name):
    scores = MATRICES[name]
    _, ends = library.create_performance_profile({"a": scores}, THRESHOLDS, reps=THEIRS)
    check_ends(ends["a"], profile(THRESHOLDS), ours(scores))


@pytest.mark.parametrize("names", [("10x5", "10x5"), ("DIAMOND", "IRIS")], ids="-".join)
def test_interval_ends_of_probabilities_of_improvement(names):
    first, second = pair(names)
    reps = 2_000  # each takes 26 Mann-Whitney tests of scipy
    _, ends = library.get_interval_estimates(
        {"a": [first, second]}, lambda x, y: np.array([metrics.probability_of_improvement(x, y)]), reps=reps
    )
    check_ends(ends["a"][:, 0], probability_of_improvement, ours(first), ours(second), reps=reps)
