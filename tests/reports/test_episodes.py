"""The section of episodes: pictures that are there, still where a reader wants that; nothing is played."""

from __future__ import annotations

import base64
import html.parser

import gymnasium
import msgspec
import pytest
from synthetic import identity, write_results, write_trial

import rlbench
from rlbench.reports.episodes import episodes
from rlbench.results.store import Store
from rlbench.results.videos import Episode, write_video


def webp(size=40):
    return b"RIFF" + (size - 8).to_bytes(4, "little") + b"WEBPVP8L" + bytes(size - 16)


PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


class Pictures(html.parser.HTMLParser):
    """Collects the attributes of images."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.found.append(dict(attrs))


def images(page):
    parser = Pictures()
    parser.feed(page)
    return parser.found


def last_episode(results, label, env, seed, number=0):
    """Give the stored row of an episode of a trial's last evaluation."""
    rows = results.evaluations.query("algorithm == @label and env == @env and seed == @seed")
    return rows[(rows["step"] == 50_000) & (rows["episode"] == number)].iloc[0]


def draw(results, label, env, seed, number=0, moving=None, **lies):
    for trial in results.frames.stored:
        if (trial.label, trial.env, trial.seed) == (label, env, seed):
            row = last_episode(results, label, env, seed, number)
            episode = Episode(
                trial=trial.hash,
                step=50_000,
                episode=number,
                episode_return=float(row.episode_return),
                episode_length=int(row.episode_length),
                width=300,
                height=200,
                files={},
            )
            episode = msgspec.structs.replace(episode, **lies)
            return write_video(results.path, trial, episode, {"webp": moving or webp(), "png": PNG})
    raise LookupError(label)


@pytest.fixture
def results(tmp_path):
    write_results(
        tmp_path / "run", algorithms=("a2c", "<dqn>"), envs=("CartPole-v1", "FrozenLake-v1"), seeds=2
    )
    return rlbench.load(tmp_path / "run")


def page_of(results, out):
    return rlbench.load(results.path).report(out).read_text(encoding="utf-8")


def test_pictures_are_in_the_page_with_what_they_show_and_a_still_for_less_motion(
    results, tmp_path, monkeypatch
):
    draw(results, "<dqn>", "CartPole-v1", 1, number=2)
    draw(results, "a2c", "FrozenLake-v1", 0)
    monkeypatch.setattr(gymnasium, "make", None)  # nothing is played for a page
    page = page_of(results, tmp_path / "out")
    found = images(page)
    moving = f"data:image/webp;base64,{base64.b64encode(webp()).decode()}"
    still = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert [(image["class"], image["src"]) for image in found] == [("moving", moving), ("still", still)] * 2
    style = " ".join(page.partition("</style>")[0].split())
    assert "@media print, (prefers-reduced-motion: reduce) { .episodes .moving { display: none; }" in style
    assert found[0]["alt"].startswith("<dqn> on CartPole-v1: episode 3 of the last evaluation of seed 1")
    text = " ".join(page.split())
    for place, row in (
        ("seed 1, episode 3", last_episode(results, "<dqn>", "CartPole-v1", 1, 2)),
        ("seed 0, first episode", last_episode(results, "a2c", "FrozenLake-v1", 0)),
    ):
        steps = f"{row.episode_length} step{'s' if row.episode_length != 1 else ''}"
        assert f"{place}: return {row.episode_return:g} in {steps}<" in text
    assert text.index("<h3>CartPole-v1</h3>") < text.index("<h3>FrozenLake-v1</h3>")
    assert "<dqn>" not in page
    assert page_of(results, tmp_path / "again") == page


def test_a_trial_is_called_the_median_only_as_long_as_it_is(results, tmp_path):
    def with_seeds(*seeds):
        for seed in seeds:
            write_trial(Store(results.path), identity("a2c", seed=seed))
        found = rlbench.load(results.path)
        mine = found.trials.query("algorithm == 'a2c' and env == 'CartPole-v1'").sort_values("score")
        return found, int(mine["seed"].iloc[len(mine) // 2])

    def said(found):
        return " ".join(episodes(found).html.split())

    found, first = with_seeds(2)
    draw(found, "a2c", "CartPole-v1", first)
    assert f"median trial, seed {first}, first episode" in said(found)
    assert "shows the median trial" not in said(found)
    found, now = with_seeds(*range(3, 9))
    assert now != first
    assert "median trial, seed" not in said(found)
    assert f"on CartPole-v1 shows the median trial, which is seed {now}." in said(found)
    draw(found, "a2c", "CartPole-v1", now)
    assert f"median trial, seed {now}, first episode" in said(found)
    assert "shows the median trial" not in said(found)


def test_without_pictures_there_is_no_section(results, tmp_path):
    page = page_of(results, tmp_path / "out")
    assert 'id="episodes"' not in page
    assert not images(page)


def test_what_is_no_picture_is_not_shown_and_named(results, tmp_path):
    path = draw(results, "a2c", "CartPole-v1", 0, moving=b"<svg onload='alert(1)'></svg>")
    page = page_of(results, tmp_path / "out")
    assert not images(page)
    assert "are damaged" in page
    assert path.stem in page
    assert "onload" not in page


@pytest.mark.parametrize(
    "lie", [{"episode_return": 99999.0}, {"episode_length": 2}, {"step": 2_500}, {"episode": 7}], ids=str
)
def test_a_picture_of_another_episode_than_the_stored_one_is_named_and_not_shown(results, tmp_path, lie):
    wrong = draw(results, "a2c", "CartPole-v1", 0, **lie)
    draw(results, "a2c", "CartPole-v1", 1)
    page = page_of(results, tmp_path / "out")
    assert len(images(page)) == 2
    assert "seed 1, first episode" in " ".join(page.split())
    assert f"<code>{wrong.relative_to(results.path).as_posix()}</code> shows no episode" in page


def test_a_picture_of_a_trial_whose_evaluations_are_damaged_is_not_shown(results, tmp_path):
    draw(results, "a2c", "CartPole-v1", 0)
    for file in results.path.glob("trials/a2c/CartPole-v1/seed-0-*/evaluations.parquet"):
        file.write_bytes(b"")
    page = page_of(results, tmp_path / "out")
    assert not images(page)
    assert "shows no episode that its trial has stored" in page


def test_a_picture_of_a_later_version_takes_no_other_one_away(results, tmp_path):
    later = draw(results, "a2c", "CartPole-v1", 0, schema_version=99)
    draw(results, "a2c", "CartPole-v1", 1)
    page = page_of(results, tmp_path / "out")
    assert len(images(page)) == 2
    assert later.stem in page
    assert "are damaged" in page


def test_a_page_shows_only_as_many_as_it_can_carry(results, tmp_path):
    for label in ("a2c", "<dqn>"):
        for env in ("CartPole-v1", "FrozenLake-v1"):
            draw(results, label, env, 0, moving=webp(600_000))
    page = page_of(results, tmp_path / "out")
    assert len(images(page)) == 4
    assert "Too much for one page" in page
    assert len(page) < 2_500_000
