"""How scores of trials may be distributed: samplers with exact means, on a scale from 0 to about 500."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A distribution of scores; ``kind`` is normal, skewed, bounded, bimodal or ``rare failures``."""

    kind: str
    name: str
    draw: Draw
    mean: float
    deviation: float

    def scaled(self, factor: float) -> Shape:
        """Give the same with scores times ``factor``."""
        return Shape(
            self.kind,
            self.name,
            lambda rng, size: factor * self.draw(rng, size),
            factor * self.mean,
            factor * self.deviation,
        )


def normal(mean: float, deviation: float) -> Shape:
    """Give a normal distribution."""
    return Shape("normal", "normal", lambda rng, size: rng.normal(mean, deviation, size), mean, deviation)


def _heavy_tails() -> Shape:
    return Shape(
        "normal",
        "heavy tails, t(3)",
        lambda rng, size: 300 + 30 * rng.standard_t(3, size),
        300,
        30 * math.sqrt(3),
    )


def _gamma(k: float) -> Shape:
    return Shape(
        "skewed",
        f"gamma, skew {2 / math.sqrt(k):.1f}",
        lambda rng, size: 100 * rng.gamma(k, size=size),
        100 * k,
        100 * math.sqrt(k),
    )


def _log_normal(sigma: float, skew: str) -> Shape:
    mean = 100 * math.exp(sigma**2 / 2)
    return Shape(
        "skewed",
        f"log-normal, skew {skew}",
        lambda rng, size: 100 * rng.lognormal(0, sigma, size),
        mean,
        mean * math.sqrt(math.expm1(sigma**2)),
    )


def _beta(a: float, b: float, note: str = "") -> Shape:
    law = stats.beta(a, b, scale=500)
    return Shape(
        "bounded",
        f"beta({a:g}, {b:g}){note}",
        lambda rng, size: 500 * rng.beta(a, b, size),
        float(law.mean()),
        float(law.std()),
    )


def _ceiling(centre: float) -> Shape:
    """Runs whose scores would be N(centre, 50), but cannot exceed 500."""
    z = (500 - centre) / 50
    below, density = stats.norm.cdf(z), stats.norm.pdf(z)
    short = 50 * (z * below + density)  # of 500, on average
    square = 50**2 * ((1 + z**2) * below + z * density)
    return Shape(
        "bounded",
        f"{1 - below:.0%} at the ceiling of 500",
        lambda rng, size: np.minimum(rng.normal(centre, 50, size), 500),
        float(500 - short),
        float(np.sqrt(square - short**2)),
    )


def _stuck(share: float, kind: str = "bimodal", low: float = 100, noise: float = 10) -> Shape:
    """Runs that reach 500, but for a share that gets stuck."""
    return Shape(
        kind,
        f"{1 - share:.0%} at 500, {share:.0%} at {low:.0f}",
        lambda rng, size: np.where(rng.random(size) < share, low, 500) + rng.normal(0, noise, size),
        500 - share * (500 - low),
        float(np.sqrt(share * (1 - share) * (500 - low) ** 2 + noise**2)),
    )


def shapes() -> list[Shape]:
    """Give every shape that is simulated."""
    heavy = 30 * math.sqrt(3)  # the deviation of Student's t with 3 degrees is the root of 3
    return [
        normal(300, 50),
        Shape(
            "normal", "heavy tails, t(3)", lambda rng, size: 300 + 30 * rng.standard_t(3, size), 300, heavy
        ),
        _gamma(8),
        _gamma(4),
        _gamma(2),
        _gamma(1),
        _log_normal(0.314, "1.0"),
        _log_normal(0.5, "1.8"),
        _log_normal(1, "6.2"),
        _beta(1, 1, ", uniform"),
        _beta(2, 2),
        _beta(5, 1, ", skew -1.2"),
        _beta(0.5, 0.5),
        _ceiling(450),
        _ceiling(500),
        _ceiling(550),
        _stuck(0.5),
        _stuck(0.5, low=425, noise=25),
        _stuck(0.3),
        _stuck(0.2, "rare failures"),
        _stuck(0.1, "rare failures"),
        _stuck(0.05, "rare failures"),
        _stuck(0.02, "rare failures"),
    ]
