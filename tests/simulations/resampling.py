"""The bootstrap of many simulated experiments at a time, mostly as products of matrices.

A resample is how often each run was drawn. A few experiments share their draws; the numbers are those of
``rlbench.analysis.aggregates``, which ``tests/analysis/test_coverage.py`` holds them to.
"""

from __future__ import annotations

import numpy as np

from rlbench.analysis.aggregates import suite_doubts

RESAMPLES = 2_000


def drawn(rng: np.random.Generator, environments: int, n: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Draw ``n`` runs of each environment with replacement, and say how often each came: ``[m, R, n]``."""
    places = rng.integers(0, n, (environments * resamples, n))
    places += n * np.arange(len(places))[:, None]
    counts = np.bincount(places.ravel(), minlength=places.size)
    return counts.reshape(environments, resamples, n).astype(np.float32)


def aggregates(scores: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Give each statistic of each resample of experiments ``[E, m, n]``: ``[E, R]`` by name."""
    means = _means(scores, counts)
    return {
        "iqm": _iqm(scores, counts),
        "mean": means.mean(axis=0),
        "median": np.median(means, axis=0),
        "optimality_gap": 1 - _means(np.minimum(scores, 1), counts).mean(axis=0),
    }


def above(scores: np.ndarray, threshold: float, counts: np.ndarray) -> np.ndarray:
    """Give the share of runs above a threshold in each resample of experiments ``[E, m, n]``: ``[E, R]``."""
    ones = np.concatenate((scores > threshold).swapaxes(0, 1), axis=-1).astype(np.float32)
    return ones @ np.concatenate(counts, axis=-1).T / np.float32(ones.shape[-1])  # whole numbers until here


def improvement(first: np.ndarray, second: np.ndarray, counts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give the probability of improvement in each resample of two ``[E, m, n]``: ``[E, R]``."""
    experiments, environments, n = first.shape
    total = np.zeros((counts.shape[1], experiments), dtype=np.float32)
    for place in range(environments):
        signs = np.sign(first[:, place, :, None] - second[:, place, None, :]).astype(np.float32)  # [E, n, n]
        wins = counts[place] @ np.ascontiguousarray(signs.swapaxes(0, 1)).reshape(n, -1)
        total += np.einsum("ren,rn->re", wins.reshape(-1, experiments, n), others[place])
    return np.asarray(0.5 + 0.5 * total.T / (environments * n * n))


def covers(found: np.ndarray, truth: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Say of resampled values ``[E, R]`` which intervals cover the truth, and which are not marked: ``[E]``.

    Without an interval, where all resamples are equal, nothing is covered.
    """
    ordered = np.sort(found, axis=-1)
    low, high = (_percentile(ordered, share) for share in (0.025, 0.975))
    marked = np.any(list(suite_doubts(n, found.T).values()), axis=0)
    return (low <= truth) & (truth <= high) & (low < high), ~marked


def _percentile(ordered: np.ndarray, share: float) -> np.ndarray:
    """Give numpy's percentile of rows in order: a line between the two nearest."""
    place = share * (ordered.shape[-1] - 1)
    below, part = int(place), np.float32(place % 1)
    return np.asarray(ordered[:, below] * (1 - part) + ordered[:, below + 1] * part)


def _means(scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Give the mean on each environment, ``[m, E, R]``."""
    return scores.swapaxes(0, 1) @ counts.swapaxes(1, 2) / np.float32(scores.shape[-1])


def _iqm(scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Give the interquartile mean, ``[E, R]``: runs in order, each as often as drawn and not cut off."""
    rows = np.concatenate(counts, axis=-1).T.astype(np.int16)  # [N, R]
    total = len(rows)
    cut = total // 4
    found = np.empty((len(scores), rows.shape[1]), dtype=np.float32)
    for place, mine in enumerate(scores.reshape(len(scores), -1)):
        order = np.argsort(mine)
        ordered, until = mine[order], rows[order]
        for index in range(1, total):
            until[index] += until[index - 1]  # how many are drawn up to this one
        np.clip(until, cut, total - cut, out=until)
        steps = np.append(-np.diff(ordered), ordered[-1])
        found[place] = (steps @ until.astype(np.float32) - cut * ordered[0]) / (total - 2 * cut)
    return found
