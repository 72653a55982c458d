"""Deep Q-networks.

Mnih et al., "Human-level control through deep reinforcement learning", Nature 518, 2015, algorithm 1:
act epsilon-greedily on Q(s, a; theta); from replayed (s, a, r, s') regress Q(s, a; theta) on

    y = r + gamma * (1 - terminated) * max_a' Q(s', a'; theta-)

with a target network theta- that follows theta. With ``double_q`` the maximising action is chosen by theta
and valued by theta- (van Hasselt, Guez and Silver 2016, eq. 4).

Differences from the paper:

- Adam instead of RMSprop; gradients clipped by global norm. The Huber loss of the whole error has the
  gradient that the paper gets by clipping the error to [-1, 1]; the mean squared error is the other choice.
- Rewards are not clipped, frames are neither stacked nor skipped here: that is the environment's business.
- Time limits are not terminations: the target bootstraps through them.
- Defaults suit small control tasks, not Atari: perceptrons, small replay, an update every few steps. Images
  go through the paper's convolutional network (a smaller one below 36 x 36 pixels).
- Exploration and the learning rate follow the budget of the run: epsilon falls over
  ``exploration_fraction`` of it, and a linear learning rate reaches 0 at its end.
- Evaluation is greedy (epsilon 0), as in Stable-Baselines3; the paper uses epsilon 0.05.
- As in Stable-Baselines3, actions are uniform for the first ``learning_starts`` steps, ``train_freq`` counts
  vector steps, and the target is updated before the learning of the same step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.algorithms.configs import DQNConfig
from rlbench.kit import encoding, networks, optimisation, schedules, states
from rlbench.kit.diagnostics import Window
from rlbench.kit.parameters import Parameters
from rlbench.kit.replay import Batch, Replay
from rlbench.kit.streams import Blocks, uniform


class DQN:
    """All seeds' Q-networks, trained together. Discrete actions only."""

    def __init__(
        self,
        task: api.Task,
        config: DQNConfig,
        rngs: Sequence[np.random.Generator],
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if not isinstance(task.action_space, spaces.Discrete):
            raise api.UsageError(f"dqn needs Discrete actions, {task.env} has {task.action_space}; use a2c")
        self.task, self.config = task, config
        self.n_actions, self.first_action = int(task.action_space.n), int(task.action_space.start)
        self.encoder = encoding.Encoder(task.observation_space, task.device, dtype)
        self.q = networks.network(
            "q", self.encoder, config.hidden_sizes, outputs=self.n_actions, activation=config.activation
        )
        self.online = Parameters(self.q.specs(), rngs, device=task.device, dtype=dtype)
        self.target = self.online.copy()
        self.optimizer = optimisation.Adam(self.online, eps=config.adam_eps)
        self.replay = Replay(
            rngs,
            capacity=config.buffer_size,
            n_envs=config.n_envs,
            obs_shape=self.encoder.shape,
            obs_dtype=self.encoder.torch_dtype,
            batch_size=config.batch_size,
            device=task.device,
            dtype=dtype,
        )
        self.explore = Blocks(rngs, "exploration", uniform, (2, config.n_envs))
        self.window = Window(("loss", "q_value", "gradient_norm"), len(rngs), task.steps, task.device)
        self.parts: dict[str, states.Part] = {
            "weights": self.online,
            "target": self.target,
            "optimizer": self.optimizer,
            "replay": self.replay,
            "explore": self.explore,
            "window": self.window,
        }

    @property
    def steps(self) -> int:
        """Environment steps observed so far."""
        return self.replay.steps * self.config.n_envs

    def values(self, parameters: Parameters, obs: torch.Tensor) -> torch.Tensor:
        """Q of every action, ``[S, ..., A]``."""
        return self.q(parameters, self.encoder(obs))

    def greedy(self, obs: np.ndarray) -> np.ndarray:
        """The actions of highest value, as indices from 0."""
        with torch.no_grad():
            q = self.q(self.online, self.encoder.encode(obs))
        return q.cpu().numpy().argmax(-1)

    def act(self, obs: np.ndarray) -> np.ndarray:
        """Epsilon-greedy actions; ``[S, N, ...] -> [S, N]``."""
        c = self.config
        draws = self.explore.next()  # [S, 2, N]
        epsilon = schedules.interpolated(
            c.exploration_initial_eps,
            c.exploration_final_eps,
            c.exploration_fraction,
            schedules.progress(self.steps, self.task.steps),
        )
        random = draws[:, 0] < (1.0 if self.steps < c.learning_starts else epsilon)
        action = (draws[:, 1] * self.n_actions).astype(np.int64)
        if not random.all():
            action = np.where(random, action, self.greedy(obs))
        return action + self.first_action

    def observe(self, transition: api.Transition) -> Mapping[str, Any] | None:
        """Keep the transition, and learn when it is time to."""
        c = self.config
        self.replay.add(transition, transition.action - self.first_action)
        if self.replay.steps % max(c.target_update_interval // c.n_envs, 1) == 0:
            self.target.follow(self.online, c.tau)
        if self.steps > c.learning_starts and self.replay.steps % c.train_freq == 0:
            rate = schedules.scheduled(
                c.learning_rate,
                c.learning_rate_schedule,
                schedules.progress(self.steps, self.task.steps),
            )
            for _ in range(c.gradient_steps):
                self.update(self.replay.sample(), rate)
        return self.window.collect(self.steps)

    def update(self, batch: Batch, learning_rate: float) -> None:
        """One step of algorithm 1's inner loop, for every seed; fields of ``batch`` are ``[S, B, ...]``."""
        c = self.config
        with torch.no_grad():
            next_values = self.values(self.target, batch.next_obs)  # [S, B, A]
            if c.double_q:
                best = self.values(self.online, batch.next_obs).argmax(-1, keepdim=True)
                next_value = next_values.gather(-1, best).squeeze(-1)  # [S, B]
            else:
                next_value = next_values.amax(-1)
            y = batch.reward + c.gamma * next_value * ~batch.terminated

        values, pull = self.q.trace(self.online, self.encoder(batch.obs))
        taken = batch.action.unsqueeze(-1)  # [S, B, 1]
        q = values.gather(-1, taken).squeeze(-1)  # [S, B]
        error = q - y
        if c.loss == "huber":
            slope = error.clamp(-1.0, 1.0)
            loss = (slope * (error - 0.5 * slope)).mean(-1)  # [S]
        else:
            slope = 2.0 * error
            loss = error.square().mean(-1)
        pull(torch.zeros_like(values).scatter_(-1, taken, slope.unsqueeze(-1) / slope.shape[-1]))
        norm = self.optimizer.step(learning_rate, max_grad_norm=c.max_grad_norm)
        self.window.add({"loss": loss, "q_value": q.mean(-1), "gradient_norm": norm})

    def policy(self) -> api.Policy:
        """The greedy policy of the current weights."""
        return lambda obs: self.greedy(obs) + self.first_action

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        return states.collect(self.parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        states.restore(self.parts, state)
