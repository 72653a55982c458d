"""Value iteration: sweeps of the Bellman optimality equation over all states at once.

Sources: Bellman, *Dynamic Programming* (1957); Sutton and Barto (2018), sec. 4.4; Puterman (2005), sec. 6.3.

The Bellman optimality equations, with ``p`` the mass of transitions that do not terminate and ``gamma`` < 1::

    v*(s)    = max_a [ r(s, a) + gamma sum_s' p(s' | s, a) v*(s') ]            (S&B eq. 4.1)
    q*(s, a) = r(s, a) + gamma sum_s' p(s' | s, a) max_a' q*(s', a')           (S&B eq. 4.2)

A sweep puts the values of the sweep before into the right-hand side (S&B eq. 4.10), starting from zero, in
V or in Q. The trace holds each sweep's residual, the largest change of a value. The sweeps stop when ::

    residual < tolerance (1 - gamma) / (2 gamma)

which guarantees that the values are within ``tolerance / 2`` of the optimal ones in every state, and that a
greedy policy is within ``tolerance`` of optimal (Puterman thm. 6.3.1; the same contraction argument holds
in Q).

Differences: all states are backed up at once (S&B sweep in place). Actions whose values differ by at most
``tolerance`` count as tied and the lowest is taken, so that the policy does not depend on rounding; this
can cost the policy up to ``tolerance / (1 - gamma)`` more. Without discounting there is no such bound, so
``gamma`` = 1 is refused. Stopped by ``max_sweeps``, the answer carries no guarantee; its residual says how
far it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np

from rlbench.api import Positive, PositiveInt, Sweep, Task
from rlbench.environments.mdp import MDP, greedy


@dataclass(frozen=True)
class ValueIterationConfig:
    """``values``: iterate on V or on Q; ``tolerance``: the error bound, in units of return."""

    gamma: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.99
    tolerance: Positive = 1e-9
    max_sweeps: PositiveInt = 1_000_000
    values: Literal["v", "q"] = "v"


class ValueIteration:
    """A :class:`rlbench.api.Solver`."""

    def __init__(self, task: Task, config: ValueIterationConfig, rng: np.random.Generator) -> None:
        self.config = config

    def solve(self, mdp: MDP) -> Iterator[Sweep]:
        """Yield a sweep at a time until the error bound is met."""
        sweeps = self._sweeps_in_v(mdp) if self.config.values == "v" else self._sweeps_in_q(mdp)
        gamma, tolerance = self.config.gamma, self.config.tolerance
        for sweep in sweeps:
            yield sweep
            # The rule above, multiplied out so that gamma = 0 needs no case of its own.
            if 2 * gamma * sweep.residual < tolerance * (1 - gamma):
                return
            if sweep.iteration == self.config.max_sweeps:
                return

    def _sweeps_in_v(self, mdp: MDP) -> Iterator[Sweep]:
        values, iteration = np.zeros(mdp.n_states), 0  # [S]
        q = mdp.q_values(values, self.config.gamma)  # [S, A]
        while True:
            previous, values, iteration = values, q.max(axis=1), iteration + 1
            residual = float(np.abs(values - previous).max())
            q = mdp.q_values(values, self.config.gamma)
            yield Sweep(iteration, greedy(q, self.config.tolerance), values, residual)

    def _sweeps_in_q(self, mdp: MDP) -> Iterator[Sweep]:
        q, iteration = np.zeros((mdp.n_states, mdp.n_actions)), 0  # [S, A]
        while True:
            previous, q, iteration = q, mdp.q_values(q.max(axis=1), self.config.gamma), iteration + 1
            residual = float(np.abs(q - previous).max())
            yield Sweep(iteration, greedy(q, self.config.tolerance), q.max(axis=1), residual)
