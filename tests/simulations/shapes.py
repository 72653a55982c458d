"""How scores of trials may be distributed: samplers with their exact means, on a scale from 0 to about 500."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A distribution of scores; ``kind`` is normal, skewed, bounded or bimodal."""

    kind: str
    name: str
    draw: Draw
    mean: float
    deviation: float


def _continuous(kind: str, name: str, law: stats.rv_continuous) -> Shape:
    """Take a frozen distribution of scipy, in units of 100."""
    return Shape(
        kind,
        name,
        lambda rng, size: 100 * law.ppf(rng.random(size)),
        100 * float(law.mean()),
        100 * float(law.std()),
    )


def _ceiling(centre: float) -> Shape:
    """Runs whose scores would be N(centre, 50), but cannot exceed 500."""
    z = (500 - centre) / 50
    below, density = stats.norm.cdf(z), stats.norm.pdf(z)
    short = 50 * (z * below + density)  # of 500, on average
    square = 50**2 * ((1 + z**2) * below + z * density)
    return Shape(
        "bounded",
        f"{1 - below:.0%} of runs at the ceiling of 500",
        lambda rng, size: np.minimum(rng.normal(centre, 50, size), 500),
        float(500 - short),
        float(np.sqrt(square - short**2)),
    )


def _stuck(share: float, low: float = 100, noise: float = 10) -> Shape:
    """Runs that reach 500, but for a share that gets stuck."""
    return Shape(
        "bimodal",
        f"{1 - share:.0%} at 500, {share:.0%} at {low:.0f}",
        lambda rng, size: np.where(rng.random(size) < share, low, 500) + rng.normal(0, noise, size),
        500 - share * (500 - low),
        float(np.sqrt(share * (1 - share) * (500 - low) ** 2 + noise**2)),
    )


def shapes() -> list[Shape]:
    """Give every shape that is simulated."""
    return [
        _continuous("normal", "normal", stats.norm(3, 0.5)),
        _continuous("normal", "heavy tails (t with 3 degrees)", stats.t(3, loc=3, scale=0.3)),
        _continuous("skewed", "gamma, skew 0.7", stats.gamma(8)),
        _continuous("skewed", "gamma, skew 1.0", stats.gamma(4)),
        _continuous("skewed", "gamma, skew 1.4", stats.gamma(2)),
        _continuous("skewed", "exponential, skew 2.0", stats.expon()),
        _continuous("skewed", "log-normal, skew 1.0", stats.lognorm(0.314)),
        _continuous("skewed", "log-normal, skew 1.7", stats.lognorm(0.5)),
        _continuous("skewed", "log-normal, skew 6.2", stats.lognorm(1.0)),
        _continuous("bounded", "uniform", stats.uniform(0, 5)),
        _continuous("bounded", "beta(2, 2)", stats.beta(2, 2, scale=5)),
        _continuous("bounded", "beta(5, 1), skew -1.2", stats.beta(5, 1, scale=5)),
        _continuous("bounded", "beta(0.5, 0.5), at both bounds", stats.beta(0.5, 0.5, scale=5)),
        _ceiling(450),
        _ceiling(500),
        _ceiling(550),
        _stuck(0.5),
        _stuck(0.5, low=425, noise=25),
        _stuck(0.3),
        _stuck(0.2),
        _stuck(0.1),
        _stuck(0.05),
    ]
