"""``rlbench doctor`` as users call it: all well, and what is wrong with its cure."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from rlbench.running import doctor


def findings(checks, name):
    return [(check.ok, check.text, check.cure) for check in checks if check.name == name]


def test_all_is_well_and_nothing_is_left_behind(rlbench, tmp_path):
    done = rlbench("doctor", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema_version"], document["ok"]) == (1, True)
    names = [check["name"] for check in document["checks"]]
    assert list(dict.fromkeys(names)) == [
        *("versions", "plugins", "folder", "processor", "kernels", "devices", "run")
    ]
    assert all(check["ok"] for check in document["checks"])
    assert not list(tmp_path.iterdir())


def test_each_problem_is_one_line_with_its_cure(rlbench, distribution):
    distribution("shaky", {"shaky": "plugin_shaky"}, {"plugin_shaky.py": "import nothing_of_that_name"})
    done = rlbench("doctor", "--out", "/proc/results", env={"PYTHONWARNINGS": "ignore"})
    assert done.returncode == 1, done.stderr
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert len(problems) == 2
    assert "shaky 1.0 (entry point 'shaky') is broken: ModuleNotFoundError" in problems[0]
    assert "uninstall shaky" in problems[0]
    assert problems[1].startswith("problem  folder: cannot write to /proc")
    assert problems[1].endswith("choose another folder with --out")


def test_an_allow_list_that_names_nothing_is_a_problem_not_the_end(rlbench):
    done = rlbench("doctor", env={"RLBENCH_PLUGINS": "nothing-of-that-name"})
    assert done.returncode == 1
    assert (
        "problem  plugins: RLBENCH_PLUGINS names 'nothing-of-that-name', which is not installed"
        in done.stdout
    )
    assert "ok       folder: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_two_plugins_with_one_name_are_a_problem(distribution):
    spec = """
        from rlbench.api import MetricSpec
        from rlbench.hookspecs import hookimpl

        @hookimpl
        def rlbench_metrics():
            yield MetricSpec("best", len)
    """
    distribution("one", {"one": "plugin_one"}, {"plugin_one.py": spec})
    distribution("two", {"two": "plugin_two"}, {"plugin_two.py": spec})
    ((ok, text, cure),) = findings(doctor._plugins(True), "plugins")
    assert not ok
    assert "the metric 'best' is claimed by one 1.0" in text
    assert "uninstall one" in cure
    assert all(ok for ok, _, _ in findings(doctor._plugins(False), "plugins"))


@pytest.mark.parametrize(
    ("requires", "text"),
    [
        (["torch>=99"], "does not meet >=99"),
        (["nothing-of-that-name>=1"], "nothing-of-that-name is missing"),
        (["gymnasium[atari]<0.1"], "does not meet <0.1"),
    ],
)
def test_a_package_out_of_range_or_missing_is_named_with_the_command(monkeypatch, requires, text):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: [*requires, 'optuna; extra == "tune"'])
    ((ok, told, cure),) = findings(doctor._versions(), "versions")
    assert not ok
    assert text in told
    assert cure == f"pip install '{requires[0]}'"


def test_a_folder_without_space_or_locks_is_a_problem(monkeypatch, tmp_path):
    tight = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: tight)
    monkeypatch.setattr(doctor.Store, "locked_since", lambda store: None)
    checks = findings(doctor._folder(tmp_path / "deep" / "results"), "folder")
    assert [ok for ok, _, _ in checks] == [True, False, False]
    assert "keeps no locks" in checks[1][1]
    assert checks[2][1:] == ("0.0 GiB are free", "free some, or choose another folder with --out")
    assert os.listdir(tmp_path) == []


def test_a_card_that_torch_cannot_use_is_told(monkeypatch):
    from rlbench.kit import devices

    monkeypatch.setattr(devices, "device_names", lambda: [])
    monkeypatch.setattr(doctor, "machine", lambda: {"gpus": ["NVIDIA H100, driver 550.54"]})
    ((ok, text, cure),) = findings(doctor._devices(), "devices")
    assert (ok, text) == (True, "cpu only: torch cannot use NVIDIA H100, driver 550.54")
    assert "install a torch" in cure
    monkeypatch.setattr(devices, "device_names", lambda: ["NVIDIA H100"])
    assert findings(doctor._devices(), "devices") == [(True, "cpu, cuda:0 (NVIDIA H100)", "")]
