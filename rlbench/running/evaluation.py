"""Evaluating policies on environments and random streams of their own, so that training never notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rlbench.api import Policy, VectorEnvironment
from rlbench.environments.mdp import MDP
from rlbench.running.seeding import Streams

Watch = Callable[[int, np.ndarray, np.ndarray], None]


class Evaluation(NamedTuple):
    """One evaluation point of every seed; ``exact`` is there where the environment's model is known.

    An episode in which observations or actions stopped being finite returns NaN.
    """

    returns: np.ndarray  # [S, E] float64
    lengths: np.ndarray  # [S, E] int64
    exact: np.ndarray | None  # [S] float64


def due_points(steps: int, points: int) -> list[int]:
    """Give the nominal steps at which evaluations are due: ``i * steps // points`` for i = 1 ... points."""
    return [i * steps // points for i in range(1, points + 1)]


class Evaluator:
    """Runs ``episodes`` episodes a seed, all seeds at once.

    ``make_vector(seeds)`` gives as many sub-environments as seeds. A backend that cannot seed an episode
    gets new sub-environments for every evaluation, so that a point's episodes depend on nothing before it.
    ``beat`` is called after every vector step, as a sign of life. ``watch`` is told the nominal step, the
    observations and the actions ``[S * E, ...]`` of every vector step; the arrays are valid until the next.
    """

    def __init__(
        self,
        make_vector: Callable[[Sequence[int]], VectorEnvironment],
        streams: Streams,
        seeds: Sequence[int],
        episodes: int,
        *,
        seeds_episodes: bool,
        mdp: MDP | None,
        max_episode_steps: int,
        beat: Callable[[], None],
        watch: Watch | None = None,
    ) -> None:
        self._make_vector = make_vector
        self._streams = streams
        self._seeds = list(seeds)
        self._episodes = episodes
        self._seeds_episodes = seeds_episodes
        self._mdp = mdp
        self._horizon = max_episode_steps
        self._beat = beat
        self._watch = watch
        self._environment: VectorEnvironment | None = None

    def __call__(self, policy: Policy, nominal_step: int) -> Evaluation:
        """Evaluate ``policy`` (``[S, E, ...] -> [S, E, ...]``) with the episodes of ``nominal_step``."""
        shape = (len(self._seeds), self._episodes)  # [S, E]
        episode_seeds = [
            self._streams.evaluation_episode(seed, nominal_step, episode)
            for seed in self._seeds
            for episode in range(self._episodes)
        ]
        if self._environment is None or not self._seeds_episodes:
            self.close()
            self._environment = self._make_vector(episode_seeds)
        environment = self._environment
        running = np.ones(len(episode_seeds), dtype=bool)  # [S * E]
        returns = np.zeros(len(episode_seeds))
        lengths = np.zeros(len(episode_seeds), dtype=np.int64)
        obs = environment.reset(running, episode_seeds)
        while running.any():
            obs = _finite(obs, returns, running)
            actions = np.asarray(policy(obs.reshape(*shape, *obs.shape[1:])))
            actions = _finite(actions.reshape(-1, *actions.shape[2:]), returns, running)
            if self._watch is not None:
                self._watch(nominal_step, obs, actions)
            obs, reward, terminated, truncated = environment.step(actions)
            returns[running] += reward[running]
            lengths += running
            running &= ~(terminated | truncated)
            self._beat()
        return Evaluation(returns.reshape(shape), lengths.reshape(shape), self._exact(policy))

    def _exact(self, policy: Policy) -> np.ndarray | None:
        if self._mdp is None:
            return None
        states = np.tile(np.arange(self._mdp.n_states), (len(self._seeds), 1))  # [S, n_states]
        probabilities = getattr(policy, "probabilities", None)
        table = np.asarray(probabilities(states) if probabilities else policy(states))
        return np.array([self._mdp.expected_return(row, self._horizon) for row in table])

    def close(self) -> None:
        """Release the sub-environments."""
        if self._environment is not None:
            self._environment.close()
            self._environment = None


def _finite(values: np.ndarray, returns: np.ndarray, running: np.ndarray) -> np.ndarray:
    """Give ``values [K, ...]``, zeros for what is not finite; the returns of those running episodes are NaN.

    So one seed whose numbers are gone cannot make the environment raise and take its companions down.
    """
    if values.dtype.kind != "f" or (finite := np.isfinite(values)).all():
        return values
    returns[running & ~finite.reshape(len(running), -1).all(axis=1)] = np.nan
    return np.where(finite, values, 0.0).astype(values.dtype)
