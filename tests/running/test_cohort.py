"""How trials are packed into cohorts: evenly, every core busy, single-seed algorithms by themselves."""

from __future__ import annotations

import pytest
from synthetic import identity

from rlbench.running.cohort import LARGEST, Cohort, Pending, pack

TEMPLATE = Cohort(trials=[], device="cpu")


def sizes(labels: str, seeds: int, jobs: int, **changes) -> list[tuple[str, list[int]]]:
    pending = [Pending(identity(label, seed=seed, **changes)) for label in labels for seed in range(seeds)]
    return [(cohort.identity.label, cohort.seeds) for cohort in pack(pending, jobs=jobs, template=TEMPLATE)]


@pytest.mark.parametrize(
    ("seeds", "jobs", "expected"),
    [(5, 1, [5]), (5, 2, [3, 2]), (1, 4, [1]), (200, 1, [100, 100]), (101, 1, [51, 50]), (6, 4, [2, 2, 2])],
)
def test_the_seeds_of_one_algorithm_are_split_evenly_over_the_processes(seeds, jobs, expected):
    packed = sizes("a", seeds, jobs)
    assert [len(found) for _, found in packed] == expected
    assert [seed for _, found in packed for seed in found] == list(range(seeds))
    assert max(expected) <= LARGEST


def test_where_there_are_algorithms_enough_their_seeds_stay_together():
    assert [len(found) for _, found in sizes("abcd", 5, 2)] == [5] * 4


def test_a_single_seed_algorithm_has_a_process_for_each_seed():
    assert sizes("a", 3, 2, kind="agent") == [("a", [0]), ("a", [1]), ("a", [2])]


def test_trials_that_stand_at_different_steps_do_not_share_a_process():
    pending = [Pending(identity("a", seed=seed), step=100 * (seed % 2)) for seed in range(4)]
    packed = pack(pending, jobs=1, template=TEMPLATE)
    assert [(cohort.seeds, cohort.step) for cohort in packed] == [([0, 2], 0), ([1, 3], 100)]
