"""The section on how fast learners learn."""

from __future__ import annotations

import re

from synthetic import write_results

import rlbench
from rlbench.reports.efficiency import efficiency


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_area_and_steps_to_the_threshold_stand_beside_each_other(results):
    section = efficiency(results)
    assert section is not None
    text = text_of(section.html)
    area = results.scores("auc").set_index(["algorithm", "env"])["mean"]
    steps = results.scores("steps-to-threshold").set_index(["algorithm", "env"])["mean"]
    assert "CartPole-v1 threshold 476.1" in text
    assert f"a2c {area['a2c', 'CartPole-v1']:.1f}" in text
    assert f"{steps['a2c', 'CartPole-v1']:,.0f}" in text
    assert "0 of 5" in text  # dqn's curve ends below the threshold, and two of its trials did not finish
    assert "value-iteration" not in text
    assert set(section.tables["efficiency"]["metric"]) == {"auc", "steps-to-threshold", "threshold-reached"}


def test_without_a_reference_there_is_no_threshold_and_the_area_stays(tmp_path):
    write_results(tmp_path, envs=("Unheard-v0",), seeds=2)
    section = efficiency(rlbench.load(tmp_path))
    assert section is not None
    assert re.search(r"Unheard-v0 dqn [\d.]+ ", text_of(section.html))
    assert "– – –" in text_of(section.html)


def test_solvers_alone_have_no_such_section(tmp_path):
    write_results(tmp_path, algorithms=("value-iteration",), envs=("FrozenLake-v1",), seeds=2)
    assert efficiency(rlbench.load(tmp_path)) is None
