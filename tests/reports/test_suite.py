"""The sections over environments and of exact gaps: when they are there, and what they say."""

from __future__ import annotations

import itertools
import json
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from synthetic import identity, write_decisions, write_results, write_trial

import rlbench
from rlbench.analysis.references import references
from rlbench.api import UsageError
from rlbench.reports import suite_figures as figures
from rlbench.reports.sections import answer, comparisons
from rlbench.reports.style import figure_style, looks
from rlbench.reports.suite import gaps, suite

ENVS = ("Acrobot-v1", "CartPole-v1")
HOSTILE = ("_hidden", "$\\frac{$", "<img src=x onerror=alert(1)>", "a" * 90)

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")


def text(section):
    return " ".join(re.sub(r"<[^>]*>", " ", section.html).split())


def loaded(root, **how):
    write_results(root, **{"envs": ENVS, "seeds": 3, **how})
    return rlbench.load(root)


def write_exact(root, algorithms=("q",), env="FrozenLake-v1", seeds=3, limit=100):
    """Write learners and a solver whose exact values are known at each evaluation."""
    store = write_results(root, algorithms=(), envs=())
    for label in algorithms:
        for seed in range(seeds):
            trial = identity(label, env, seed, max_episode_steps=limit)
            points = 1 if trial.kind == "solver" else 4
            steps = [trial.steps * point // points for point in range(1, points + 1)]
            writer = store.begin(trial)
            writer.append(
                "evaluations",
                {
                    "step": steps,
                    "actual_step": steps,
                    "episode": [0] * points,
                    "episode_return": [1.0] * points,
                    "episode_length": [9] * points,
                    "exact_value": [(0.5 + 0.02 * seed) * (point + 1) / points for point in range(points)],
                },
            )
            writer.finish("finished", step=trial.steps, weights=b"w", timing={"attempts": 1}, error=None)
    return rlbench.load(root)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two learners on two environments with references."""
    return loaded(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def section(two):
    return suite(two)


def test_two_environments_give_every_statistic_figure_and_table(section):
    assert list(section.figures) == ["intervals", "profiles", "curves", "improvements"]
    assert list(section.tables) == ["aggregates", "profiles", "curves", "improvements"]
    said = text(section)
    assert "table of references, version 1" in said
    assert "The 2 environments count alike: Acrobot-v1, CartPole-v1." in said
    assert "paler where weak (fewer than 40 seeds" in said
    assert "† Weak interval: fewer than 40 seeds" in said
    assert "6 of 6" in said
    assert all(figure.get_label() for figure in section.figures.values())


def test_the_numbers_are_those_of_the_results(two, section):
    table = two.aggregates().set_index(["algorithm", "statistic"])
    said = text(section)
    for row in table.itertuples():
        assert f"{row.value:.2f}".replace("-", "−") in said
    winner = two.improvements().sort_values("probability").iloc[-1]
    assert f"{winner['first']} over {winner['second']} {100 * winner['probability']:.0f} %" in said


def test_every_weak_interval_has_a_dagger_that_says_why(two, section):
    table, pairs = two.aggregates(), two.improvements()
    intervals = int(table["low"].notna().sum() + pairs["low"].notna().sum() / 2)
    assert intervals >= len(table)
    daggers = re.findall(r'<span class="mark" title="([^"]+)">†</span>', section.html)
    assert len(daggers) == intervals
    assert all(reason.startswith("fewer than 40 seeds") for reason in daggers)


def test_forty_seeds_are_not_called_few(tmp_path):
    assert "fewer than" not in text(suite(loaded(tmp_path, seeds=40)))


def test_a_band_is_paler_where_it_is_weak():
    marks = ["", "", "", "resampled values are skewed", ""]
    frame = pd.DataFrame(
        {"algorithm": "a", "share": np.linspace(0.2, 1, 5), "steps": np.arange(5.0), "weak": marks}
    )
    frame = frame.assign(value=0.5, low=0.4, high=0.6)
    strong, weak = figures.curves(frame, looks(["a"])).axes[0].collections
    assert weak.get_alpha() < strong.get_alpha()
    reach = [
        [path.vertices[:, 0].min(), path.vertices[:, 0].max()]
        for band in (strong, weak)
        for path in band.get_paths()
    ]
    assert reach[0] == [0, 2]
    assert reach[-1] == [2, 4]


def test_one_environment_or_none_with_a_reference_has_no_such_section(results, tmp_path):
    assert suite(loaded(tmp_path / "one", envs=("CartPole-v1",))) is None
    assert suite(loaded(tmp_path / "unknown", envs=("Unheard-v0", "Unseen-v0"))) is None
    assert suite(results) is None


def test_environments_without_a_reference_and_solvers_are_named_as_left_out(tmp_path):
    write_results(tmp_path, algorithms=("value-iteration",), envs=("FrozenLake-v1",), seeds=1)
    said = text(suite(loaded(tmp_path, envs=(*ENVS, "Unheard-<v0>"))))
    assert "Left out, because nothing there has a normalised score: Unheard-&lt;v0&gt;." in said
    assert "Solvers are left out" in said


def test_an_algorithm_that_lacks_an_environment_is_named_and_not_drawn(tmp_path):
    store = write_results(tmp_path, envs=ENVS, seeds=3)
    for seed in range(3):
        write_trial(store, identity("ppo", "Acrobot-v1", seed))
    section = suite(rlbench.load(tmp_path))
    assert "ppo has no score on CartPole-v1, so no value here." in text(section)
    assert set(section.tables["profiles"]["algorithm"]) == {"a2c", "dqn"}


def test_where_everybody_lacks_something_the_section_says_only_that(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c",), envs=("Acrobot-v1",), seeds=2)
    for seed in range(2):
        write_trial(store, identity("dqn", "CartPole-v1", seed))
    section = suite(rlbench.load(tmp_path))
    assert "a2c has no score on CartPole-v1" in text(section)
    assert "dqn has no score on Acrobot-v1" in text(section)
    assert not section.figures


def test_failed_trials_stay_in_the_count(tmp_path):
    said = text(suite(loaded(tmp_path, statuses={("dqn", "Acrobot-v1", 0): "failed"})))
    assert "5 of 6" in said


def test_a_single_seed_has_values_and_no_intervals(tmp_path):
    said = text(suite(loaded(tmp_path, seeds=1)))
    assert "so there are no intervals" in said
    assert "weak" not in said
    assert " to " not in said.partition("Optimality gap Trials")[2]
    assert not re.search(r"\b(nan|None)\b", said)


def test_one_algorithm_alone_has_no_pairs(tmp_path):
    section = suite(loaded(tmp_path, algorithms=("dqn",)))
    assert list(section.figures) == ["intervals", "profiles", "curves"]
    assert " over " not in text(section).partition("Trials dqn")[2]


def test_hostile_names_are_drawn_and_shown_as_text(tmp_path):
    write_exact(tmp_path, algorithms=HOSTILE, seeds=2)
    results = loaded(tmp_path, algorithms=HOSTILE, seeds=2)
    assert "over 3 environments" in set(results.claims()["env"])
    page = results.report().read_text(encoding="utf-8")
    assert "could not be made" not in page
    assert "<img" not in page
    drawn = (tmp_path / "report" / "suite-intervals.svg").read_text(encoding="utf-8")
    assert all(name in drawn for name in ("_hidden", "$\\frac{$", "&lt;img src=x", "aaaa…aaaa"))


def test_claims_over_environments_come_first_in_the_answer_and_last_in_the_table(two):
    said = text(answer(two))
    assert said.startswith("a2c is better than dqn over 2 environments: mean normalised score")
    assert "another 5 % for all pairs there" in said
    claims = two.claims()
    assert claims["environments"].tolist() == [1, 1, 2]
    assert claims["env"].tolist() == [*ENVS, "over 2 environments"]
    assert claims["text"].iloc[-1] in said
    document = json.loads(json.dumps(two.document(), allow_nan=False))
    assert [claim["environments"] for claim in document["claims"]] == [1, 1, 2]
    compared = text(comparisons(two))
    assert "Over 2 environments: normalised scores" in compared
    assert "corrected over 1 comparison there" in compared


def test_claims_by_other_scores_and_without_a_margin(two):
    assert set(two.claims("auc")["environments"]) == {1}
    assert two.suite_comparisons(margin=0)["margin"].isna().all()
    assert two.suite_comparisons(margin=0.1)["margin"].tolist() == [0.1]
    with pytest.raises(UsageError, match="no share of a range"):
        two.suite_comparisons(margin=2)


def test_claims_over_environments_are_in_the_tables_beside_the_page_and_the_same_each_time(two, tmp_path):
    kept = []
    for name in ("one", "other"):
        rlbench.load(two.path).report(tmp_path / name)
        kept.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert kept[0] == kept[1]
    for ending in ("md", "tex", "csv"):
        assert b"over 2 environments" in kept[0][f"answer-claims.{ending}"]
        assert b"over 2 environments" in kept[0][f"comparisons-over-environments.{ending}"]


def test_a_run_until_decided_claims_nothing_over_environments(tmp_path):
    store = write_results(tmp_path, algorithms=("a2c", "dqn", "random"), envs=ENVS)
    assert "better" in set(rlbench.load(tmp_path).suite_comparisons()["verdict"])
    write_decisions(store, {("a2c", "random"): "larger"})
    results = rlbench.load(tmp_path)
    found = results.suite_comparisons()
    assert set(found["verdict"]) == {"undecided"}
    assert set(found["reason"]) == {"sequential comparisons chose the seeds on CartPole-v1"}
    assert found[["p", "p_corrected", "p_equivalent", "seeds_needed"]].isna().all(axis=None)
    assert text(answer(results)).startswith("Over 2 environments the data do not decide between")
    (path,) = (store.root / "decisions").iterdir()
    path.write_bytes(b"{}")
    assert rlbench.load(tmp_path).suite_comparisons()["reason"].str.contains("is damaged").all()


def test_solvers_are_no_part_of_claims_over_environments(tmp_path):
    write_results(tmp_path, algorithms=("value-iteration",), envs=ENVS, seeds=2)
    found = loaded(tmp_path).suite_comparisons()
    assert found[["first", "second"]].to_numpy().tolist() in ([["a2c", "dqn"]], [["dqn", "a2c"]])


@pytest.mark.parametrize("count", [2, 3, 12])
def test_names_and_numbers_stay_inside_their_figure_and_apart(tmp_path, count):
    names = [f"an algorithm with a long name, number {index}" for index in range(count)]
    results = loaded(tmp_path, algorithms=names, seeds=2)
    with matplotlib.rc_context(figure_style()):
        for figure in suite(results).figures.values():
            FigureCanvasAgg(figure).draw()
            for axes in figure.axes:
                for group in (shown(axes.xaxis), shown(axes.yaxis), axes.texts):
                    boxes = [label.get_window_extent() for label in group if label.get_text()]
                    assert all(figure.bbox.padded(2).containsx(x) for box in boxes for x in box.intervalx)
                    assert all(figure.bbox.padded(2).containsy(y) for box in boxes for y in box.intervaly)
                    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def shown(axis):
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]


def test_long_names_that_differ_at_their_ends_are_told_apart(tmp_path):
    names = ("dqn [steps=50000, learning_rate=0.001]", "dqn [steps=50000, learning_rate=0.002]")
    figures = suite(loaded(tmp_path, algorithms=names, seeds=2)).figures
    for name, axis in (("intervals", "y"), ("improvements", "x"), ("improvements", "y")):
        labels = getattr(figures[name].axes[0], f"get_{axis}ticklabels")()
        assert len({label.get_text() for label in labels}) == 2


def test_the_sections_are_in_the_page_and_its_bytes_repeat(tmp_path):
    loaded(tmp_path / "run")
    write_exact(tmp_path / "run", algorithms=("q", "value-iteration"))
    kept = []
    for name in ("one", "two"):
        out = tmp_path / name
        rlbench.load(tmp_path / "run").report(out)
        kept.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert kept[0] == kept[1]
    page = kept[0]["index.html"].decode()
    assert "could not be made" not in page
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections.index("curves") < sections.index("suite") < sections.index("comparisons")
    assert sections.index("comparisons") < sections.index("gaps") < sections.index("settings")


def test_exact_gaps_are_shown_with_their_optimum_and_its_source(tmp_path):
    results = write_exact(tmp_path, algorithms=("q", "value-iteration"))
    section, optimum = gaps(results), references()["FrozenLake-v1 [max_episode_steps=100]"].reference
    said = text(section)
    assert f"FrozenLake-v1: optimum {optimum:.3f}" in said
    assert "time limit (table of references, version 1)" in said
    assert f"q 0.520 {optimum - 0.52:.3f}" in said
    assert list(section.figures) == ["FrozenLake-v1"]
    table = section.tables["gaps"].set_index("algorithm")
    assert table.loc["q", "regret"] == pytest.approx(optimum - 0.52 * np.mean([0.25, 0.5, 0.75, 1]))
    assert pd.isna(table.loc["value-iteration", "regret"])


def test_another_time_limit_is_measured_by_the_best_solver_or_not_at_all(tmp_path):
    known = text(gaps(write_exact(tmp_path / "a", algorithms=("q", "value-iteration"), limit=30)))
    assert "optimum 0.540, the best solver’s, which a learner may exceed" in known
    assert "version" not in known
    unknown = gaps(write_exact(tmp_path / "b", limit=30))
    assert "FrozenLake-v1: optimum unknown" in text(unknown)
    assert not unknown.figures


def test_without_a_model_there_is_no_section_of_gaps(two):
    assert gaps(two) is None
