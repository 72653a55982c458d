"""Two versions of the same work, paired seed by seed: what changed, and whether that is decided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rlbench.analysis.comparisons import LEVEL, holm
from rlbench.analysis.intervals import spread, student_t, weakness
from rlbench.analysis.scores import CELL
from rlbench.results.rows import name_seeds

EXACT_FLIPS = 20
"""Differences up to which every flip of their signs is counted."""

FLIPS = 99_999
SPEED = "steps_per_second"
COLUMNS = [
    "algorithm", "env", "metric", "mean_a", "mean_b", "difference", "low", "high", "weak", "p", "p_smallest",
    "p_corrected", "tests", "n", "of", "verdict", "reason", "notes",
]  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """The trials of two folders, with their ``score`` by one metric."""

    metric: str
    a: pd.DataFrame
    b: pd.DataFrame
    higher_is_better: bool = True


@dataclass
class _Pairs:
    """One cell's scores by one metric on the seeds that both sides have: ``[n]``, NaN where there is none."""

    algorithm: str
    env: str
    scored: Scored
    a: np.ndarray
    b: np.ndarray
    notes: str
    reason: str
    untested: str = ""

    @property
    def both(self) -> np.ndarray:
        """On which seeds both sides have a score."""
        return np.isfinite(self.a) & np.isfinite(self.b)

    @property
    def differences(self) -> np.ndarray:
        """B - A where both have a score."""
        return self.b[self.both] - self.a[self.both]

    @property
    def identical(self) -> bool:
        """Whether every score is the same to the bit."""
        return bool(self.both.any() and np.array_equal(self.a[self.both], self.b[self.both]))

    @property
    def testable(self) -> bool:
        """Whether a test could say something."""
        return not (self.reason or self.untested or self.identical) and len(self.differences) >= 2


def sign_flip_p(differences: np.ndarray, seed: int = 0) -> float:
    """Give the two-sided p-value of the sign-flip permutation test of the mean of differences ``[n]``.

    Where A and B are interchangeable within a pair, each difference is as likely with either sign (Fisher
    1935, section 21; Lehmann and Romano 2005, section 15.2.1). With the absolute differences given, the mean
    orders the flips as Student's t does. Up to 20 differences that are not 0 every flip is counted, else
    99 999 random ones and the one at hand (Phipson and Smyth 2010), seeded.
    """
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    if not np.isfinite(moved).all():  # an overflow: nothing is shown
        return 1.0
    moved = moved / np.abs(moved).max()
    observed = abs(moved.sum()) - 1e-10  # sums in another order differ a little
    if len(moved) <= EXACT_FLIPS:
        sums = moved[:1]  # with its sign as it is: each flip and its mirror tie
        for value in moved[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= observed))
    rng = np.random.default_rng(seed)
    extreme = 0
    for start in range(0, FLIPS, 10_000):
        signs = rng.integers(0, 2, (min(10_000, FLIPS - start), len(moved)), dtype=np.int8) * 2 - 1  # [R, n]
        extreme += int(np.count_nonzero(np.abs(signs @ moved) >= observed))
    return (extreme + 1) / (FLIPS + 1)


def smallest_flip_p(n: int) -> float:
    """Give the smallest p-value that the sign-flip test can attain with ``n`` differences other than 0."""
    return 2.0 ** (1 - n) if 0 < n <= EXACT_FLIPS else 1.0 if n == 0 else 1 / (FLIPS + 1)


def compare_versions(
    scored: Sequence[Scored],
    unlike: Mapping[tuple[str, str], str] | None = None,
    notes: Mapping[tuple[str, str], str] | None = None,
    untested: Mapping[tuple[str, str], str] | None = None,
) -> pd.DataFrame:
    """Compare B with A, cell by cell and metric by metric, paired by seed.

    Columns: ``algorithm, env, metric``; over the ``n`` pairs with a score on both sides, of the ``of`` seeds
    that both have, ``mean_a, mean_b`` and their ``difference`` (B - A) with its 95 % interval ``low, high``
    (Student t of the paired differences), and why that may be too narrow in ``weak``; ``p`` of the sign-flip
    test, with missing scores imputed against the difference where that makes it larger, ``p_smallest`` that
    it could attain, and ``p_corrected`` after Holm over the ``tests`` rows that were tested; ``verdict``:
    ``better`` or ``worse`` (B is), ``identical`` (every pair to the bit), ``undecided``, or ``cannot be
    decided`` where no signs of these differences could pass; ``reason`` for a row that is open for want of
    scores or of a counterpart; ``notes``: what else is not alike, and seeds that only one side has.

    ``unlike`` says by cell why two sides are not the same problem or budget: such cells are not compared.
    ``untested`` says why the test would not hold: such cells have a difference and no p, and are undecided.
    Identical rows are not tests: with every difference 0 they cannot be rejected, and the test is one given
    the absolute differences, so that leaving them out is fair (Tarone 1990).
    """
    rows = [row for one in scored for row in _paired(one, unlike or {}, notes or {})]
    for row in rows:
        row.untested = (untested or {}).get((row.algorithm, row.env), "")
    floors = np.array([smallest_flip_p(int(np.count_nonzero(row.differences))) for row in rows])
    tested = np.array([row.testable for row in rows], dtype=bool)
    observed, safe = (np.full(len(rows), math.nan) for _ in range(2))
    for index in np.flatnonzero(tested):
        observed[index] = sign_flip_p(rows[index].differences)
        safe[index] = max(observed[index], _p_at_worst(rows[index]))
    seen, corrected, reachable = (np.full(len(rows), math.nan) for _ in range(3))
    for target, p in ((seen, observed), (corrected, safe), (reachable, floors)):
        target[tested] = holm(p[tested])
    return pd.DataFrame(
        [
            {
                **_measured(row),
                "p": safe[index],
                "p_smallest": floors[index] if tested[index] else math.nan,
                "p_corrected": corrected[index],
                "tests": int(tested.sum()),
                **_judged(row, seen[index], corrected[index], reachable[index]),
                "notes": row.notes,
            }
            for index, row in enumerate(rows)
        ],
        columns=COLUMNS,
    )


