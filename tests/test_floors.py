"""The house has floors: a module imports only from lower floors and from its own folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import rlbench as package

ROOT = Path(package.__file__).parent
FLOORS = (
    ("api", "yardsticks", "hookspecs", "discovery"),
    ("environments", "kit", "plugins", "results"),
    ("algorithms", "analysis"),
    ("running", "reports"),
    ("stored",),
    ("loaded",),
    ("experiment", "comparing"),
    ("conformance",),
    ("cli",),
    ("__main__",),
)
ALGORITHMS_MAY_IMPORT = ("rlbench.api", "rlbench.hookspecs", "rlbench.kit", "rlbench.environments.mdp")
AT_HOME = {
    "torch": ("kit", "algorithms"),
    "seaborn": ("reports",),
    "matplotlib": ("reports",),
}


def floor_of(part: str) -> int:
    """Give the floor of a folder or module directly under ``rlbench``."""
    for floor, parts in enumerate(FLOORS):
        if part in parts:
            return floor
    raise AssertionError(f"rlbench/{part} stands on no floor; give it one:\n{drawing()}")


def drawing() -> str:
    """Draw the house, the roof on top."""
    lines = [f"  floor {floor}   {'   '.join(parts)}" for floor, parts in reversed(list(enumerate(FLOORS)))]
    return "\n".join(["", *lines, "  imports go down, or stay in their folder", ""])


def imports(source: str) -> Iterator[str]:
    """Give the dotted name of everything a module imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(modules: Mapping[str, str]) -> list[str]:
    """Check modules, given as dotted name to source: one line for each import that is not allowed."""
    found = []
    for module, source in modules.items():
        if module == "rlbench":
            continue  # the front door: it names what the house offers, and imports it when asked
        part = module.split(".")[1]
        for target in imports(source):
            top, *rest = target.split(".")
            if top in AT_HOME and part not in AT_HOME[top]:
                found.append(f"{module} imports {top}, which is at home in {', '.join(AT_HOME[top])}")
            if top != "rlbench" or not rest or rest[0] == "__version__" or rest[0] == part:
                continue
            if floor_of(rest[0]) >= max(floor_of(part), 1):  # the ground floor is one room
                found.append(
                    f"{module} (floor {floor_of(part)}) imports {target} (floor {floor_of(rest[0])})"
                )
            if part == "algorithms" and not f"{target}.".startswith(
                tuple(f"{allowed}." for allowed in ALGORITHMS_MAY_IMPORT)
            ):
                found.append(f"{module} imports {target}; algorithms import only {ALGORITHMS_MAY_IMPORT}")
    return found


def house() -> dict[str, str]:
    """Read every module of the package."""
    modules = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("rlbench", *path.relative_to(ROOT).with_suffix("").parts)
        modules[".".join(parts).removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return modules


def test_imports_go_down():
    modules = house()
    assert len(modules) > 10
    wrong = violations(modules)
    assert not wrong, "\n".join([drawing(), *wrong])


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("rlbench.kit.replay", "from rlbench.running.plan import Plan", "floor 3"),
        ("rlbench.results.store", "from rlbench import plugins", "floor 1"),
        ("rlbench.results.store", "def f():\n    import rlbench.cli", "floor 8"),
        ("rlbench.algorithms.dqn", "from rlbench.environments.vector import make", "only"),
        ("rlbench.algorithms.dqn", "from rlbench.plugins import load_catalogue", "only"),
        ("rlbench.running.worker", "import torch.nn", "at home in kit, algorithms"),
        ("rlbench.analysis.curves", "from matplotlib import pyplot", "at home in reports"),
    ],
)
def test_a_forbidden_import_is_found(module, source, complaint):
    (wrong,) = violations({module: source})
    assert complaint in wrong


def test_a_folder_without_a_floor_is_found():
    with pytest.raises(AssertionError, match="stands on no floor"):
        violations({"rlbench.utils": "from rlbench import api"})


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("rlbench.algorithms.dqn", "import torch\nfrom rlbench.environments.mdp import MDP"),
        ("rlbench.algorithms.a2c", "from rlbench.algorithms.policies import head"),
        ("rlbench.cli.run", "from rlbench import __version__, experiment"),
    ],
)
def test_an_allowed_import_is_left_alone(module, source):
    assert violations({module: source}) == []
