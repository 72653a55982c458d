"""What the documentation says is done here: its files are written, its commands are run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "writing-a-plugin.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A code block: its language, its text, and the file that the line above it names."""

    language: str
    text: str
    file: str


def blocks(document: str) -> list[Block]:
    """Read the fenced blocks of a Markdown document."""
    found = []
    for match in FENCE.finditer(document):
        line_above = document[: match.start()].rstrip().rpartition("\n")[2]
        named = re.fullmatch(r"`([\w./-]+)`", line_above)
        found.append(Block(match[1], match[2], named[1] if named else ""))
    return found


def test_the_guide_for_plugin_authors_works(tmp_path, distribution, monkeypatch):
    project = tmp_path / "rlbench-first"
    answer: subprocess.CompletedProcess[str] | None = None
    monkeypatch.delenv("RLBENCH_PLUGINS", raising=False)

    def install() -> None:
        """Do what pip would do with the project as it stands."""
        written = tomllib.loads((project / "pyproject.toml").read_text())
        name, version = written["project"]["name"], written["project"]["version"]
        packages = written["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        files = [path for package in packages for path in (project / package).rglob("*.py")]
        distribution(
            name,
            {"rlbench": written["project"]["entry-points"]["rlbench"]},
            {str(path.relative_to(project)): path.read_text() for path in files},
            version=version,
            folder=f"{name}-{version}",
        )

    for block in blocks(GUIDE.read_text(encoding="utf-8")):
        if block.language in ("toml", "python"):
            assert block.file, f"no line above names the file of {block.text[:60]!r}"
            (project / block.file).parent.mkdir(parents=True, exist_ok=True)
            (project / block.file).write_text(block.text)
            continue
        check(answer, failed=block.text if block.language == "text" else "")
        answer = None
        for line in block.text.splitlines() if block.language == "sh" else ():
            check(answer)
            answer = None
            if line == "pip install -e .":
                install()
                continue
            program, *arguments = shlex.split(line)
            assert program in ("rlbench", "pytest")
            answer = subprocess.run(
                [sys.executable, "-m", program, *arguments],
                cwd=project,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
    check(answer)
    assert (project / "results").is_dir()


def check(answer: subprocess.CompletedProcess[str] | None, failed: str = "") -> None:
    """Check the last command: it succeeded, or it failed with the message that the next block shows."""
    if answer is None:
        return
    said = f"{answer.args}\n{answer.stdout}\n{answer.stderr}"
    if failed:
        assert (answer.returncode, answer.stderr) == (2, failed), said
    else:
        assert answer.returncode == 0, said


def test_every_hook_is_in_the_guide():
    from rlbench.plugins import EXTENSIONS

    text = GUIDE.read_text(encoding="utf-8")
    assert [hook for hook in EXTENSIONS if f"`{hook}`" not in text and f"def {hook}()" not in text] == []


def test_the_pipeline_runs_the_commands_of_the_readme_word_for_word():
    shown = subprocess.run(
        [ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True
    ).stdout
    install, everything = shown.splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [block.text.strip() for block in blocks(readme) if block.language == "sh"][:2] == [
        install,
        everything,
    ]
    assert install.endswith("rlbench run --algos dqn,a2c --seeds 5")
    assert everything.endswith("tox")
    assert all("-c constraints.txt" in command for command in (install, everything))


@pytest.mark.parametrize(
    "path", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
