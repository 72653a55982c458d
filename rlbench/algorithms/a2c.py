"""Advantage actor-critic.

Mnih et al., "Asynchronous methods for deep reinforcement learning", ICML 2016, algorithm S3, made
synchronous: from ``n_steps`` steps of ``n_envs`` sub-environments, with advantages A and returns
R = A + V(s; theta_v), minimise

    mean[-log pi(a | s; theta) A] + vf_coef mean[(R - V(s; theta_v))^2] - ent_coef mean[H(pi(s; theta))]

A is the generalised advantage estimate (Schulman et al. 2016, eq. 16); with ``gae_lambda`` 1, the default,
that is the paper's n-step return less the value.

Differences from the paper:

- Synchronous: one update from all sub-environments instead of asynchronous ones from each (as in OpenAI
  Baselines and Stable-Baselines3). No recurrent network.
- Time limits are not terminations: returns bootstrap through them with the value of the true successor.
- Policy and value have networks of their own unless ``share_network``; the paper shares all but the heads.
  Images go through a convolutional network, the one of Mnih et al. (2015) from 36 x 36 pixels on.
- RMSprop's statistics belong to one learner; Adam is the other choice. Initialisation is orthogonal.
- Losses are averaged over the rows, not summed; the gradient is clipped by its global norm.
- Gaussian policies have a standard deviation that no state changes (the paper's network gives it), and
  actions are clipped to the Box for the environment alone.
- Advantages can be normalised (off by default). Evaluation takes the most likely action (the mean of a
  Gaussian), as in Stable-Baselines3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from rlbench import api
from rlbench.algorithms.configs import A2CConfig
from rlbench.kit import encoding, networks, optimisation, schedules, states
from rlbench.kit.actors import Actor
from rlbench.kit.diagnostics import Window
from rlbench.kit.distributions import action_distribution
from rlbench.kit.parameters import Parameters
from rlbench.kit.returns import generalised_advantages
from rlbench.kit.rollouts import Rollout


class Batch(NamedTuple):
    """What an update learns from, ``[S, T, N, ...]``; ``action`` as sampled, before any clipping."""

    obs: torch.Tensor
    action: torch.Tensor
    reward: torch.Tensor
    next_obs: torch.Tensor
    terminated: torch.Tensor
    truncated: torch.Tensor


class A2C:
    """All seeds' actors and critics, trained together. Discrete or Box actions."""

    def __init__(
        self,
        task: api.Task,
        config: A2CConfig,
        rngs: Sequence[np.random.Generator],
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.task, self.config = task, config
        self.encoder = encoding.Encoder(task.observation_space, task.device, dtype)
        self.distribution = action_distribution(task.action_space, config.log_std_init)
        self.network = networks.ActorCritic(
            self.encoder,
            self.distribution.outputs,
            config.hidden_sizes,
            share=config.share_network,
            activation=config.activation,
        )
        specs = (*self.network.specs(), *self.distribution.specs())
        self.parameters = Parameters(specs, rngs, device=task.device, dtype=dtype)
        self.optimizer = optimisation.optimizer(config.optimizer, self.parameters, config.optimizer_eps)
        self.actor = Actor(
            self.network.policy, self.parameters, self.encoder, self.distribution, rngs, config.n_envs
        )
        self.rollout = Rollout(
            (len(rngs), config.n_steps, config.n_envs),
            {
                "obs": (self.encoder.shape, self.encoder.torch_dtype),
                "action": (self.distribution.raw_shape, self.distribution.raw_dtype),
                "reward": ((), dtype),
                "next_obs": (self.encoder.shape, self.encoder.torch_dtype),
                "terminated": ((), torch.bool),
                "truncated": ((), torch.bool),
            },
            device=task.device,
        )
        names = ("policy_loss", "value_loss", "entropy", "gradient_norm")
        self.window = Window(names, len(rngs), task.steps, task.device)
        self.parts: dict[str, states.Part] = {
            "weights": self.parameters,
            "optimizer": self.optimizer,
            "actor": self.actor,
            "rollout": self.rollout,
            "window": self.window,
        }

    @property
    def steps(self) -> int:
        """Environment steps observed so far."""
        return self.rollout.steps * self.config.n_envs

    def act(self, obs: np.ndarray) -> np.ndarray:
        """Actions sampled from the policy; ``[S, N, ...] -> [S, N, ...]``."""
        return self.actor.act(obs)

    def observe(self, transition: api.Transition) -> Mapping[str, Any] | None:
        """Keep the transition, and learn when ``n_steps`` of them are there."""
        self.rollout.add(transition._replace(action=self.actor.raw)._asdict())
        if self.rollout.full:
            done = schedules.progress(self.steps, self.task.steps)
            rate = schedules.scheduled(self.config.learning_rate, self.config.learning_rate_schedule, done)
            self.update(Batch(**self.rollout.take()), rate)
        return self.window.collect(self.steps)

    def update(self, batch: Batch, learning_rate: float) -> None:
        """One update of algorithm S3 for every seed; fields of ``batch`` are ``[S, T, N, ...]``."""
        c = self.config
        outputs, value, pull = self.network.trace(self.parameters, self.encoder(batch.obs))
        with torch.no_grad():
            next_value = self.network.value(self.parameters, self.encoder(batch.next_obs))
            advantage = generalised_advantages(
                batch.reward,
                value,
                next_value,
                batch.terminated,
                batch.truncated,
                gamma=c.gamma,
                gae_lambda=c.gae_lambda,
            )  # [S, T, N]
            returns = advantage + value
            if c.normalize_advantage:
                spread, centre = torch.std_mean(advantage, (-2, -1), keepdim=True)
                advantage = (advantage - centre) / (spread + 1e-8)

            log_probability = self.distribution.log_probability(self.parameters, outputs, batch.action)
            entropy = self.distribution.entropy(self.parameters, outputs).mean((-2, -1))  # [S]
            policy_loss = -(log_probability * advantage).mean((-2, -1))  # [S]
            value_loss = (returns - value).square().mean((-2, -1))  # [S]

            # The gradient of policy_loss + vf_coef * value_loss - ent_coef * entropy.
            rows = c.n_steps * c.n_envs
            outputs_gradient = self.distribution.pull(
                self.parameters, outputs, batch.action, advantage / -rows, -c.ent_coef / rows
            )
            pull(outputs_gradient, (value - returns) * (2.0 * c.vf_coef / rows))
        norm = self.optimizer.step(learning_rate, max_grad_norm=c.max_grad_norm)
        self.window.add(
            {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy, "gradient_norm": norm}
        )

    def policy(self) -> api.Policy:
        """The most likely action under the current weights."""
        return self.actor.most_likely

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        return states.collect(self.parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        states.restore(self.parts, state)
