"""The section of published figures, and what one more run gives in the section of scores."""

from __future__ import annotations

import re

from synthetic import write_results

import rlbench
from rlbench.reports.baselines import baselines
from rlbench.reports.sections import scores


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_published_figures_stand_beside_ours_with_protocol_seeds_and_steps(results):
    section = baselines(results)
    assert section is not None
    text = text_of(section.html)
    ours = results.scores().set_index(["algorithm", "env"]).loc[("a2c", "CartPole-v1"), "mean"]
    assert f"a2c these results {ours:.1f}" in text
    assert "dqn CleanRL 488.7 16.1 500,000 3" in text
    assert "dqn rl-baselines3-zoo 500.0 0.0 50,000 1" in text
    assert "one trained policy, deterministic" in text
    assert "enters a comparison" in text
    assert "3 of 5" in text
    assert section.tables["baselines"]["url"].str.startswith("https://").all()
    assert "https://" not in section.html


def test_an_environment_of_which_nothing_is_known_has_no_such_section(tmp_path):
    write_results(tmp_path, envs=("Unheard-v0",), seeds=2)
    assert baselines(rlbench.load(tmp_path)) is None


def test_what_plugins_say_is_shown_as_text(tmp_path, distribution):
    plugin = """
        from rlbench.api import BaselineSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_baselines():
            yield BaselineSpec(
                env="CartPole-v1", max_episode_steps=500, algorithm="<b>bold</b>", project="<i>", score=1.0,
                steps=1000, seeds=7, protocol="<script>alert(1)</script>", document="<u>", url="https://x",
            )
    """
    distribution("rlbench-odd", {"odd": "odd_plugin"}, {"odd_plugin.py": plugin})
    write_results(tmp_path / "run", seeds=2)
    section = baselines(rlbench.load(tmp_path / "run"))
    assert section is not None
    assert not re.search(r"<(b|i|u|script)>", section.html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in section.html


def test_the_scores_say_what_one_more_run_gives(results):
    section = scores(results)
    assert section is not None
    text = text_of(section.html)
    row = results.predictions().set_index(["algorithm", "env"]).loc[("a2c", "CartPole-v1")]
    assert f"{row['low']:.1f} to {row['high']:.1f} (67 %)" in text
    assert "no score to" in text  # two of the five runs of dqn failed
    assert "at least 54 % of runs score" in section.html
    assert section.tables["predictions"].equals(results.predictions())
