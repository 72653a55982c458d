"""The report in a browser: it loads nothing, works with mouse and keyboard, fits a telephone, prints."""

from __future__ import annotations

import importlib.util
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from synthetic import write_results

import rlbench

SECTIONS = (
    "answer",
    "scores",
    "curves",
    "efficiency",
    "comparisons",
    "gaps",
    "convergence",
    "baselines",
    "diagnostics",
    "failures",
    "settings",
    "speed",
    "provenance",
)
HOSTILE = (
    "<script>alert(1)</script>",
    "$\\frac{$",
    "_x",
    '"><img src=x onerror=alert(1)>',
    "</style></script><b>",
    "n" * 200,
)
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True}


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an experiment with every section in it."""
    root = tmp_path_factory.mktemp("browser") / "everything"
    statuses = {("dqn", "CartPole-v1", 1): "failed", ("dqn", "CartPole-v1", 2): "diverged"}
    unsupported = [{"algorithm": "value-iteration", "env": "CartPole-v1", "reason": "needs a <model>"}]
    write_results(root, ("a2c", "dqn", "random"), statuses=statuses, seeds=12, unsupported=unsupported)
    write_results(root, algorithms=("dqn", "value-iteration"), envs=("FrozenLake-v1",), seeds=12)
    return rlbench.load(root).report()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an experiment whose names try to be markup."""
    root = tmp_path_factory.mktemp("hostile") / "<script>alert(1)<"
    write_results(root, HOSTILE, ("<script>alert(1)</script>", "_x$"), seeds=3)
    return rlbench.load(root).report()


def column(tab, section: str, place: int) -> list[list[str]]:
    """Give the texts of one column of a section's table, a list for each group."""
    return tab.locator(f"#{section} table.sortable").evaluate(
        """(table, place) => [...table.tBodies].map(body => [...body.rows]
            .filter(row => !row.classList.contains("group"))
            .map(row => row.cells[place].textContent.trim()))""",
        place,
    )


def head(tab, section: str, name: str):
    return tab.locator(f"#{section} th").get_by_role("button", name=name, exact=True)


def shown(tab, selector: str) -> list[bool]:
    return tab.locator(selector).evaluate_all("all => all.map(one => one.getClientRects().length > 0)")


def luminance(tab) -> float:
    """Give how light the background is, 0 to 255."""
    colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_every_section_is_there_and_seen(visit, report):
    tab = visit(report)
    assert tab.locator("section").evaluate_all("all => all.map(one => one.id)") == list(SECTIONS)
    assert all(shown(tab, "section h2"))
    for link in tab.locator("nav a").all():
        assert tab.locator(str(link.get_attribute("href"))).count() == 1


def test_a_column_sorts_as_numbers_within_each_environment_and_turns_at_the_next_click(visit, report):
    tab = visit(report)
    before = column(tab, "scores", 1)
    assert [len(group) for group in before] == [3, 2]
    head(tab, "scores", "Mean").click()
    cell = tab.locator("#scores th", has_text="Mean")
    assert cell.get_attribute("aria-sort") == "ascending"
    rising = column(tab, "scores", 1)
    assert rising == [sorted(group, key=float) for group in before]
    head(tab, "scores", "Mean").click()
    assert cell.get_attribute("aria-sort") == "descending"
    assert column(tab, "scores", 1) == [group[::-1] for group in rising]
    head(tab, "scores", "Algorithm").click()
    assert cell.get_attribute("aria-sort") is None
    assert column(tab, "scores", 0) == [["a2c", "dqn", "random"], ["dqn", "value-iteration"]]


def test_what_is_missing_comes_last_both_ways(visit, report):
    tab = visit(report)
    for _ in range(2):
        head(tab, "scores", "Exact").click()
        assert column(tab, "scores", 5)[1] == ["0.7413", "–"]


