"""Policies over actions: categorical for Discrete spaces, a diagonal Gaussian for Boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces

from rlbench import api
from rlbench.kit.parameters import Parameters, Spec, constant
from rlbench.kit.streams import Blocks, gumbel, normal


class ActionDistribution(Protocol):
    """How a network's outputs ``[S, ..., outputs]`` become actions.

    A *raw* action is what was sampled and what log-probabilities are taken of; ``to_environment`` makes the
    action that the environment gets.
    """

    outputs: int
    raw_shape: tuple[int, ...]
    raw_dtype: torch.dtype

    def specs(self) -> tuple[Spec, ...]:
        """Parameters besides the network's."""

    def noise(self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...]) -> Blocks:
        """The stream of noise that :meth:`sample` takes, for ``shape`` actions a step."""

    def sample(self, parameters: Parameters, outputs: torch.Tensor, noise: np.ndarray) -> np.ndarray:
        """Sample raw actions ``[S, N, *raw_shape]``."""

    def mode(self, outputs: torch.Tensor) -> np.ndarray:
        """The most likely raw actions."""

    def to_environment(self, raw: np.ndarray) -> np.ndarray:
        """Raw actions as the environment takes them."""

    def log_probability(
        self, parameters: Parameters, outputs: torch.Tensor, raw: torch.Tensor
    ) -> torch.Tensor:
        """Log-probability (density) of raw actions, ``[S, ...]``."""

    def entropy(self, parameters: Parameters, outputs: torch.Tensor) -> torch.Tensor:
        """Entropy in nats, ``[S, ...]``."""

    def pull(
        self,
        parameters: Parameters,
        outputs: torch.Tensor,
        raw: torch.Tensor,
        log_probability_gradient: torch.Tensor,
        entropy_gradient: float,
    ) -> torch.Tensor:
        """Take a loss's gradients by log-probabilities ``[S, ...]`` and by every entropy to the outputs'.

        Sets those of the distribution's own parameters.
        """


class Categorical:
    """A softmax over the actions of a Discrete space."""

    def __init__(self, space: spaces.Discrete) -> None:
        self.outputs = int(space.n)
        self.raw_shape: tuple[int, ...] = ()
        self.raw_dtype = torch.int64
        self._start = int(space.start)

    def specs(self) -> tuple[Spec, ...]:
        return ()

    def noise(self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...]) -> Blocks:
        return Blocks(rngs, "actions", gumbel, (*shape, self.outputs))

    def sample(self, parameters: Parameters, outputs: torch.Tensor, noise: np.ndarray) -> np.ndarray:
        return (outputs.detach().cpu().numpy() + noise).argmax(-1)  # the Gumbel-max trick

    def mode(self, outputs: torch.Tensor) -> np.ndarray:
        return outputs.detach().cpu().numpy().argmax(-1)

    def to_environment(self, raw: np.ndarray) -> np.ndarray:
        return raw + self._start if self._start else raw

    def log_probability(
        self, parameters: Parameters, outputs: torch.Tensor, raw: torch.Tensor
    ) -> torch.Tensor:
        return torch.log_softmax(outputs, -1).gather(-1, raw.unsqueeze(-1)).squeeze(-1)

    def entropy(self, parameters: Parameters, outputs: torch.Tensor) -> torch.Tensor:
        logs = torch.log_softmax(outputs, -1)
        return -(logs.exp() * logs).sum(-1)

    def pull(
        self,
        parameters: Parameters,
        outputs: torch.Tensor,
        raw: torch.Tensor,
        log_probability_gradient: torch.Tensor,
        entropy_gradient: float,
    ) -> torch.Tensor:
        logs = torch.log_softmax(outputs, -1)
        probabilities = logs.exp()
        weight = log_probability_gradient.unsqueeze(-1)
        gradient = (probabilities * -weight).scatter_add_(-1, raw.unsqueeze(-1), weight)
        if entropy_gradient:
            entropy = -(probabilities * logs).sum(-1, keepdim=True)
            gradient -= entropy_gradient * probabilities * (logs + entropy)
        return gradient


class DiagonalGaussian:
    """Independent normals for a Box; their log standard deviations are parameters that no state changes.

    Actions are clipped to the Box for the environment alone; log-probabilities are of what was sampled.
    """

    def __init__(self, space: spaces.Box, log_std_init: float) -> None:
        self.outputs = math.prod(space.shape)
        self.raw_shape: tuple[int, ...] = (self.outputs,)
        self.raw_dtype = torch.float32
        self._space = space
        self._log_std_init = log_std_init

    def specs(self) -> tuple[Spec, ...]:
        return (Spec("log_std", (self.outputs,), constant(self._log_std_init)),)

    def noise(self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...]) -> Blocks:
        return Blocks(rngs, "actions", normal, (*shape, self.outputs))

    def _log_std(self, parameters: Parameters, like: torch.Tensor) -> torch.Tensor:
        log_std = parameters["log_std"][: parameters.seeds]  # [S, A]
        return log_std.reshape(parameters.seeds, *(1,) * (like.ndim - 2), self.outputs)

    def sample(self, parameters: Parameters, outputs: torch.Tensor, noise: np.ndarray) -> np.ndarray:
        std = self._log_std(parameters, outputs).detach().cpu().numpy()
        return (outputs.detach().cpu().numpy() + np.exp(std) * noise).astype(np.float32)

    def mode(self, outputs: torch.Tensor) -> np.ndarray:
        return outputs.detach().cpu().numpy()

    def to_environment(self, raw: np.ndarray) -> np.ndarray:
        shaped = raw.reshape(*raw.shape[:-1], *self._space.shape)
        return np.clip(shaped, self._space.low, self._space.high).astype(self._space.dtype)

    def log_probability(
        self, parameters: Parameters, outputs: torch.Tensor, raw: torch.Tensor
    ) -> torch.Tensor:
        log_std = self._log_std(parameters, outputs)
        z = (raw - outputs) * (-log_std).exp()
        return (-0.5 * z * z - log_std - 0.5 * math.log(2.0 * math.pi)).sum(-1)

    def entropy(self, parameters: Parameters, outputs: torch.Tensor) -> torch.Tensor:
        log_std = self._log_std(parameters, outputs).expand_as(outputs)
        return (log_std + 0.5 * math.log(2.0 * math.pi * math.e)).sum(-1)

    def pull(
        self,
        parameters: Parameters,
        outputs: torch.Tensor,
        raw: torch.Tensor,
        log_probability_gradient: torch.Tensor,
        entropy_gradient: float,
    ) -> torch.Tensor:
        inverse = (-self._log_std(parameters, outputs)).exp()
        z = (raw - outputs) * inverse
        weight = log_probability_gradient.unsqueeze(-1)
        by_log_std = weight * (z * z - 1.0) + entropy_gradient  # [S, ..., A]
        held = parameters.gradient("log_std").zero_()
        held[: parameters.seeds] = by_log_std.flatten(1, -2).sum(1)
        return weight * z * inverse


def action_distribution(space: Any, log_std_init: float) -> ActionDistribution:
    """Choose the distribution for an action space; :class:`rlbench.api.UsageError` if there is none."""
    if isinstance(space, spaces.Discrete):
        return Categorical(space)
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return DiagonalGaussian(space, log_std_init)
    raise api.UsageError(
        f"action space {space} is not supported by this algorithm; use an environment with Discrete or "
        "continuous Box actions"
    )