def _measured(row: _Pairs) -> dict[str, Any]:
    """Give the means, their difference and its interval; where nothing compares, each side's own mean."""
    comparable = not row.reason
    differences = row.differences if comparable else np.empty(0)
    n = len(differences)
    mean = differences.mean() if n else math.nan
    deviation = spread(differences) if n > 1 else math.nan
    low, high = student_t(np.array(mean), np.array(deviation), np.array(n))
    return {
        "algorithm": row.algorithm,
        "env": row.env,
        "metric": row.scored.metric,
        "mean_a": _mean(row.a[row.both] if n else row.a),
        "mean_b": _mean(row.b[row.both] if n else row.b),
        "difference": mean,
        "low": float(low),
        "high": float(high),
        "weak": weakness(differences) if n and not row.identical else "",
        "n": len(row.differences),
        "of": len(row.a),
    }


def _judged(row: _Pairs, seen: float, corrected: float, reachable: float) -> dict[str, str]:
    """Give the verdict and what stands in its way; p-values are NaN where nothing was tested."""
    if row.reason:
        return {"verdict": "cannot be decided", "reason": row.reason}
    if row.identical:
        return {"verdict": "identical", "reason": ""}
    if row.untested:
        return {"verdict": "undecided", "reason": row.untested}
    if corrected <= LEVEL:
        improved = (row.differences.mean() > 0) == row.scored.higher_is_better
        return {"verdict": "better" if improved else "worse", "reason": ""}
    reason = "one pair is no test" if len(row.differences) == 1 else ""
    if not row.both.any() or seen <= LEVEL:
        reason = _missing(row.a, row.b)
    return {"verdict": "undecided" if reachable <= LEVEL else "cannot be decided", "reason": reason}


def speeds(a: pd.DataFrame, b: pd.DataFrame, reasons: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Give the same columns for ``steps_per_second`` of finished trials, shown and never judged.

    There is no interval: seeds that trained together share their time. ``reasons`` by cell go along.
    """
    frames = [side.assign(score=side[SPEED].where(side["status"] == "finished")) for side in (a, b)]
    table = [
        {
            **_measured(row),
            **dict.fromkeys(["low", "high"], math.nan),
            **{"weak": "", "tests": 0, "verdict": "not judged", "notes": ""},
            "reason": reasons.get((row.algorithm, row.env), ""),
        }
        for row in _paired(Scored(SPEED, *frames), {}, {})
        if row.both.any()
    ]
    return pd.DataFrame(table, columns=COLUMNS)


def _paired(
    scored: Scored, unlike: Mapping[tuple[str, str], str], notes: Mapping[tuple[str, str], str]
) -> Iterator[_Pairs]:
    """Put the scores of both sides beside each other; a cell that one side lacks has none there."""
    a, b = (_by_seed(side) for side in (scored.a, scored.b))
    for cell in sorted({*a, *b}):
        if cell not in a or cell not in b:
            own = (a if cell in a else b)[cell].to_numpy()
            lacking = np.full(len(own), math.nan)
            mine, others = (own, lacking) if cell in a else (lacking, own)
            yield _Pairs(*cell, scored, mine, others, "", f"only in {'A' if cell in a else 'B'}")
            continue
        seeds = sorted({*a[cell].index} & {*b[cell].index})
        one, other = a[cell][seeds].to_numpy(), b[cell][seeds].to_numpy()
        told = [notes.get(cell, ""), _missing(one, other) if seeds else ""]
        for side, scores in (("A", a[cell]), ("B", b[cell])):
            alone = {*scores.index} - {*seeds}
            told.append(f"only in {side}: {name_seeds(alone)}" if alone else "")
        reason = unlike.get(cell, "" if seeds else "no seed in common")
        yield _Pairs(*cell, scored, one, other, "; ".join(filter(None, told)), reason)


def _by_seed(side: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    """Give each cell's scores by seed; of a trial that is there twice, the copy that has one."""
    ordered = side.sort_values("score", na_position="last", kind="stable").drop_duplicates([*CELL, "seed"])
    return {
        (str(algorithm), str(env)): rows.set_index("seed")["score"].astype(float).sort_index()
        for (algorithm, env), rows in ordered.groupby(CELL, sort=True)
    }


def _missing(a: np.ndarray, b: np.ndarray) -> str:
    """Say how many trials have no score, as in ``1 of 5 trials of A has no score``."""
    lacks = [(side, int((~np.isfinite(scores)).sum())) for side, scores in (("A", a), ("B", b))]
    return " and ".join(
        f"{lack} of {len(a)} trials of {side} {'has' if lack == 1 else 'have'} no score"
        for side, lack in lacks
        if lack
    )


def _p_at_worst(row: _Pairs) -> float:
    """Give p with each missing score the one seen that speaks most against the difference; 1 if it turns."""
    if row.both.all():
        return 0.0
    sign = np.sign(row.differences.mean())
    seen = sign * np.concatenate([row.a, row.b])
    a = np.where(np.isfinite(row.a), sign * row.a, np.nanmax(seen))
    b = np.where(np.isfinite(row.b), sign * row.b, np.nanmin(seen))
    return sign_flip_p(b - a) if (b - a).mean() > 0 else 1.0


def _mean(scores: np.ndarray) -> float:
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else math.nan
