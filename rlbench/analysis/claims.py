"""Claims: what the data say of two algorithms, in one small record each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MARGIN = 0.05
"""The share of the range from a random policy to the reference within which means count as equivalent."""


@dataclass(frozen=True)
class Claim:
    """What the data say of ``first`` and ``second``, the better mean first, on an environment or a suite.

    ``effect`` is the difference of the mean scores with Welch's 95 % interval ``low, high``, which is not
    corrected; ``weak`` says why it may be too narrow. ``p_corrected`` is that of the test behind the verdict,
    corrected over ``tests`` comparisons. ``verdict`` is ``better`` (the first is), ``equivalent`` (within
    ``margin``, that ``share`` of the range from random to reference), ``undecided`` or ``cannot be decided``;
    ``reason`` says what else decides or keeps it open, ``seeds_needed`` what it would take on each side.
    ``environments`` says on how many it is: with more than one, ``env`` reads like ``over 3 environments``
    and all numbers are of normalised scores: 0 a random policy, 1 the reference.
    """

    env: str
    first: str
    second: str
    metric: str
    verdict: str
    mean_first: float
    mean_second: float
    effect: float
    low: float
    high: float
    weak: str
    p_corrected: float
    tests: int
    n_first: int
    of_first: int
    n_second: int
    of_second: int
    margin: float
    share: float
    reason: str
    seeds_needed: float
    environments: int = 1

    @property
    def barred(self) -> bool:
        """Whether the two could not be compared at all, for the ``reason``."""
        return self.verdict == "cannot be decided" and self.reason != ""


COLUMNS = [field.name for field in fields(Claim)]


def claims_of(pairs: pd.DataFrame, metric: str = "final", share: float = MARGIN) -> list[Claim]:
    """Make the claims of a frame of ``comparisons.compare_pairs`` or ``suite_comparisons.compare_suite``.

    Its margins are ``share`` of ranges.
    """
    known = [name for name in COLUMNS if name in pairs]
    return [
        Claim(
            **{name: row[name] for name in known if name != "p_corrected"},
            metric=metric,
            effect=row["difference"],
            p_corrected=row["p_equivalent" if row["verdict"] == "equivalent" else "p_corrected"],
            share=share,
        )
        for row in pairs.to_dict("records")
    ]


def margins(references: pd.DataFrame, share: float) -> dict[str, float]:
    """Give ``share`` of the range between ``random`` and ``reference`` for the ``env`` of every row."""
    ranges = (references["reference"] - references["random"]).abs()
    return dict(zip(references["env"], share * ranges, strict=True))
