"""REINFORCE.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
Machine Learning 8, 1992; Sutton and Barto, "Reinforcement learning", 2nd edition, sections 13.3 and 13.4.
From complete episodes with returns G_t = sum_k gamma^k R_{t+k+1} and a baseline b, minimise

    mean[-log pi(a_t | s_t; theta) (G_t - b)] - ent_coef mean[H(pi(s_t; theta))]

With ``baseline = "value"``, b = V(s_t; w), and vf_coef mean[(G_t - V(s_t; w))^2] is minimised beside it (the
book's "REINFORCE with baseline"); with ``"mean"``, b is the mean of the update's returns.

Differences from the sources:

- The book's boxed algorithm multiplies each step's gradient by gamma^t; like most implementations this one
  does not, so that late steps of an episode count as much as early ones.
- One update after each episode (or ``episodes_per_update``) from the mean over its steps, not one a step.
- Adam with clipping by global norm instead of plain gradient ascent.
- A time limit is not a termination. With the learned baseline the return of an episode that was cut off goes
  on with V of the true successor; without it there is no such estimate, and the return ends at the cut.
- Advantages can be normalised and an entropy bonus added (both off by default).
- Gaussian policies have a standard deviation that no state changes, and actions are clipped to the Box for
  the environment alone. Evaluation takes the most likely action (the mean of a Gaussian).
- With ``n_envs`` above 1 an episode that is under way during an update goes on with the new policy, and is
  learned from as if that policy had chosen all its actions. The default, 1, is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rlbench import api
from rlbench.algorithms.configs import ReinforceConfig
from rlbench.kit import encoding, networks, optimisation, schedules, states
from rlbench.kit.actors import Actor
from rlbench.kit.diagnostics import Window
from rlbench.kit.distributions import action_distribution
from rlbench.kit.episodes import Episodes, Rows
from rlbench.kit.parameters import Parameters

BLOCK = 256  # rows that go through the networks together


class Reinforce:
    """All seeds' policies, trained together; each updates when its own episodes are complete."""

    def __init__(
        self,
        task: api.Task,
        config: ReinforceConfig,
        rngs: Sequence[np.random.Generator],
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.task, self.config, self.dtype = task, config, dtype
        self.encoder = encoding.Encoder(task.observation_space, task.device, dtype)
        self.distribution = action_distribution(task.action_space, config.log_std_init)

        def network(name: str, outputs: int, gain: float) -> networks.Network:
            return networks.network(
                name,
                self.encoder,
                config.hidden_sizes,
                outputs=outputs,
                activation=config.activation,
                initialisation="orthogonal",
                output_gain=gain,
            )

        self.network = network("policy", self.distribution.outputs, 0.01)
        self.critic = network("value", 1, 1.0) if config.baseline == "value" else None
        critic_specs = self.critic.specs() if self.critic else ()
        specs = (*self.network.specs(), *critic_specs, *self.distribution.specs())
        self.parameters = Parameters(specs, rngs, device=task.device, dtype=dtype)
        self.optimizer = optimisation.Adam(self.parameters, eps=config.adam_eps)
        self.actor = Actor(
            self.network, self.parameters, self.encoder, self.distribution, rngs, config.n_envs
        )
        self.episodes = Episodes(
            len(rngs),
            config.n_envs,
            episodes=config.episodes_per_update,
            max_episode_steps=task.max_episode_steps,
            obs=(self.encoder.shape, self.encoder.torch_dtype),
            action=(self.distribution.raw_shape, self.distribution.raw_dtype),
        )
        names = ("policy_loss", "value_loss", "entropy", "gradient_norm")
        self.window = Window(names, len(rngs), task.steps, task.device)
        self.parts: dict[str, states.Part] = {
            "weights": self.parameters,
            "optimizer": self.optimizer,
            "actor": self.actor,
            "episodes": self.episodes,
            "window": self.window,
        }

    @property
    def steps(self) -> int:
        """Environment steps observed so far."""
        return self.episodes.steps * self.config.n_envs

    def act(self, obs: np.ndarray) -> np.ndarray:
        """Actions sampled from the policy; ``[S, N, ...] -> [S, N, ...]``."""
        return self.actor.act(obs)

    def observe(self, transition: api.Transition) -> Mapping[str, Any] | None:
        """Keep the transition; seeds that have enough complete episodes learn from them."""
        self.episodes.add(transition.obs, self.actor.raw, transition.reward)
        ended = transition.terminated | transition.truncated  # [S, N]
        if ended.any():
            self.episodes.close(ended, self._after(transition), self.config.gamma)
            due = np.flatnonzero(self.episodes.finished >= self.config.episodes_per_update)
            if len(due):
                done = schedules.progress(self.steps, self.task.steps)
                rate = schedules.scheduled(
                    self.config.learning_rate, self.config.learning_rate_schedule, done
                )
                self.update(due, self.episodes.take(due, BLOCK), rate)
        return self.window.collect(self.steps)

    def _after(self, transition: api.Transition) -> np.ndarray:
        """What an episode that ends now could still have earned, ``[S, N]``: 0 unless it was cut off."""
        cut = transition.truncated & ~transition.terminated
        if self.critic is None or not cut.any():
            return np.zeros(cut.shape)
        with torch.no_grad():
            value = self.critic(self.parameters, self.encoder.encode(transition.next_obs)).squeeze(-1)
        return np.where(cut, value.cpu().numpy(), 0.0)

    def _advantages(self, parameters: Parameters, rows: Rows) -> np.ndarray:
        """Returns less the baseline, ``[K, blocks, block]``; statistics are of a seed's own rows alone."""
        c = self.config
        advantage = rows.returns.copy()
        if self.critic is not None:
            with torch.no_grad():
                for block in range(advantage.shape[1]):
                    value = self.critic(parameters, self.encoder.encode(rows.obs[:, block])).squeeze(-1)
                    advantage[:, block] -= value.cpu().numpy()
        for seed, inside in zip(advantage, rows.inside, strict=True):
            own = seed[inside]
            if c.baseline == "mean" or c.normalize_advantage:
                own = own - own.mean()
            if c.normalize_advantage:
                own = own / (own.std() + 1e-8)
            seed[inside] = own
        return advantage

    def update(self, seeds: np.ndarray, rows: Rows, learning_rate: float) -> None:
        """One update of ``seeds [K]`` from their episodes; the other seeds' numbers stay as they are."""
        c = self.config
        parameters = self.parameters.taken(seeds)
        advantages = self._advantages(parameters, rows)
        share = rows.inside / rows.inside.sum((1, 2), keepdims=True)  # [K, blocks, block]: 1 / own rows, or 0

        sums = torch.zeros((3, len(seeds)), dtype=self.dtype, device=self.task.device)
        for block in range(rows.returns.shape[1]):
            weight, advantage, returns, action = (
                torch.from_numpy(array[:, block]).to(self.task.device, dtype)
                for array, dtype in (
                    (share, self.dtype),
                    (advantages, self.dtype),
                    (rows.returns, self.dtype),
                    (rows.action, self.distribution.raw_dtype),
                )
            )  # [K, block, ...]
            features = self.encoder.encode(rows.obs[:, block])
            outputs = self.network(parameters, features)
            log_probability = self.distribution.log_probability(parameters, outputs, action)
            policy_loss = -(weight * log_probability * advantage).sum(-1)  # [K]
            entropy = (weight * self.distribution.entropy(parameters, outputs)).sum(-1)
            loss, value_loss = policy_loss - c.ent_coef * entropy, torch.zeros_like(entropy)
            if self.critic is not None:
                value = self.critic(parameters, features).squeeze(-1)
                value_loss = (weight * (returns - value).square()).sum(-1)
                loss = loss + c.vf_coef * value_loss
            parameters.backward(loss, accumulate=block > 0)
            sums += torch.stack((policy_loss, value_loss, entropy)).detach()

        self.parameters.gradients[seeds] = parameters.gradients[: len(seeds)]
        mask = np.isin(np.arange(self.parameters.seeds), seeds)
        norm = self.optimizer.step(learning_rate, mask, max_grad_norm=c.max_grad_norm)
        measured = torch.zeros((3, self.parameters.seeds), dtype=self.dtype, device=self.task.device)
        measured[:, seeds] = sums
        names = ("policy_loss", "value_loss", "entropy")
        self.window.add({**dict(zip(names, measured, strict=True)), "gradient_norm": norm}, mask)

    def policy(self) -> api.Policy:
        """The most likely action under the current weights."""
        return self.actor.most_likely

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        return states.collect(self.parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        states.restore(self.parts, state)
