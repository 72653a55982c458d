"""Suites of environments with normalised scores of different distributions, and their true values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlbench.analysis.aggregates import STATISTICS, Runs

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
TRUTH = 200_000  # runs of every environment from which the true values are taken


@dataclass(frozen=True)
class Suite:
    """What a run scores on each environment: ``draws [m]``."""

    kind: str
    name: str
    draws: list[Draw]

    def experiments(self, rng: np.random.Generator, experiments: int, runs: int) -> np.ndarray:
        """Draw experiments ``[E, m, runs]``."""
        return np.stack([draw(rng, (experiments, runs)) for draw in self.draws], axis=1).astype(np.float32)

    def truth(self) -> dict[str, float]:
        """Give what each statistic tends to with ever more runs."""
        runs = Runs.of(self.many())
        return {name: float(statistic(runs)) for name, statistic in STATISTICS.items()}

    def improvement(self, lead: float) -> float:
        """Give how likely a run that has so much more beats another, ties counted half."""
        others, mine = np.sort(self.many()), np.array(self.many(1)) + lead
        sides = [
            np.searchsorted(one, more, side).mean()
            for one, more in zip(others, mine, strict=True)
            for side in ("left", "right")
        ]
        return float(np.mean(sides) / TRUTH)

    def many(self, stream: int = 0) -> list[np.ndarray]:
        """Draw very many runs of every environment."""
        rng = np.random.default_rng([len(self.draws), stream] if stream else len(self.draws))
        return [draw(rng, (TRUTH,)) for draw in self.draws]


def _normal(level: float, deviation: float = 0.1) -> Draw:
    return lambda rng, size: rng.normal(level, deviation, size)


def _exponential(level: float) -> Draw:
    return lambda rng, size: level + 0.1 * (rng.exponential(size=size) - 1)


def _gamma(level: float) -> Draw:
    return lambda rng, size: level + 0.1 * (rng.gamma(2, size=size) - 2)


def _ceiling(level: float) -> Draw:
    return lambda rng, size: np.minimum(rng.normal(level, 0.15, size), 1)


def _stuck(level: float, share: float) -> Draw:
    return lambda rng, size: np.where(rng.random(size) < share, 0.1, level) + rng.normal(0, 0.02, size)


def suites(environments: int) -> list[Suite]:
    """Give every suite that is simulated, with so many environments."""
    levels = np.linspace(0.3, 1.0, environments)
    near = np.linspace(0.8, 1.05, environments)
    mixed = [_normal, _exponential, _ceiling, lambda level: _stuck(level, 0.3), _gamma]
    return [
        Suite("normal", "normal, levels 0.3 to 1", [_normal(level) for level in levels]),
        Suite(
            "normal",
            "normal, spreads 0.02 to 0.4",
            [_normal(level, spread) for level, spread in
             zip(levels, np.geomspace(0.02, 0.4, environments), strict=True)],
        ),
        Suite("skewed", "exponential, skew 2", [_exponential(level) for level in levels]),
        Suite("bounded", "ceiling at 1", [_ceiling(level) for level in near]),
        Suite("bimodal", "50 % get stuck", [_stuck(level, 0.5) for level in levels]),
        Suite("bimodal", "20 % get stuck", [_stuck(level, 0.2) for level in levels]),
        Suite("mixed", "one of each in turn", [mixed[i % 5](level) for i, level in enumerate(levels)]),
    ]  # fmt: skip
