"""The interaction loop: agents that the harness drives, one vector step at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlbench.api import (
    Actions,
    Agent,
    BatchedAgent,
    Observations,
    Policy,
    Task,
    Transition,
    VectorEnvironment,
)
from rlbench.running.evaluation import Evaluator
from rlbench.running.recording import Recorder
from rlbench.running.seeding import Streams


class LiftedAgent:
    """A single-seed agent seen as a batched one with S = 1."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def act(self, obs: Observations) -> Actions:
        return np.asarray(self._agent.act(obs[0]))[None]

    def observe(self, transition: Transition) -> dict[str, list[Any]]:
        diagnostics = self._agent.observe(Transition(*(array[0] for array in transition)))
        return {name: [value] for name, value in (diagnostics or {}).items()}

    def policy(self) -> Policy:
        return lift_policy(self._agent.policy())

    def final_weights(self) -> dict[str, np.ndarray] | None:
        weights = final_weights(self._agent)
        return None if weights is None else {name: np.asarray(array)[None] for name, array in weights.items()}


def lift_policy(policy: Policy) -> Policy:
    """Give a single-seed policy (``[E, ...]``) the seed axis of the harness (``[1, E, ...]``)."""

    def lifted(obs: Observations) -> Actions:
        return np.asarray(policy(obs[0]))[None]

    probabilities = getattr(policy, "probabilities", None)
    if probabilities is not None:
        lifted.probabilities = lambda obs: np.asarray(probabilities(obs[0]))[None]  # type: ignore[attr-defined]
    return lifted


def final_weights(learner: Any) -> dict[str, np.ndarray] | None:
    """Give what is kept of a learner: the entry ``"weights"`` of its state, where it has state."""
    if isinstance(learner, LiftedAgent):
        return learner.final_weights()
    if not hasattr(learner, "state_dict"):
        return None
    return learner.state_dict().get("weights")


class Interaction:
    """One cohort of agents in its training environments.

    Sub-environment ``n`` of seed ``s`` is row ``s * N + n`` of the vector environment; every episode has a
    seed of its own.
    """

    def __init__(
        self,
        agent: BatchedAgent,
        task: Task,
        environment: VectorEnvironment,
        streams: Streams,
        seeds: Sequence[int],
        evaluator: Evaluator,
        recorder: Recorder,
    ) -> None:
        self._agent = agent
        self._task = task
        self._environment = environment
        self._streams = streams
        self._seeds = list(seeds)
        self._evaluator = evaluator
        self._recorder = recorder
        rows = len(seeds) * task.n_envs
        self._episode = np.zeros(rows, dtype=np.int64)  # [S * N], how many episodes were started
        self._returns = np.zeros(rows)  # [S * N], of the running episodes
        self._lengths = np.zeros(rows, dtype=np.int64)  # [S * N]

    def run(self, points: Sequence[int]) -> int:
        """Train to the end of the budget, evaluating at ``points``; give the steps each seed took."""
        task, agent, recorder = self._task, self._agent, self._recorder
        shape = (len(self._seeds), task.n_envs)  # [S, N]
        action_shape = (*shape, *task.action_space.shape)
        due = list(points)
        obs = self._reset(np.ones(len(self._episode), dtype=bool))
        obs = obs.reshape(*shape, *obs.shape[1:])
        step = 0
        for _ in range(math.ceil(task.steps / task.n_envs)):
            actions = np.asarray(agent.act(obs))
            if actions.shape != action_shape:
                raise ValueError(f"act() gave actions of shape {actions.shape}, expected {action_shape}")
            if actions.dtype.kind == "f" and not np.isfinite(actions).all():
                actions = self._without_nonfinite(actions, step)
            next_obs, reward, terminated, truncated = self._environment.step(
                actions.reshape(-1, *action_shape[2:])
            )
            step += task.n_envs
            done = terminated | truncated
            successor = next_obs.reshape(obs.shape)
            recorder.diagnostics(
                step,
                agent.observe(
                    Transition(
                        obs,
                        actions,
                        reward.reshape(shape),
                        successor,
                        terminated.reshape(shape),
                        truncated.reshape(shape),
                    )
                ),
            )
            self._returns += reward
            self._lengths += 1
            if done.any():
                self._record(done, step)
                obs = self._reset(done).reshape(obs.shape)
            else:
                obs = successor
            while due and due[0] <= step:
                recorder.evaluation(self._evaluator, agent.policy(), due.pop(0), step)
            recorder.progress(step)
            if not recorder.running:
                break
        return step

    def _reset(self, mask: np.ndarray) -> np.ndarray:
        seeds = [
            self._streams.training_episode(
                self._seeds[row // self._task.n_envs], int(row % self._task.n_envs), int(self._episode[row])
            )
            for row in np.flatnonzero(mask)
        ]
        self._episode[mask] += 1
        self._returns[mask] = 0.0
        self._lengths[mask] = 0
        return self._environment.reset(mask, seeds)

    def _record(self, done: np.ndarray, step: int) -> None:
        for row in np.flatnonzero(done):
            self._recorder.episode(
                int(row) // self._task.n_envs,
                step,
                int(row) % self._task.n_envs,
                float(self._returns[row]),
                int(self._lengths[row]),
            )

    def _without_nonfinite(self, actions: np.ndarray, step: int) -> np.ndarray:
        """Mark seeds with non-finite actions as diverged, and keep their environments going with zeros."""
        finite = np.isfinite(actions).reshape(len(self._seeds), -1).all(axis=1)
        for index in np.flatnonzero(~finite):
            self._recorder.diverge(int(index), step, "the actions stopped being finite")
        return np.where(np.isfinite(actions), actions, 0.0).astype(actions.dtype)
