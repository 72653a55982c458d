"""Optimisers on flat parameters, by the formulas of ``torch.optim``: one step serves every layer and seed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch.optim.adam import adam

from rlbench.kit import kernels
from rlbench.kit.parameters import Parameters

OptimizerName = Literal["adam", "rmsprop"]


class _Optimizer(ABC):
    """What the optimisers share: moments laid out like the parameters, and steps of chosen seeds alone."""

    def __init__(self, parameters: Parameters, moments: tuple[str, ...]) -> None:
        self._parameters = parameters
        self._moments = {name: torch.zeros_like(parameters.values) for name in moments}

    def step(
        self, learning_rate: float, mask: np.ndarray | None = None, *, max_grad_norm: float = math.inf
    ) -> torch.Tensor:
        """Scale each seed's gradient to a global norm of at most ``max_grad_norm``, and apply it.

        Gives the norms before, ``[S]``. Where ``mask [S]`` is False, a seed's numbers stay as they are, to
        the bit, and its norm means nothing.
        """
        parameters = self._parameters
        gradients, seeds = parameters.gradients, parameters.seeds
        if not parameters.compiled:
            norms = torch.linalg.vector_norm(gradients, dim=-1)  # [R]
            gradients.mul_((max_grad_norm / (norms + 1e-6)).clamp_(max=1.0).unsqueeze(-1))
            self._step(learning_rate, mask)
            return norms[:seeds]
        norms = kernels.empty(seeds)
        ranges = [(0, seeds)] if mask is None else [(int(seed), 1) for seed in np.flatnonzero(mask)]
        for first, count in ranges:
            tensors = (parameters.values, gradients, *self._moments.values(), norms)
            where = (tensor[first].data_ptr() for tensor in tensors)
            sizes = (count, parameters.values.stride(0), kernels.level())
            self._step_compiled(learning_rate, first, (*where, *sizes, max_grad_norm))
        return norms

    @abstractmethod
    def _step(self, learning_rate: float, mask: np.ndarray | None) -> None:
        """Step by torch, the gradients clipped."""

    @abstractmethod
    def _step_compiled(self, learning_rate: float, first: int, where: tuple[float, ...]) -> None:
        """Clip and step by compiled code for the seeds from ``first`` on that ``where`` tells it."""

    def _chosen(self, mask: np.ndarray) -> torch.Tensor:
        rows = np.zeros((self._parameters.rows, 1), dtype=bool)
        rows[: self._parameters.seeds, 0] = mask
        return torch.from_numpy(rows).to(self._parameters.device)

    def state_dict(self) -> dict[str, Any]:
        """The moments ``[S, P]``; on a CPU views that follow them."""
        seeds = self._parameters.seeds
        return {name: moment[:seeds].cpu().numpy() for name, moment in self._moments.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        for name, moment in self._moments.items():
            moment.copy_(torch.from_numpy(np.array(state[name])))


class Adam(_Optimizer):
    """Adam (Kingma and Ba 2015), every seed with a step count of its own."""

    def __init__(
        self, parameters: Parameters, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(parameters, ("mean", "square"))
        self._betas, self._eps = betas, eps
        self._count = np.zeros(parameters.seeds, dtype=np.int64)
        self._steps = torch.zeros((), device=parameters.device)  # what torch counts them in

    def step(
        self, learning_rate: float, mask: np.ndarray | None = None, *, max_grad_norm: float = math.inf
    ) -> torch.Tensor:
        """See :meth:`_Optimizer.step`."""
        self._count += 1 if mask is None else mask
        return super().step(learning_rate, mask, max_grad_norm=max_grad_norm)

    def _step_compiled(self, learning_rate: float, first: int, where: tuple[float, ...]) -> None:
        (beta1, beta2), count = self._betas, int(self._count[first])  # without a mask the same for all
        step, correction = learning_rate / (1.0 - beta1**count), (1.0 - beta2**count) ** -0.5
        self._parameters.compiled.adam(*where, step, correction, beta1, beta2, self._eps)

    def _step(self, learning_rate: float, mask: np.ndarray | None) -> None:
        mean, square = self._moments["mean"], self._moments["square"]
        gradients, values = self._parameters.gradients, self._parameters.values
        if mask is None:
            # Without a mask all seeds have taken the same number of steps.
            self._steps.fill_(int(self._count[0]) - 1)
            adam(
                [values],
                [gradients],
                [mean],
                [square],
                [],
                [self._steps],
                fused=True,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=learning_rate,
                weight_decay=0.0,
                eps=self._eps,
                maximize=False,
            )
            return
        chosen = self._chosen(mask)  # [R, 1]
        counts = np.ones(self._parameters.rows)
        counts[: self._parameters.seeds] = np.maximum(self._count, 1)
        first_, second_ = (
            torch.from_numpy(1.0 - beta**counts).to(values.device, values.dtype).unsqueeze(-1)
            for beta in self._betas
        )  # [R, 1]
        mean.copy_(torch.where(chosen, mean.lerp(gradients, 1.0 - self._betas[0]), mean))
        fresh = (square * self._betas[1]).addcmul_(gradients, gradients, value=1.0 - self._betas[1])
        square.copy_(torch.where(chosen, fresh, square))
        scale = (square.sqrt() / second_.sqrt()).add_(self._eps)
        values.copy_(torch.where(chosen, values - learning_rate / first_ * (mean / scale), values))

    def state_dict(self) -> dict[str, Any]:
        """The moments ``[S, P]`` and the step counts ``[S]``."""
        return {**super().state_dict(), "count": self._count.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state given by :meth:`state_dict`."""
        super().load_state_dict(state)
        self._count[:] = state["count"]


class RMSprop(_Optimizer):
    """RMSprop (Tieleman and Hinton 2012), not centred, without momentum."""

    def __init__(self, parameters: Parameters, *, alpha: float = 0.99, eps: float = 1e-5) -> None:
        super().__init__(parameters, ("square",))
        self._alpha, self._eps = alpha, eps

    def _step_compiled(self, learning_rate: float, first: int, where: tuple[float, ...]) -> None:
        self._parameters.compiled.rmsprop(*where, learning_rate, self._alpha, self._eps)

    def _step(self, learning_rate: float, mask: np.ndarray | None) -> None:
        square = self._moments["square"]
        gradients, values = self._parameters.gradients, self._parameters.values
        if mask is None:
            square.mul_(self._alpha).addcmul_(gradients, gradients, value=1.0 - self._alpha)
            values.addcdiv_(gradients, square.sqrt().add_(self._eps), value=-learning_rate)
            return
        chosen = self._chosen(mask)  # [R, 1]
        fresh = (square * self._alpha).addcmul_(gradients, gradients, value=1.0 - self._alpha)
        square.copy_(torch.where(chosen, fresh, square))
        moved = values.addcdiv(gradients, fresh.sqrt_().add_(self._eps), value=-learning_rate)
        values.copy_(torch.where(chosen, moved, values))


Optimizer = Adam | RMSprop


def optimizer(name: OptimizerName, parameters: Parameters, eps: float) -> Optimizer:
    """Make the optimiser of that name."""
    return Adam(parameters, eps=eps) if name == "adam" else RMSprop(parameters, eps=eps)
