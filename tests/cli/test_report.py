"""``rlbench report`` as users call it."""

from __future__ import annotations

import json
import os

import pytest
from synthetic import write_results


@pytest.fixture
def results(tmp_path):
    statuses = {("dqn", "CartPole-v1", 1): "failed"}
    return write_results(tmp_path / "results" / "dqn-a2c", seeds=3, statuses=statuses).root


def test_the_newest_folder_is_reported_and_the_page_named(rlbench, results, tmp_path):
    older = write_results(tmp_path / "results" / "older", seeds=1).root
    for path in (older / "experiments").iterdir():
        os.utime(path, (0, 0))
    done = rlbench("report")
    assert done.returncode == 0, done.stderr
    assert "report: results/dqn-a2c/report/index.html" in done.stdout
    assert (results / "report" / "index.html").exists()
    assert not (older / "report").exists()
    assert "2 of 3" in done.stdout
    assert "failed: dqn on CartPole-v1, seed 1" in done.stdout
    assert "On CartPole-v1 nothing can be decided with so few trials" in done.stdout


def test_json_is_one_document_and_nothing_else(rlbench, results, tmp_path):
    done = rlbench("report", str(results), "--json", "--out", str(tmp_path / "elsewhere"))
    document = json.loads(done.stdout)
    assert document["schema_version"] == 1
    assert document["report"] == str(tmp_path / "elsewhere" / "index.html")
    assert {(row["algorithm"], row["n"], row["of"]) for row in document["scores"]} == {
        ("a2c", 3, 3),
        ("dqn", 2, 3),
    }
    (claim,) = document["claims"]
    assert claim["verdict"] == "cannot be decided"
    assert claim["text"].startswith("On CartPole-v1 nothing can be decided with so few trials")
    assert done.returncode == 0


def test_nothing_to_report_is_a_usage_error(rlbench, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in ([], ["empty"], ["nowhere"]):
        done = rlbench("report", *arguments)
        assert done.returncode == 2
        assert "rlbench run" in done.stderr
        assert "Traceback" not in done.stderr


def test_labels_are_text_in_the_terminal_too(rlbench, tmp_path):
    write_results(tmp_path / "run", algorithms=("[red]x[/red]", "$\\frac{$"), seeds=1)
    done = rlbench("report", "run")
    assert "[red]x[/red]" in done.stdout
    assert "$\\frac{$" in done.stdout
