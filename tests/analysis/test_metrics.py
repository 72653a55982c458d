"""The built-in scores, by their definitions."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from synthetic import identity, write_results, write_trial

import rlbench
from rlbench.analysis.metrics import area_under_curve, final, steps_to_threshold, threshold_reached
from rlbench.api import ReferenceSpec, ScoreContext
from rlbench.plugins import load_catalogue

SCALE = ReferenceSpec("E", random=100.0, reference=200.0, max_episode_steps=10, source="made up")


def evaluations(points, episodes=2):
    return pd.DataFrame(
        [{"step": 10 * point, "episode_return": float(point)} for point in points for _ in range(episodes)]
    )


def curve(returns):
    """Give evaluations at the given steps, two episodes each around their mean."""
    rows = [
        {"step": step, "episode_return": mean + off} for step, mean in returns.items() for off in (-50, 50)
    ]
    return pd.DataFrame(rows)


def context(steps=1000, kind="agent", reference=SCALE):
    return ScoreContext(trial={"steps": steps, "kind": kind}, reference=reference)


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
    assert area_under_curve(curve({0: 7.0})) == 7.0


@pytest.mark.parametrize("metric", [final, area_under_curve])
def test_nan_shows_instead_of_leaving_the_average(metric):
    frame = evaluations([1])
    frame.loc[0, "episode_return"] = math.nan
    assert math.isnan(metric(frame))


def test_the_area_is_of_the_trapezoids_between_evaluations_per_step():
    # 10 to 20: mean 1; 20 to 40, twice as long: mean 4. So (1 * 10 + 4 * 20) / 30.
    assert area_under_curve(curve({10: 0.0, 20: 2.0, 40: 6.0})) == pytest.approx(3.0)
    assert area_under_curve(curve({40: 6.0, 10: 0.0, 20: 2.0})) == pytest.approx(3.0)


def test_of_two_curves_with_one_end_the_faster_has_the_larger_area():
    slow, fast = curve({10: 0.0, 20: 0.0, 30: 9.0}), curve({10: 0.0, 20: 9.0, 30: 9.0})
    assert final(slow) == final(fast)
    assert area_under_curve(fast) > area_under_curve(slow)


def test_the_threshold_is_95_percent_of_the_way_and_the_first_evaluation_there_counts():
    learned = curve({100: 120.0, 200: 194.9, 300: 195.0, 400: 110.0, 500: 199.0})
    assert steps_to_threshold(learned, context()) == 300
    assert threshold_reached(learned, context()) == 1


def test_a_trial_that_never_gets_there_counts_with_its_whole_budget():
    never = curve({100: 120.0, 200: 150.0})
    assert steps_to_threshold(never, context(steps=205)) == 205
    assert threshold_reached(never, context()) == 0


def test_the_way_can_lead_downwards():
    costs = ReferenceSpec("E", random=200.0, reference=100.0, max_episode_steps=10, source="made up")
    assert steps_to_threshold(curve({100: 150.0, 200: 104.0}), context(reference=costs)) == 200


@pytest.mark.parametrize("missing", [context(reference=None), context(kind="solver")])
@pytest.mark.parametrize("metric", [steps_to_threshold, threshold_reached])
def test_without_a_reference_or_steps_there_is_no_threshold(metric, missing):
    assert math.isnan(metric(curve({100: 200.0}), missing))


def test_the_metrics_come_through_the_hook():
    catalogue = load_catalogue(external=False)
    better = {name: entry.spec.higher_is_better for name, entry in catalogue.metrics.items()}
    assert better == {"final": True, "auc": True, "steps-to-threshold": False, "threshold-reached": True}


def test_results_give_steps_to_threshold_to_learners_with_a_reference(tmp_path):
    store = write_results(tmp_path, seeds=3)
    write_trial(store, identity("a2c", "Unheard-v0"))
    results = rlbench.load(tmp_path)
    table = results.scores("steps-to-threshold").set_index(["algorithm", "env"])
    assert table.loc[("a2c", "Unheard-v0"), ["n", "of"]].tolist() == [0, 1]
    assert table.loc[("dqn", "CartPole-v1"), "mean"] == 50_000  # its synthetic curve ends at 402
    assert results.scores("threshold-reached")["mean"].tolist() == pytest.approx(
        [1, math.nan, 0], nan_ok=True
    )
    (pair,) = results.comparisons("steps-to-threshold").to_dict("records")
    assert (pair["first"], pair["superiority"]) == ("a2c", 1.0)
    assert pair["difference"] < 0


def test_a_metric_of_a_plugin_can_ask_for_the_trial_and_its_reference(tmp_path, distribution):
    text = """
        from rlbench.api import MetricSpec
        from rlbench.hookspecs import hookimpl

        def normalised_best(evaluations, context):
            best = evaluations["episode_return"].max() + context.trial["seed"]
            return context.reference.normalise(best)

        @hookimpl
        def rlbench_metrics():
            yield MetricSpec("normalised-best", normalised_best, needs_context=True)
            yield MetricSpec("episodes", len)
    """
    distribution("rlbench-mine", {"mine": "mine_metrics"}, {"mine_metrics.py": text})
    write_results(tmp_path / "run", algorithms=("dqn",), seeds=2)
    results = rlbench.load(tmp_path / "run")
    best = results.evaluations.groupby("seed")["episode_return"].max()
    expected = (best + best.index - 22.2) / (500 - 22.2)
    assert results.scores("normalised-best")["mean"].tolist() == pytest.approx([expected.mean()])
    assert results.scores("episodes")["mean"].tolist() == [100]
