"""Tabular Markov decision processes: the exact model of an environment, and exact values of policies.

Sources: Sutton and Barto, *Reinforcement Learning* (2nd ed., 2018), chapter 4, and Puterman, *Markov Decision
Processes* (2005), chapters 4 and 6. With ``S`` states and ``A`` actions, ``p(s' | s, a)`` below is the mass
of those transitions that do not terminate: what comes after a termination is worth nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

# Wrappers that leave the table true: the time limit is an argument of every method that needs it.
_TRANSPARENT = frozenset({"OrderEnforcing", "PassiveEnvChecker", "TimeLimit"})


@dataclass(frozen=True, eq=False)
class MDP:
    """A finite model: ``continuing [S * A, S]``, ``rewards [S, A]``, ``initial [S]``.

    Row ``s * A + a`` of ``continuing`` holds the probabilities of the transitions that do not terminate, so
    it sums to one minus the probability that the episode ends there. ``rewards`` are expected over all
    transitions.
    """

    continuing: sparse.csr_array
    rewards: np.ndarray
    initial: np.ndarray

    @classmethod
    def from_environment(cls, env: Any) -> MDP:
        """Read ``env.unwrapped.P``; raises ``ValueError`` with the reason where no table can be trusted."""
        if reason := why_no_model(env):
            raise ValueError(reason)
        return cls.from_table(env.unwrapped.P, _initial_distribution(env))

    @classmethod
    def from_table(
        cls, table: Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]], initial: np.ndarray
    ) -> MDP:
        """Read ``table[s][a] = [(probability, next state, reward, terminated), ...]``.

        Raises ``ValueError`` where the probabilities of a state and action do not sum to one.
        """
        n_states, n_actions = len(table), len(table[0])
        rewards = np.zeros((n_states, n_actions))  # [S, A]
        total = np.zeros((n_states, n_actions))  # [S, A]
        rows, columns, mass = [], [], []
        for state, action, probability, successor, reward, terminated in _transitions(table):
            rewards[state, action] += probability * reward
            total[state, action] += probability
            if not terminated:
                rows.append(state * n_actions + action)
                columns.append(successor)
                mass.append(probability)
        initial = np.asarray(initial, dtype=np.float64)
        if np.abs(total - 1).max() > 1e-9 or initial.shape != (n_states,) or abs(initial.sum() - 1) > 1e-9:
            raise ValueError("the transition table is no model: its probabilities do not sum to one")
        continuing = sparse.coo_array((mass, (rows, columns)), shape=(n_states * n_actions, n_states)).tocsr()
        return cls(continuing, rewards, initial)

    @property
    def n_states(self) -> int:
        """``S``, the number of states."""
        return self.rewards.shape[0]

    @property
    def n_actions(self) -> int:
        """``A``, the number of actions."""
        return self.rewards.shape[1]

    def q_values(self, values: np.ndarray, gamma: float) -> np.ndarray:
        """Back up ``values [S]`` to ``q(s, a) = r(s, a) + gamma sum_s' p(s' | s, a) v(s')``, ``[S, A]``.

        S&B eq. 4.6.
        """
        return self.rewards + gamma * (self.continuing @ values).reshape(self.rewards.shape)

    def policy_matrix(self, policy: np.ndarray) -> sparse.csr_array:
        """Give ``pi`` as a matrix ``[S, S * A]`` that averages a column ``[S * A]`` over the actions.

        ``policy`` holds actions ``[S]`` or probabilities ``[S, A]``; raises ``ValueError`` if it is neither.
        """
        states, actions = np.arange(self.n_states), np.arange(self.n_actions)
        policy = np.asarray(policy)
        if policy.shape == (self.n_states,) and np.isin(policy, actions).all():
            policy = (policy[:, None] == actions).astype(np.float64)  # [S, A]
        elif (
            policy.shape != self.rewards.shape
            or not (policy >= 0).all()
            or np.abs(policy.sum(axis=1) - 1).max() > 1e-6
        ):
            raise ValueError(
                f"not a policy for {self.n_states} states and {self.n_actions} actions; "
                "give actions [S] or probabilities [S, A]"
            )
        pairs = (states[:, None] * self.n_actions + actions).ravel()  # [S * A]
        shape = (self.n_states, self.n_states * self.n_actions)
        return sparse.csr_array((policy.ravel(), (states.repeat(self.n_actions), pairs)), shape=shape)

    def policy_values(self, policy: np.ndarray, gamma: float) -> np.ndarray:
        """Solve ``v = r_pi + gamma P_pi v`` for ``v [S]``, with ``gamma`` < 1 (S&B eq. 4.4).

        ``policy`` holds actions ``[S]`` or probabilities ``[S, A]``. Raises ``ValueError`` for other
        discounts: a policy that need not end has no undiscounted value; :meth:`expected_return` always
        exists.
        """
        _check_discount(gamma)
        average = self.policy_matrix(policy)
        system = sparse.eye_array(self.n_states) - gamma * (average @ self.continuing)
        return linalg.spsolve(system.tocsc(), average @ self.rewards.ravel())

    def policy_q_values(self, policy: np.ndarray, gamma: float) -> np.ndarray:
        """Solve ``q(s, a) = r(s, a) + gamma sum_s' p(s' | s, a) sum_a' pi(a' | s') q(s', a')``, ``[S, A]``.

        The Bellman expectation equation in Q (S&B exercise 3.17); arguments and errors as in
        :meth:`policy_values`.
        """
        _check_discount(gamma)
        average = self.policy_matrix(policy)
        system = sparse.eye_array(self.rewards.size) - gamma * (self.continuing @ average)
        return linalg.spsolve(system.tocsc(), self.rewards.ravel()).reshape(self.rewards.shape)

    def optimal_values(self, gamma: float, tolerance: float = 1e-10) -> np.ndarray:
        """Give the optimal values ``v* [S]`` to within ``tolerance`` in every state, for ``gamma`` < 1.

        Policy iteration with linear solves (Puterman sec. 6.4): it ends when no action promises more than
        ``(1 - gamma) tolerance`` over the current one, and ``max(Tv - v) <= d`` bounds ``v* - v`` by
        ``d / (1 - gamma)`` (Puterman thm. 6.2.2).
        """
        policy = self.rewards.argmax(axis=1)  # [S]
        values = self.policy_values(policy, gamma)
        while True:
            q = self.q_values(values, gamma)
            gain = q.max(axis=1) - q[np.arange(self.n_states), policy]
            better = gain > (1 - gamma) * tolerance
            policy = np.where(better, q.argmax(axis=1), policy)
            improved = self.policy_values(policy, gamma)
            # Improvement is monotone; a sum that no longer grows has met the rounding of the solve.
            if not better.any() or improved.sum() <= values.sum():
                return values
            values = improved

    def expected_return(self, policy: np.ndarray, horizon: int) -> float:
        """Give the expected undiscounted return of an episode cut off after ``horizon`` steps.

        Backward recursion ``v_h = r_pi + P_pi v_(h-1)``, ``v_0 = 0`` (Puterman sec. 4.2), averaged over the
        initial distribution. ``policy`` holds actions ``[S]`` or probabilities ``[S, A]``.
        """
        average = self.policy_matrix(policy)
        rewards, continuing = average @ self.rewards.ravel(), average @ self.continuing
        values = np.zeros(self.n_states)
        for _ in range(horizon):
            values = rewards + continuing @ values
        return float(self.initial @ values)

    def optimal_return(self, horizon: int) -> float:
        """Give the best expected return of an episode of ``horizon`` steps that any policy can reach.

        Backward recursion with ``v_h = max_a [r + P v_(h-1)]`` (Puterman sec. 4.5): the best policy may
        look at the time that is left, so no stationary policy returns more.
        """
        values = np.zeros(self.n_states)
        for _ in range(horizon):
            values = self.q_values(values, 1.0).max(axis=1)
        return float(self.initial @ values)


def greedy(q_values: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
    """Give for ``q_values [S, A]`` the lowest action within ``tolerance`` of the best one, ``[S]``."""
    return (q_values >= q_values.max(axis=1, keepdims=True) - tolerance).argmax(axis=1)


def why_no_model(env: Any) -> str | None:
    """Say why a gymnasium environment has no exact model, or ``None`` if it has one.

    A table that looks right is tried out, which resets the environment: a class may inherit a table and step
    by other rules.
    """
    wrapper = env
    while wrapper is not env.unwrapped:
        if type(wrapper).__name__ not in _TRANSPARENT:
            return f"no exact model: the wrapper {type(wrapper).__name__} may change what the table says"
        wrapper = wrapper.env
    table = getattr(env.unwrapped, "P", None)
    n_states, n_actions = (getattr(space, "n", None) for space in (env.observation_space, env.action_space))
    if not isinstance(table, Mapping):
        return "no exact model: the environment has no transition table"
    if set(table) != set(range(n_states or 0)) or any(
        set(row) != set(range(n_actions or 0)) for row in table.values()
    ):
        return "no exact model: the transition table does not cover the observation and action spaces"
    if getattr(env.unwrapped, "fickle_passenger", False):
        return "no exact model: with fickle_passenger the environment does more than its table says"
    if _initial_distribution(env) is None:
        return "no exact model: the environment does not tell the distribution of its first state"
    if not _steps_by_its_table(env):
        return "no exact model: the environment does not do what its transition table says"
    return None


def _steps_by_its_table(env: Any, steps: int = 300) -> bool:
    """Walk at random and compare every step with the table."""
    rng = np.random.default_rng(0)
    initial = _initial_distribution(env)
    ended = True
    for seed in range(steps):
        if ended:
            state, _ = env.reset(seed=seed)
            if not initial[state] > 0:
                return False
        action = int(rng.integers(env.action_space.n))
        successor, reward, terminated, truncated, _ = env.step(action)
        possible = [tuple(outcome) for mass, *outcome in env.unwrapped.P[state][action] if mass > 0]
        if (successor, reward, terminated) not in possible:
            return False
        state, ended = successor, terminated or truncated
    return True


def _initial_distribution(env: Any) -> Any:
    for name in ("initial_state_distrib", "isd"):
        if (found := getattr(env.unwrapped, name, None)) is not None:
            return found
    return None


def _transitions(
    table: Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]],
) -> Iterator[tuple[int, int, float, int, float, bool]]:
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for probability, successor, reward, terminated in outcomes:
                yield state, action, float(probability), int(successor), float(reward), bool(terminated)


def _check_discount(gamma: float) -> None:
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma is {gamma}, outside [0, 1); undiscounted values need a time limit")
