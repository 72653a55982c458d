"""The page: self-contained, complete, repeatable, and unbroken by what it shows."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from synthetic import identity, write_results, write_trial

import rlbench
from rlbench.api import ReportSectionSpec, Section, UsageError
from rlbench.reports.page import build
from rlbench.reports.sections import comparisons, scores, settings
from rlbench.results.store import Store


@dataclass
class Plugin:
    owner: str = "someone 1.0 (entry point 'some')"


@dataclass
class Entry:
    spec: ReportSectionSpec
    plugin: Any


def sections(**renders):
    return {
        name: Entry(ReportSectionSpec(name, name.title(), render, order=index), Plugin())
        for index, (name, render) in enumerate(renders.items())
    }


class Outline(html.parser.HTMLParser):
    """Collects tags and links, and checks that what is opened is closed."""

    VOID = frozenset({"meta", "path", "use", "rect", "br", "link", "circle", "hr", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        attributes = dict(attrs)
        self.links += [value for key in ("href", "src", "xlink:href") if (value := attributes.get(key))]
        if "id" in attributes:
            self.ids.append(str(attributes["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def test_the_page_is_well_formed_and_has_every_section(page):
    outline = Outline(page)
    assert outline.open == []
    names = [
        "answer",
        "scores",
        "curves",
        "comparisons",
        "convergence",
        "diagnostics",
        "failures",
        "settings",
    ]
    assert [one for one in outline.ids if one in names] == names
    assert "could not be made" not in page


def test_the_page_loads_nothing_and_runs_its_own_script_alone(page):
    outline = Outline(page)
    assert not {"link", "iframe", "object", "embed", "form", "base"} & set(outline.tags)
    assert all(re.fullmatch(r"#[\w-]+|[\w%.~-]+\.(png|svg|pdf|csv|md|tex)", link) for link in outline.links)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.findall(r"script[^;]*", policy[1]) == [f"script-src 'sha256-{own}'"]
    assert not re.search(r"<[^>]*\son\w+=", page)
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", page)


def test_every_link_to_a_file_leads_somewhere(results, page):
    files = [link for link in Outline(page).links if not link.startswith("#")]
    assert {Path(link).suffix for link in files} == {".png", ".svg", ".pdf", ".csv", ".md", ".tex"}
    assert all((results.path / "report" / link).stat().st_size > 0 for link in files)


def test_no_two_parts_of_the_page_have_one_id(page):
    ids = Outline(page).ids
    assert sorted(ids) == sorted(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_learning_curves_are_there_over_steps_and_over_wall_clock(results, page):
    assert page.count('<div data-view="steps">') == page.count('<div data-view="wall-clock">') == 2
    text = " ".join(Outline(page).text)
    assert {"environment steps", "wall-clock, seconds"} <= set(Outline(page).text)
    assert "times are estimates" in text
    assert (results.path / "report" / "curves-CartPole-v1~wall-clock.png").exists()


def test_each_algorithm_of_a_figure_can_be_found_in_it(page):
    figure = page[page.index('<div data-view="steps">') :].partition("</figure>")[0]
    places = re.findall(r'<li data-series="(\d+)">', figure)
    assert len(places) == 2
    for place in places:
        for part in ("seeds", "band", "mean"):
            assert f'class="series-{place} {part}"' in figure


def test_failed_trials_their_reasons_and_counts_are_shown_as_text(page):
    text = " ".join(Outline(page).text)
    assert "3 of 5" in text
    assert "1 diverged, 1 failed" in text
    assert "ValueError: shapes <b>differ</b>" in text
    assert "needs a <model>" in text
    assert "only 3 of 5 trials contribute" in " ".join(text.split())


def test_solvers_are_lines_with_their_exact_value(page):
    text = " ".join(Outline(page).text)
    assert "0.7413" in text
    assert "residual" in text


def test_weak_intervals_are_called_that_beside_the_curves(page):
    text = " ".join(" ".join(Outline(page).text).split())
    assert "the band its 95 % Student-t interval (weak: fewer than 10 seeds" in text


def test_weak_intervals_of_differences_are_marked_as_those_of_scores_are(results):
    for section in (scores, comparisons):
        html = section(results).html
        assert 'title="fewer than 10 seeds">†</span>' in html
        assert '<p class="note">† Weak interval: fewer than 10 seeds' in html


def test_different_budgets_are_not_compared_and_the_page_says_so(tmp_path, page):
    store = write_results(tmp_path, algorithms=("a2c",))
    for seed in range(5):
        write_trial(store, identity("dqn", seed=seed, steps=1000))
    text = " ".join(
        " ".join(Outline(rlbench.load(tmp_path).report().read_text(encoding="utf-8")).text).split()
    )
    assert "could not be made" not in text
    assert text.count("Learners with different budgets") == 1
    assert "better than" not in text
    assert "dqn [steps=1000]" in text
    assert "different budgets" not in page


def test_trials_made_on_different_platforms_are_pointed_out_with_what_differs(tmp_path, page):
    store = write_results(tmp_path, algorithms=("a2c",), seeds=3)
    for seed in range(2):
        write_trial(store, identity("dqn", seed=seed), device="cuda:0", torch="<2.14>")
    results = rlbench.load(tmp_path)
    text = " ".join(" ".join(Outline(results.report().read_text(encoding="utf-8")).text).split())
    assert "not all made on the same platform" in text
    assert "device: cpu (3 trials of a2c); cuda:0 (2 trials of dqn)" in text
    assert "torch: 2.13.0 (3 trials of a2c); <2.14> (2 trials of dqn)" in text
    assert "processor:" not in text
    assert results.platforms["device"].tolist() == ["cpu"] * 3 + ["cuda:0"] * 2
    assert "platform:" not in " ".join(Outline(page).text)
    assert "same platform" not in page


def test_the_command_and_the_origins_of_settings_are_shown(page):
    text = " ".join(Outline(page).text)
    assert "rlbench run --algos a2c,dqn --seeds 5" in text
    assert "preset" in text
    assert "2.13.0" in text


def test_settings_that_differ_between_labels_come_first(results, page):
    table = results.settings.copy()
    other = table[table["algorithm"] == "dqn"].assign(algorithm="<small>")
    other.loc[other["setting"] == "hidden_sizes", "value"] = "[8]"
    changed = SimpleNamespace(settings=pd.concat([table, other]), trials=results.trials)
    section = settings(changed)
    rows = Outline(section.html.partition("</table>")[0] + "</table></div>").text
    shown = [text.strip() for text in rows if text.strip()]
    assert shown[shown.index("What differs") :] == [
        *("What differs", "<small>", "a2c", "dqn", "value-iteration"),
        *("hidden_sizes", "[8]", "[64, 64]", "[64, 64]", "[64, 64]"),
    ]
    assert "What differs" not in page


def test_many_seeds_cost_the_page_little(tmp_path):
    sizes = []
    for seeds in (2, 12):
        write_results(tmp_path / str(seeds), seeds=seeds)
        sizes.append(rlbench.load(tmp_path / str(seeds)).report().stat().st_size)
    assert sizes[1] < 150_000
    assert sizes[1] - sizes[0] < 20 * 2_000  # 20 trials more, each a line of 20 points in two figures


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    kept = []
    for name in ("one", "two"):
        out = tmp_path / name
        rlbench.load(results.path).report(out)
        kept.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert kept[0] == kept[1]


HOSTILE = (
    "_hidden",
    "$\\frac{$",
    "<img src=x onerror=alert(1)>",
    "東京 ü",
    "</style><script>alert(1)</script>",
)


def test_hostile_names_are_shown_as_text_everywhere(tmp_path):
    write_results(tmp_path / "run", algorithms=HOSTILE, envs=("<script>alert(1)</script>",), seeds=2)
    page = rlbench.load(tmp_path / "run").report().read_text(encoding="utf-8")
    outline = Outline(page)
    assert "img" not in outline.tags
    assert outline.tags.count("script") == 1
    text = " ".join(outline.text)
    for name in (*HOSTILE, "<script>alert(1)</script>"):
        assert text.count(name) >= 3, name
    assert "could not be made" not in page
    text = (tmp_path / "run" / "report" / "answer-claims.md").read_text(encoding="utf-8")
    rows = text.partition("\n\n")[0].splitlines()
    assert len(rows) == 2 + 10  # ten pairs of five
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert all("<img" not in row.replace("\\<", "") for row in rows)


def test_a_section_that_raises_is_a_box_that_names_its_plugin(results, tmp_path):
    def broken(results):
        raise ValueError("no <luck>")

    def whole(results):
        return Section("<p>all is well</p>")

    page = build(
        results, sections(broken=broken, leaves=lambda _: exit(1), whole=whole), tmp_path
    ).read_text()
    assert page.count("This section of <b>someone 1.0") == 2
    assert "ValueError: no &lt;luck&gt;" in page
    assert "<p>all is well</p>" in page


def test_a_section_with_nothing_to_show_is_left_out(results, tmp_path):
    page = build(results, sections(silent=lambda _: None), tmp_path).read_text()
    assert "silent" not in page


def test_sections_come_in_their_order(results, tmp_path):
    given = sections(last=lambda _: Section("L"), first=lambda _: Section("F"))
    given["first"].spec = ReportSectionSpec("first", "First", given["first"].spec.render, order=-1)
    outline = Outline(build(results, given, tmp_path).read_text())
    assert [one for one in outline.ids if one in ("first", "last")] == ["first", "last"]


@pytest.mark.parametrize(
    ("seeds", "status", "says"),
    [(1, "finished", "one trial, so no interval"), (2, "failed", "no trial has finished")],
)
def test_small_and_failed_experiments_give_a_sensible_page(tmp_path, seeds, status, says):
    statuses = {("dqn", "CartPole-v1", seed): status for seed in range(seeds)}
    write_results(tmp_path, algorithms=("dqn",), seeds=seeds, statuses=statuses)
    page = rlbench.load(tmp_path).report().read_text(encoding="utf-8")
    assert says in page
    assert "could not be made" not in page
    assert not re.search(r"\b(nan|NaN|None)\b", " ".join(Outline(page).text).replace("loss is NaN", ""))


def test_an_experiment_that_has_only_begun_gives_a_sensible_page(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    store.write_experiment({"schema_version": 1, "trials": [identity(seed=seed).hash for seed in range(2)]})
    assert "Nothing has been run yet" in rlbench.load(tmp_path).report().read_text(encoding="utf-8")
    store.begin(identity(seed=0))
    page = rlbench.load(tmp_path).report().read_text(encoding="utf-8")
    assert "1 unfinished; 1 more trial asked for and not started" in page
    assert '<td class="number" data-value="">–</td>' in page  # at which step is not known
    assert "could not be made" not in page


def test_a_report_that_cannot_be_written_is_a_usage_error(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the report"):
        results.report(tmp_path / "file")


@pytest.mark.parametrize("place", ["decisions", "experiments", "videos/dqn/CartPole-v1"])
def test_a_file_name_that_is_no_text_stops_no_report(tmp_path, place):
    store = write_results(tmp_path, seeds=1, algorithms=("dqn",))
    (trial,) = (store.root / "trials/dqn/CartPole-v1").iterdir()
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    name = os.fsencode(f"{trial.name}-episode-") + b"\xff.json"
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(b"{}")
    page = rlbench.load(tmp_path).report().read_text(encoding="utf-8")
    assert f"{trial.name}-episode-\\udcff.json" in page
    assert "could not be made" not in page


def test_a_failed_trial_that_ran_again_makes_the_report_old(tmp_path):
    store = write_results(tmp_path, seeds=2, statuses={("dqn", "CartPole-v1", 1): "failed"})
    rlbench.load(tmp_path).report()
    write_trial(store, identity("dqn", seed=1))
    assert rlbench.load(tmp_path).current_report() is None
    page = rlbench.load(tmp_path).report()
    assert rlbench.load(tmp_path).current_report() == page


@pytest.mark.parametrize("name", ["status.json", "trial.json", "evaluations.parquet", "final.safetensors"])
@pytest.mark.parametrize("harm", [lambda file: file.write_bytes(b""), lambda file: file.unlink()])
def test_a_trial_that_is_newer_than_the_report_makes_it_old(tmp_path, name, harm):
    write_results(tmp_path, seeds=1, algorithms=("dqn",))
    page = build(rlbench.load(tmp_path), {}, tmp_path / "report")
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    os.utime(page, (2, 2))
    assert rlbench.load(tmp_path).current_report() == page
    (file,) = tmp_path.glob(f"trials/*/*/*/{name}")
    harm(file)
    assert rlbench.load(tmp_path).current_report() is None