def test_negative_numbers_sort_below_positive_ones(visit, report):
    tab = visit(report)
    for name, place in (("Difference", 1), ("Corrected p", 3)):
        head(tab, "comparisons", name).click()
        for group in column(tab, "comparisons", place):
            values = [float(text.replace("−", "-").removeprefix("< ")) for text in group if text != "–"]
            assert values == sorted(values)


def test_tables_sort_from_the_keyboard(visit, report):
    tab = visit(report)
    tab.locator("#scores th button").first.focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.locator("#scores th[aria-sort]").inner_text().startswith("Mean")
    tab.keyboard.press("Space")
    assert tab.locator("#scores th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_the_first_key_leads_past_the_navigation(visit, report):
    tab = visit(report)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the report"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('main') !== null")


def test_a_legend_hides_and_shows_an_algorithm_in_its_own_figure(visit, report):
    tab = visit(report)
    figures = tab.locator("#curves figure")
    button = figures.nth(0).get_by_role("button", name="dqn")
    assert button.get_attribute("aria-pressed") == "true"
    place = button.locator("xpath=..").get_attribute("data-series")
    mine = f"#curves figure:nth-child(1) [data-view=steps] .series-{place}"
    assert len(shown(tab, mine)) == 4
    assert all(shown(tab, mine))
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not any(shown(tab, mine))
    assert all(
        shown(tab, f"#curves figure:nth-child(1) [data-view=steps] [class^=series]:not(.series-{place})")
    )
    assert all(shown(tab, "#curves figure:nth-child(2) [data-view=steps] [class^=series]"))
    button.press("Enter")
    assert all(shown(tab, mine))


def test_the_seeds_can_be_hidden_and_the_means_stay(visit, report):
    tab = visit(report)
    figure = tab.locator("#curves figure").nth(0)
    seeds, means = ("#curves figure:nth-child(1) [data-view=steps] ." + part for part in ("seeds", "mean"))
    assert all(shown(tab, seeds))
    figure.get_by_role("button", name="all seeds").click()
    assert not any(shown(tab, seeds))
    assert all(shown(tab, means))
    figure.get_by_role("button", name="dqn").click()
    figure.get_by_role("button", name="dqn").click()
    assert not any(shown(tab, seeds))
    figure.get_by_role("button", name="all seeds").click()
    assert all(shown(tab, seeds))


def test_curves_switch_between_steps_and_wall_clock(visit, report):
    tab = visit(report)
    bar = tab.locator("#curves").get_by_role("group")
    steps, clock = (bar.get_by_role("button", name=name) for name in ("steps", "wall-clock"))
    figures = tab.locator("#curves figure")
    for chosen, other, axis in ((clock, steps, "wall-clock, seconds"), (steps, clock, "environment steps")):
        chosen.click()
        assert chosen.get_attribute("aria-pressed") == "true"
        assert other.get_attribute("aria-pressed") == "false"
        assert [axis in figure.inner_text() for figure in figures.all()] == [True, True]
        assert len([one for one in shown(tab, "#curves figure svg[role=img]") if one]) == 2


def test_without_scripts_everything_is_visible(visit, report):
    tab = visit(report, java_script_enabled=False)
    assert tab.locator("button").count() == 0
    assert tab.locator("#curves figure svg[role=img]").count() == 4
    for drawn in tab.locator("#curves figure svg[role=img]").all():
        assert drawn.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(visit, report, tmp_path, scheme):
    tab = visit(report, color_scheme=scheme)
    assert (luminance(tab) > 200) == (scheme == "light")
    picture = tab.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_a_narrow_screen_scrolls_down_alone(visit, request, name):
    tab = visit(request.getfixturevalue(name), **PHONE)
    for unfolded in (False, True):
        tab.locator("details").evaluate_all("(all, open) => all.forEach(one => one.open = open)", unfolded)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_shade_says_on_which_side_a_table_goes_on(visit, report, scheme):
    tab = visit(report, color_scheme=scheme, **PHONE)
    box = tab.locator("#scores .scroll")

    def ends() -> list[float]:
        """Give how light the left and the right end are, above the first line of text."""
        picture = Image.open(io.BytesIO(box.screenshot())).convert("L")
        return [picture.getpixel((x, 4)) for x in (4, picture.width - 5)]

    card, shaded = ends()
    assert shaded < card - 15
    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    left, right = ends()
    assert right == card
    assert left < card - 15
    box = visit(report, color_scheme=scheme, viewport={"width": 1200, "height": 900}).locator(
        "#scores .scroll"
    )
    assert ends() == [card, card]


