"""What is written down beside results, and what is not."""

from __future__ import annotations

import json
import subprocess

import pytest

import rlbench as package
from rlbench.running import provenance, runner


def run(folder, seeds=2):
    package.run("random", steps=4, eval_points=1, eval_episodes=1, seeds=seeds, out=folder, progress=False)
    return {path.name: json.loads(path.read_text()) for path in (folder / "experiments").iterdir()}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A working folder under git, with one commit."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "paper.txt").write_text("draft")
    monkeypatch.chdir(folder)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    git("init", "--quiet")
    git("remote", "add", "origin", "https://somebody:secret@example.org/paper.git")
    git("add", "paper.txt")
    git("commit", "--quiet", "--message", "draft")
    return folder


def git(*arguments):
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_same_request_is_the_same_document_and_another_is_another(repository, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    once = run(repository / "results")
    assert run(repository / "results") == once  # its own results are no change of the working folder
    assert len(run(repository / "results", seeds=3)) == 2


def test_a_request_says_with_what_it_was_answered(repository, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    ((name, document),) = run(repository / "results").items()
    assert document["schema_version"] == 1
    assert {"python", "rlbench", "torch", "numpy", "gymnasium"} <= set(document["versions"])
    assert {"rlbench", "pytest", "pluggy"} <= set(document["packages"])
    assert document["git"] == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert document["environment"]["PYTHONHASHSEED"] == "7"
    assert {"processor", "capability", "cores", "gpus", "threads_per_worker"} <= set(document["machine"])
    assert document["command"].startswith("rlbench.run(")
    (arm,) = document["algorithms"]
    assert (arm["distribution"], arm["version"]) == ("rlbench", document["versions"]["rlbench"])
    (repository / "paper.txt").write_text("final")
    documents = run(repository / "results")
    (changed,) = [document for other, document in documents.items() if other != name]
    assert changed["git"]["dirty"] is True


def test_no_password_is_written_down(repository, monkeypatch):
    monkeypatch.setenv("RLBENCH_MIRROR_TOKEN", "secret")  # of a plugin, say
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("RLBENCH_TRACKERS", "")
    url = "https://somebody:secret@example.org/data?x=1"
    package.run(
        {f"see {url}": "random"},
        steps=4,
        eval_points=1,
        eval_episodes=1,
        seeds=1,
        out=repository / "results",
        progress=False,
    )
    (path,) = (repository / "results" / "experiments").iterdir()
    text = path.read_text()
    assert "secret" not in text
    assert "see https://example.org/data?x=1" in json.loads(text)["request"]["algos"]
    assert json.loads(text)["environment"]["RLBENCH_TRACKERS"] == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:pass@example.org/a", "https://example.org/a"),
        ("git+ssh://token@example.org:22/a@v1", "git+ssh://example.org:22/a@v1"),
        ("postgres://u:p@ss@db/x and ftp://v@w", "postgres://db/x and ftp://w"),
        ("https://example.org/path@version", "https://example.org/path@version"),
        ("somebody@example.org", "somebody@example.org"),
    ],
)
def test_credentials_are_cut_out_of_urls_and_nothing_else(text, clean):
    tree = {text: [text, {"deep": (text, 1, None)}]}
    assert provenance.without_credentials(tree) == {clean: [clean, {"deep": [clean, 1, None]}]}


def test_a_folder_without_git_or_a_machine_without_it_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert provenance.git_state() == {}
    git("init", "--quiet")
    assert provenance.git_state() == {}  # no commit yet
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state() == {}


def test_programs_that_hang_or_fail_cost_nothing_but_their_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(provenance, "_PATIENCE_SECONDS", 0.2)
    for name, body in (("git", "sleep 5"), ("nvidia-smi", "exit 9")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    assert provenance.git_state() == {}
    assert provenance.machine()["gpus"] == []
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA H100, 80GB, 550.54'\n")
    assert provenance.machine()["gpus"] == ["NVIDIA H100, 80GB, driver 550.54"]


def test_the_capability_is_the_one_that_torch_names():
    import torch

    if provenance.machine()["capability"]:
        assert provenance.machine()["capability"] == torch.backends.cpu.get_cpu_capability()


def test_frames_show_all_that_a_checkpoint_is_checked_for(tmp_path):
    run(tmp_path, seeds=1)
    made_on = package.load(tmp_path).platforms.iloc[0].dropna().to_dict()
    expected = {"algorithm": "random", "env": "CartPole-v1", "seed": 0, **provenance.fingerprint("cpu")}
    assert made_on == expected


def test_instructions_that_a_variable_forbids_make_another_platform(monkeypatch):
    plain = provenance.fingerprint("cpu")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert provenance.fingerprint("cpu") == {**plain, "variables": "ATEN_CPU_CAPABILITY=default"}


def test_keys_in_urls_are_cut_out():
    given = {"url": "https://u:p@example.org/x?user=me&api_key=s3cret&page=2#top", "plain": "key=value"}
    assert provenance.without_credentials(given) == {
        "url": "https://example.org/x?user=me&api_key=&page=2#top",
        "plain": "key=value",
    }


def test_a_request_says_which_promises_do_not_hold_on_its_device(repository, monkeypatch):
    (document,) = run(repository / "results").values()
    assert document["not_promised"] == []
    assert provenance.not_promised("cuda:0")[0].startswith("P1 on cuda:0: ")
    monkeypatch.setattr(runner, "not_promised", lambda device: provenance.not_promised("cuda:0"))
    assert run(repository / "other").popitem()[1]["not_promised"] == provenance.not_promised("cuda:0")
    page = package.load(repository / "other").report().read_text()
    assert "<strong>Not promised</strong> for these results: P1 on cuda:0" in page
