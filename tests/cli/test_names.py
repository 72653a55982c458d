"""Names that break out of tables, paths, pages and formulas elsewhere: carried as they are, or refused."""

from __future__ import annotations

import csv
import html.parser
import json
import os

import pytest
from click.testing import CliRunner
from in_process import lockstep

import rlbench as package
from rlbench.api import UsageError
from rlbench.cli import main

__all__ = ["lockstep"]

LABELS = (
    "big net",
    "東京 ü",
    "100% %41",
    'it\'s "quoted"',
    "_hidden",
    "$\\frac{$",
    "<script>alert(1)</script>",
    "..",
    "../../up",
    "a=b,c",
    "[red]no[/red] {{ 7*7 }}",
    "x|y*`z`",
    "-x",
    "é" * 42,
    "n" * 255,
)
FOLDERS = (
    "with space",
    "東京 ü",
    "100% %41",
    'it\'s "quoted"',
    "_hidden",
    "$\\frac{$",
    "<script>alert(1)<",
    "-x [red]{{ 7*7 }}",
    "n" * 255,
)


class Page(html.parser.HTMLParser):
    """Collects tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_any_label_comes_through_run_store_frames_tables_figures_and_page(rlbench, tmp_path):
    table = "".join(f"{json.dumps(label, ensure_ascii=False)} = 'random'\n" for label in LABELS)
    options = (
        "seeds = 1\nsteps = 10\neval-points = 1\neval-episodes = 1\nmax-episode-steps = 5\nout = 'out'\n"
    )
    (tmp_path / "names.toml").write_text(f"{options}[algos]\n{table}", encoding="utf-8")
    wide = {"COLUMNS": "400", "PYTHONIOENCODING": "utf-8"}
    done = rlbench("run", "--config=names.toml", "--json", env=wide)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    document = json.loads(done.stdout)
    assert sorted(row["algorithm"] for row in document["trials"]) == sorted(LABELS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.toml", "out"]
    results = package.load(tmp_path / "out")
    assert results.problems == []
    assert set(results.evaluations["algorithm"]) == set(LABELS)
    with (tmp_path / "out" / "report" / "scores.csv").open(encoding="utf-8", newline="") as file:
        assert {row["algorithm"] for row in csv.DictReader(file)} == set(LABELS)
    page = Page((tmp_path / "out" / "report" / "index.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1  # its own
    assert "could not be made" not in page.text
    assert [label for label in LABELS if label not in page.text] == []
    shown = rlbench("report", "out", env=wide)
    assert shown.returncode == 0, shown.stderr
    assert [label for label in LABELS if label not in shown.stdout] == []
    again = rlbench("run", "--config=names.toml", env=wide)
    assert f"nothing to do: all {len(LABELS)} trials are there" in again.stdout


@pytest.mark.parametrize("name", FOLDERS, ids=lambda name: name[:20])
def test_any_folder_name_holds_results(lockstep, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    command = ["run", "--algos=random", "--seeds=1", "--steps=10", "--eval-points=1", "--max-episode-steps=5"]
    command += ["--executor=lockstep", f"--out={name}"]
    for words in ("running 1 trials", "nothing to do"):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
        assert words in done.output
    (trial,) = package.load(name).trials.itertuples()
    assert trial.status == "finished"
    page = Page((tmp_path / name / "report" / "index.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1  # its own
    assert name in page.text
    assert [path.name for path in tmp_path.iterdir() if path.name != "distributions"] == [name]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("n" * 256, "takes 256 bytes as a folder's name; shorten it to 255"),
        ("é" * 43, "takes 258 bytes as a folder's name; shorten it to 255"),
        ("two\nlines", "holds unprintable characters; choose another"),
        ("\u202egnp.exe", "holds unprintable characters; choose another"),
        ("\udce9", "is not valid text; choose another"),
        ("", "is empty; give it at least one character"),
    ],
    ids=repr,
)
def test_labels_that_cannot_be_carried_are_refused(tmp_path, label, words):
    with pytest.raises(UsageError, match=words):
        package.run({label: "random"}, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("n" * 256, "File name too long; choose another folder with --out"),
        ("nothing\0here", "embedded null byte; choose another folder with --out"),
        (os.fsdecode(b"caf\xe9"), "is not valid text; choose another name"),
    ],
    ids=ascii,
)
def test_folders_that_cannot_be_made_are_refused(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        package.run("random", seeds=1, steps=20, out=name, progress=False)
    assert not list(tmp_path.iterdir())