def test_names_keep_to_one_line_on_a_narrow_screen(visit, report):
    tab = visit(report, **PHONE)
    for selector in ("#scores td .label", "#baselines .whole"):
        lines = "all => all.map(one => { const range = document.createRange(); range.selectNodeContents(one);"
        lines += " return new Set([...range.getClientRects()].map(box => box.top)).size; })"
        assert set(tab.locator(selector).evaluate_all(lines)) == {1}


def test_it_prints_with_everything_unfolded_and_folds_again(visit, report):
    tab = visit(report)
    tab.evaluate(
        """addEventListener("beforeprint", () => {
            window.unfolded = [...document.querySelectorAll("details")].map(one => one.open); })"""
    )
    printed = tab.pdf(format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", printed)) >= 3
    unfolded = tab.evaluate("window.unfolded")
    assert len(unfolded) >= 4
    assert all(unfolded)
    assert not all(tab.locator("details").evaluate_all("all => all.map(one => one.open)"))


def test_paper_shows_no_controls_and_cuts_no_table(visit, report):
    tab = visit(report, viewport={"width": 680, "height": 900})  # the width of A4 between its margins
    tab.emulate_media(media="print")
    assert not any(shown(tab, ".controls, nav, .skip, figcaption, .files"))
    tab.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 680
    assert tab.locator(".scroll").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")


def test_hostile_names_are_text(visit, hostile):
    tab = visit(hostile)
    assert tab.locator("script").count() == 1
    assert tab.locator("img").count() == 0
    rows = tab.locator("#scores table tbody td:first-child").all_inner_texts()
    assert sorted({row.strip() for row in rows}) == sorted(HOSTILE)
    legends = tab.locator("#curves figure:first-child .legend .label").all_inner_texts()
    assert sorted(legends) == sorted(HOSTILE)
    assert tab.locator("h1").inner_text() == "<script>alert(1)<"
    for name in HOSTILE:
        figure = tab.locator("#curves figure").first
        figure.locator(".legend button").filter(has=tab.get_by_text(name, exact=True)).click()
    assert not any(shown(tab, "#curves figure:first-child [class^=series]"))
    for button in tab.locator("#scores th button").all():
        button.click()


def test_no_script_runs_but_the_page_s_own(browser, report, tmp_path):
    changed = tmp_path / "index.html"
    text = report.read_text(encoding="utf-8")
    intruders = "<script>document.title = 'one'</script><img src=x onerror=\"document.title = 'two'\">"
    changed.write_text(text.replace("</main>", f"{intruders}</main>"), encoding="utf-8")
    tab = browser.new_page()
    messages: list[str] = []
    tab.on("console", lambda message: messages.append(message.text))
    tab.goto(changed.as_uri())
    assert tab.title() == "everything · rlbench"
    assert len([one for one in messages if "Content Security Policy" in one]) >= 3  # the image, too
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "hostile"])
def test_axe_finds_no_serious_barrier(visit, request, name, scheme):
    tab = visit(request.getfixturevalue(name), color_scheme=scheme)
    tab.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    tab.locator("#curves").get_by_role("button", name="all seeds").first.click()
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None
    tab.evaluate(Path(str(found.origin)).with_name("axe.min.js").read_text(encoding="utf-8"))
    violations = tab.evaluate("axe.run()")["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"][:200])
        for one in violations
        if one["impact"] in ("serious", "critical")
    ] == []
