"""Policy iteration: evaluate the policy, make it greedy for its own values, until nothing can be gained.

Sources: Howard, *Dynamic Programming and Markov Processes* (1960); Sutton and Barto (2018), sec. 4.2 and 4.3;
Puterman (2005), sec. 6.4, and sec. 6.5 for evaluation by a few sweeps (modified policy iteration).

The Bellman expectation equations, with ``p`` the mass of transitions that do not terminate, ``gamma`` < 1::

    v(s)    = sum_a pi(a | s) [ r(s, a) + gamma sum_s' p(s' | s, a) v(s') ]            (S&B eq. 4.4)
    q(s, a) = r(s, a) + gamma sum_s' p(s' | s, a) sum_a' pi(a' | s') q(s', a')         (S&B exercise 3.17)

Evaluation solves one of them as a sparse linear system (``evaluation = "exact"``) or applies it to the
values so far ``evaluation_sweeps`` times (``"sweeps"``, S&B eq. 4.5). Improvement keeps an action unless
another promises more (S&B eq. 4.9). The trace holds each iteration's residual of the Bellman optimality
equation, which is how much the improving sweep would change the values: ``max_s |max_a q(s, a) - v(s)|``.

The iterations stop when ``residual < tolerance (1 - gamma) / (2 gamma)``: the values are then within
``tolerance / (2 gamma)`` of the optimal ones, being within ``residual / (1 - gamma)``, and a greedy policy
is within ``tolerance`` of optimal (Puterman thm. 6.3.1, from these values). Exact evaluation gets there in
finitely many iterations: every improvement is strict, and there are finitely many policies (Puterman thm.
6.4.2).

Differences: actions whose values differ by at most ``tolerance`` count as tied and the lowest is reported,
as in value iteration; this can cost the reported policy up to ``tolerance / (1 - gamma)`` more. ``gamma`` =
1 is refused: a policy that need not end has no value to evaluate. Stopped by ``max_iterations``, the answer
carries no guarantee; its residual says how far it is.
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
class PolicyIterationConfig:
    """``values``: evaluate in V or in Q; ``tolerance``: the error bound, in units of return."""

    gamma: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.99
    tolerance: Positive = 1e-9
    max_iterations: PositiveInt = 10_000
    values: Literal["v", "q"] = "v"
    evaluation: Literal["exact", "sweeps"] = "exact"
    evaluation_sweeps: PositiveInt = 20


class PolicyIteration:
    """A :class:`rlbench.api.Solver`."""

    def __init__(self, task: Task, config: PolicyIterationConfig, rng: np.random.Generator) -> None:
        self.config = config

    def solve(self, mdp: MDP) -> Iterator[Sweep]:
        """Yield an evaluation and improvement at a time until the error bound is met."""
        config, states = self.config, np.arange(mdp.n_states)
        policy = greedy(mdp.rewards)  # [S]
        q = np.zeros((mdp.n_states, mdp.n_actions))  # [S, A]
        for iteration in range(1, config.max_iterations + 1):
            values, q = self._evaluate(mdp, policy, q)
            residual = float(np.abs(q.max(axis=1) - values).max())
            yield Sweep(iteration, greedy(q, config.tolerance), values, residual)
            if 2 * config.gamma * residual < config.tolerance * (1 - config.gamma):
                return
            better = q.max(axis=1) > q[states, policy]
            policy = np.where(better, q.argmax(axis=1), policy)

    def _evaluate(self, mdp: MDP, policy: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give ``v [S]`` of the policy, exact or from the values so far, and its backup ``q [S, A]``."""
        gamma, states = self.config.gamma, np.arange(mdp.n_states)
        if self.config.evaluation == "exact":
            if self.config.values == "v":
                values = mdp.policy_values(policy, gamma)
                return values, mdp.q_values(values, gamma)
            q = mdp.policy_q_values(policy, gamma)
            return q[states, policy], q
        for _ in range(self.config.evaluation_sweeps):
            q = mdp.q_values(q[states, policy], gamma)
        return q[states, policy], mdp.q_values(q[states, policy], gamma)
