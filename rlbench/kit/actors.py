"""Stochastic policies at work: sampled for training, their most likely action for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rlbench.kit.distributions import ActionDistribution
from rlbench.kit.encoding import Encoder
from rlbench.kit.parameters import Parameters


class Actor:
    """Turns observations into actions with a network's outputs and a distribution.

    ``forward(parameters, features)`` gives what the distribution needs. :attr:`raw` holds the actions of the
    last call of :meth:`act` as they were sampled, before any clipping: learn from those.
    """

    def __init__(
        self,
        forward: Callable[[Parameters, torch.Tensor], torch.Tensor],
        parameters: Parameters,
        encoder: Encoder,
        distribution: ActionDistribution,
        rngs: Sequence[np.random.Generator],
        n_envs: int,
    ) -> None:
        self._forward, self._parameters = forward, parameters
        self._encoder, self._distribution = encoder, distribution
        self._noise = distribution.noise(rngs, (n_envs,))
        self.raw = np.empty(0)  # [S, N, *raw_shape]

    def _outputs(self, obs: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            return self._forward(self._parameters, self._encoder.encode(obs))

    def act(self, obs: np.ndarray) -> np.ndarray:
        """Sample actions as the environment takes them; ``[S, N, ...] -> [S, N, ...]``."""
        self.raw = self._distribution.sample(self._parameters, self._outputs(obs), self._noise.next())
        return self._distribution.to_environment(self.raw)

    def most_likely(self, obs: np.ndarray) -> np.ndarray:
        """The mode of the policy, without a draw; any axes may stand between ``S`` and those of ``obs``."""
        return self._distribution.to_environment(self._distribution.mode(self._outputs(obs)))

    def state_dict(self) -> dict[str, Any]:
        """The position of the noise."""
        return self._noise.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        self._noise.load_state_dict(state)
