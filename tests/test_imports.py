"""What must stay cheap: importing the package and asking for help."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "pandas", "pyarrow", "scipy", "gymnasium", "seaborn", "matplotlib"}


def imported_by(statement: str) -> set[str]:
    """Give the top-level packages that a fresh interpreter has loaded after the statement."""
    report = "import sys; print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    program = f"try:\n    {statement}\nexcept SystemExit:\n    pass\n{report}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "statement",
    [
        "import rlbench",
        "from rlbench.cli import main; main(['--help'])",
        "from rlbench.cli import main; main(['--version'])",
    ],
)
def test_the_start_loads_no_numerics(statement):
    assert not imported_by(statement) & HEAVY


@pytest.mark.parametrize(
    "statement",
    [
        "main(['plugins'])",
        "main(['status'])",
        "main(['run', '--help'])",
        "main(['run', '--algos', 'dqn,a2c,reinforce', '--device', 'cpu', '--dry-run'])",
        "main(['report', '--help'])",
        "main(['compare', '--help'])",
        "main(['verify', '--help'])",
        "main(['replay', '--help'])",
        "main(['doctor', '--help'])",
    ],
)
def test_looking_around_loads_no_torch_and_no_plotting(statement):
    loaded = imported_by(f"from rlbench.cli import main; {statement}")
    assert not loaded & {"torch", "seaborn", "matplotlib"}


@pytest.mark.parametrize("driver", [False, True])
def test_torch_is_asked_for_a_device_only_where_a_driver_is(driver):
    asked = f"plan._has_driver = lambda: {driver}; plan.resolve_device('auto')"
    assert ("torch" in imported_by(f"from rlbench.running import plan; {asked}")) is driver


def test_this_test_can_fail():
    assert "numpy" in imported_by("import rlbench.api")
