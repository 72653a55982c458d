"""Simulate, and write ``docs/coverage.json`` and the page from it.

``python -m simulations [--quick] [PART ...]``. Without parts all are simulated, which takes a quarter of an
hour on one core; ``--quick`` simulates a hundredth, and writes nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from simulations import bands, coverage, errors, over_environments, tables

DOCS = Path(__file__).parents[2] / "docs"
PARTS: dict[str, tuple[Callable[[int], Iterable[dict[str, Any]]], int]] = {
    "means": (coverage.of_means, 40_000),
    "differences": (coverage.of_differences, 10_000),
    "aggregates": (bands.of_aggregates, 10_000),
    "profiles": (bands.of_profiles, 8_000),
    "improvements": (bands.of_improvements, 2_000),
    "errors": (errors.of_families, 10_000),
    "power": (errors.of_power, 1_000),
    "suite_differences": (over_environments.of_effects, 10_000),
    "suite_errors": (over_environments.of_families, 10_000),
}


def main(arguments: list[str]) -> None:
    """Simulate the parts that are named, or all."""
    quick = "--quick" in arguments
    for part in [name for name in arguments if name != "--quick"] or PARTS:
        simulate, size = PARTS[part]
        start = time.perf_counter()
        size = size // 100 if quick else size
        rows = list(simulate(size))
        print(f"{part}: {len(rows)} rows in {time.perf_counter() - start:.0f} s", flush=True)
        if not quick:
            path = DOCS / "coverage.json"
            numbers = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            numbers[part] = {"size": size, "rows": rows}
            path.write_text(tables.as_json(numbers), encoding="utf-8")
    if not quick and set(numbers) == set(PARTS):
        (DOCS / "coverage.md").write_text(tables.page(numbers), encoding="utf-8")


main(sys.argv[1:])
