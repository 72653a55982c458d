"""The interaction loop: agents that the harness drives, one vector step at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlbench.api import BatchedAgent, Task, Transition, VectorEnvironment
from rlbench.running import checkpoint
from rlbench.running.evaluation import Evaluator
from rlbench.running.recording import Recorder
from rlbench.running.seeding import Streams


class ReplayMismatch(Exception):
    """An episode did not come to where it stood when its actions were replayed."""


class Interaction:
    """One cohort of agents in its training environments.

    Sub-environment ``n`` of seed ``s`` is row ``s * N + n`` of the vector environment; every episode has a
    seed of its own, so a running episode is known by its number and the actions since its start.
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
        self._shape = (len(seeds), task.n_envs)  # [S, N]
        rows = len(seeds) * task.n_envs
        self._step = 0
        self._episode = np.zeros(rows, dtype=np.int64)  # [S * N], the number of the running episode, from 1
        self._returns = np.zeros(rows)  # [S * N], of the running episodes
        self._lengths = np.zeros(rows, dtype=np.int64)  # [S * N]
        self._actions: deque[np.ndarray] = deque(maxlen=task.max_episode_steps)  # of [S * N, ...], the latest

    def run(self, points: Sequence[int]) -> int:
        """Train to the end of the budget, evaluating at ``points``; give the steps each seed took.

        Continues from the state given to :meth:`load`, if any.
        """
        task, agent, recorder = self._task, self._agent, self._recorder
        due = [point for point in points if point > self._step]
        action_shape = (*self._shape, *task.action_space.shape)
        obs = self._reset(self._episode == 0) if self._step == 0 else self._replay()
        obs = obs.reshape(*self._shape, *obs.shape[1:])
        while self._step < math.ceil(task.steps / task.n_envs) * task.n_envs and recorder.running:
            actions = np.asarray(agent.act(obs))
            if actions.shape != action_shape:
                raise ValueError(f"act() gave actions of shape {actions.shape}, expected {action_shape}")
            if actions.dtype.kind == "f" and not np.isfinite(actions).all():
                actions = self._without_nonfinite(actions)
            flat = actions.reshape(-1, *action_shape[2:])
            next_obs, reward, terminated, truncated = self._environment.step(flat)
            self._step += task.n_envs
            next_obs = self._finite(next_obs)
            self._actions.append(flat.copy())
            self._returns += reward
            self._lengths += 1
            successor = next_obs.reshape(obs.shape)
            diagnostics = agent.observe(
                Transition(
                    obs,
                    actions,
                    reward.reshape(self._shape),
                    successor,
                    terminated.reshape(self._shape),
                    truncated.reshape(self._shape),
                )
            )
            recorder.diagnostics(self._step, diagnostics)
            done = terminated | truncated
            if done.any():
                self._record(done)
                obs = self._reset(done).reshape(obs.shape)
            else:
                obs = successor
            while due and due[0] <= self._step:
                recorder.evaluation(self._evaluator, agent.policy(), due.pop(0), self._step)
            recorder.progress(self._step)
            if recorder.checkpoint_due():
                recorder.checkpoint(self._step, self._state(obs))
        return self._step

    def _reset(self, mask: np.ndarray) -> np.ndarray:
        self._episode[mask] += 1
        self._returns[mask] = 0.0
        self._lengths[mask] = 0
        return self._finite(self._environment.reset(mask, self._episode_seeds(mask)))

    def _episode_seeds(self, mask: np.ndarray) -> list[int]:
        n_envs = self._task.n_envs
        return [
            self._streams.training_episode(
                self._seeds[row // n_envs], int(row % n_envs), int(self._episode[row] - 1)
            )
            for row in np.flatnonzero(mask)
        ]

    def _record(self, done: np.ndarray) -> None:
        for row in np.flatnonzero(done):
            index, env_index = divmod(int(row), self._task.n_envs)
            self._recorder.episode(
                index, self._step, env_index, float(self._returns[row]), int(self._lengths[row])
            )

    def _finite(self, obs: np.ndarray) -> np.ndarray:
        """Give observations, zeros for those that are not finite; their seeds have diverged."""
        if obs.dtype.kind != "f" or (finite := np.isfinite(obs)).all():
            return obs
        for index in np.flatnonzero(~finite.reshape(len(self._seeds), -1).all(axis=1)):
            self._recorder.diverge(int(index), self._step, "the observations stopped being finite")
        return np.where(finite, obs, 0.0).astype(obs.dtype)

    def _without_nonfinite(self, actions: np.ndarray) -> np.ndarray:
        """Mark seeds with non-finite actions as diverged, and keep their environments going with zeros."""
        finite = np.isfinite(actions).reshape(len(self._seeds), -1).all(axis=1)
        for index in np.flatnonzero(~finite):
            self._recorder.diverge(int(index), self._step, "the actions stopped being finite")
        return np.where(np.isfinite(actions), actions, 0.0).astype(actions.dtype)

    def _state(self, obs: np.ndarray) -> list[dict[str, Any]]:
        """Give each seed's state: the agent's, and the position of every sub-environment."""
        agent = self._agent.state_dict()  # type: ignore[attr-defined]
        by_seed = {
            "episode": self._episode.reshape(self._shape),
            "returns": self._returns.reshape(self._shape),
            "lengths": self._lengths.reshape(self._shape),
            "obs": obs,
        }
        states = []
        for index in range(len(self._seeds)):
            longest = max(int(by_seed["lengths"][index].max()), 1)
            rows = slice(index * self._task.n_envs, (index + 1) * self._task.n_envs)
            taken = list(self._actions)[len(self._actions) - longest :]
            actions = np.stack([action[rows] for action in taken])  # [longest, N, ...]
            states.append(
                {
                    "agent": checkpoint.cut(agent, index),
                    "loop": {
                        **checkpoint.cut(by_seed, index),
                        "actions": actions,
                    },
                }
            )
        return states

    def load(self, step: int, states: Sequence[Mapping[str, Any]]) -> None:
        """Take up the states that the seeds had at ``step``; :meth:`run` continues from there."""
        self._step = step
        self._agent.load_state_dict(checkpoint.join([state["agent"] for state in states]))  # type: ignore[attr-defined]
        loops = [state["loop"] for state in states]
        self._episode, self._returns, self._lengths = (
            np.concatenate([loop[name] for loop in loops]) for name in ("episode", "returns", "lengths")
        )
        self._position = np.concatenate([loop["obs"] for loop in loops])  # [S * N, ...]
        longest = max(int(loop["lengths"].max()) for loop in loops)
        for back in range(longest, 0, -1):  # how many vector steps ago
            self._actions.append(np.concatenate([_action(loop["actions"], back) for loop in loops]))

    def _replay(self) -> np.ndarray:
        """Bring every sub-environment to where it stood, by its running episode's seed and actions.

        Episodes start one after the other, the longest first, so that all arrive with the last action.
        """
        returns = np.zeros_like(self._returns)
        longest = int(self._lengths.max())
        obs = self._position
        for back in range(longest, -1, -1):
            starting = self._lengths == back
            if starting.any():
                obs = self._environment.reset(starting, self._episode_seeds(starting))
            if back:
                obs, reward, _, _ = self._environment.step(self._actions[-back])
                returns[self._lengths >= back] += reward[self._lengths >= back]
        if obs.tobytes() != self._position.tobytes() or returns.tobytes() != self._returns.tobytes():
            raise ReplayMismatch(f"{self._task.env} did not come back to where it stood at step {self._step}")
        return obs


def _action(actions: np.ndarray, back: int) -> np.ndarray:
    """Give one seed's actions ``[N, ...]`` of so many vector steps ago; before its episodes any will do."""
    return actions[-min(back, len(actions))]
