"""Fixtures for every test: throw-away distributions, and the command line in a process of its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

InstallDistribution = Callable[..., Path]
RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallDistribution]:
    """Give ``install(name, entry_points, files, version="1.0", folder=None) -> Path``.

    It writes modules and a real ``.dist-info`` into a folder that is on the path of this process and of all
    its children until the test ends, as if pip had installed them. ``entry_points`` maps groups to
    ``{name: value}`` (a mapping without a group goes to ``rlbench``); ``files`` maps paths to text, which is
    dedented. An environment for tests: register it with gymnasium in the module of such a plugin.
    """
    folders: list[Path] = []
    modules_before = set(sys.modules)

    def install(
        name: str,
        entry_points: Mapping[str, Mapping[str, str] | str],
        files: Mapping[str, str],
        *,
        version: str = "1.0",
        folder: str | None = None,
    ) -> Path:
        root = tmp_path / "distributions" / (folder or name)
        groups = entry_points if all(isinstance(one, Mapping) for one in entry_points.values()) else None
        info = root / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in dict(points).items())
                for group, points in (groups or {"rlbench": entry_points}).items()
            )
        )
        for path, text in files.items():
            module = sys.modules.get(Path(path).parts[0].removesuffix(".py"))
            origin = Path(getattr(module, "__file__", None) or root)
            assert origin.is_relative_to(tmp_path), f"{origin} is imported already; give {path} another name"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text), encoding="utf-8")
        if root not in folders:
            folders.append(root)
            monkeypatch.syspath_prepend(root)
            path_before = os.environ.get("PYTHONPATH")
            monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(root), path_before])))
        importlib.invalidate_caches()
        return root

    yield install
    for module in set(sys.modules) - modules_before:
        origin = getattr(sys.modules[module], "__file__", None) or ""
        if any(Path(origin).is_relative_to(folder) for folder in folders):
            del sys.modules[module]


@pytest.fixture
def rlbench(tmp_path: Path) -> RunCommand:
    """Give ``rlbench(*arguments, env={}, cwd=tmp_path)``: the command line in a process of its own."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rlbench", *arguments],
            env={**os.environ, **(env or {})},
            cwd=cwd or tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
