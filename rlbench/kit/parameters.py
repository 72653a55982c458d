"""Parameters of all seeds in one flat buffer, each seed's filled from its own generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from rlbench.kit import kernels
from rlbench.kit.streams import stream

Initialise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def padded(width: int) -> int:
    """The next multiple of 16 floats, a cache line."""
    return -(-width // 16) * 16


@dataclass(frozen=True)
class Spec:
    """One parameter of one seed: its name, its shape and how a generator fills it.

    ``stored`` is the shape it is computed in, with surplus zeros at the ends of its axes; by default its own.
    """

    name: str
    shape: tuple[int, ...]
    initialise: Initialise
    stored: tuple[int, ...] = ()


def orthogonal(gain: float) -> Initialise:
    """Orthogonal rows or columns, scaled; convolution kernels are taken as ``[out, in * height * width]``."""

    def initialise(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        rows, columns = (shape[0], math.prod(shape[1:]))
        tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q = q * np.sign(np.diag(r))  # makes the decomposition unique, and the draw uniform
        return gain * (q if rows >= columns else q.T).reshape(shape)

    return initialise


def uniform(fan_in: int) -> Initialise:
    """Uniform within ``1 / sqrt(fan_in)`` of 0: what torch's own layers start from, weights and biases."""
    bound = 1.0 / math.sqrt(fan_in)
    return lambda generator, shape: generator.uniform(-bound, bound, shape)


def constant(value: float) -> Initialise:
    """The same number everywhere."""
    return lambda generator, shape: np.full(shape, value)


class Parameters:
    """All parameters of all seeds in one flat buffer ``[S, P]``, with their gradients in a second one.

    ``parameters[name]`` is a view ``[R, *shape]`` (``R``: see :attr:`rows`), so that clipping and optimisers
    work on two tensors whatever the number of layers. Each seed is initialised from its own generator alone.
    """

    def __init__(
        self,
        specs: Sequence[Spec],
        rngs: Sequence[np.random.Generator],
        *,
        device: str | torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._allocate(tuple(specs), len(rngs), torch.device(device), dtype)
        with torch.no_grad():
            for spec in self.specs:
                view = self._logical(spec)
                for row, rng in enumerate(rngs):  # one seed at a time: they are drawn in float64
                    drawn = spec.initialise(stream(rng, f"initialisation/{spec.name}"), spec.shape)
                    view[row] = torch.from_numpy(drawn)
                view[len(rngs) :] = view[0]  # a dummy gets the same

    def _allocate(
        self, specs: tuple[Spec, ...], seeds: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.specs, self.seeds, self.device, self.dtype = specs, seeds, device, dtype
        self.rows = max(seeds, 2)  # S, or 2 for a lone seed and its dummy
        offsets, size = [], 0
        for spec in specs:
            offsets.append(size)
            size += padded(math.prod(spec.stored or spec.shape))
        self.values = torch.zeros((self.rows, size), device=device, dtype=dtype)
        self.offsets = {spec.name: start for spec, start in zip(specs, offsets, strict=True)}  # in a row
        self.plans: dict[Any, bytes] = {}  # what compiled code knows of them, by Stack (rlbench.kit.dense)
        self._views = {name: view.requires_grad_() for name, view in self._cut(self.values).items()}

    @property
    def compiled(self) -> Any:
        """The compiled code for these parameters, or ``None`` where torch computes."""
        return kernels.compiled_for(self.device, self.dtype)

    def _cut(self, buffer: torch.Tensor) -> dict[str, torch.Tensor]:
        """Give every parameter's view of a buffer that is laid out like :attr:`values`."""
        views = {}
        for spec in self.specs:
            shape, start = spec.stored or spec.shape, self.offsets[spec.name]
            views[spec.name] = buffer[:, start : start + math.prod(shape)].view(self.rows, *shape)
        return views

    @cached_property
    def gradients(self) -> torch.Tensor:
        """Laid out like :attr:`values`; made when it is first needed, which a target network never does."""
        return torch.zeros_like(self.values)

    @cached_property
    def _gradient_views(self) -> dict[str, torch.Tensor]:
        return self._cut(self.gradients)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._views[name]

    def gradient(self, name: str) -> torch.Tensor:
        """The part of :attr:`gradients` that belongs to ``parameters[name]``, a view of the same shape."""
        return self._gradient_views[name]

    def _logical(self, spec: Spec) -> torch.Tensor:
        """The view without the surplus."""
        return self._views[spec.name][(slice(None), *(slice(length) for length in spec.shape))]

    def backward(self, loss: torch.Tensor, *, accumulate: bool = False) -> None:
        """Set :attr:`gradients` to those of each seed's own ``loss [S]``, or add them.

        Seeds share no parameter, so the gradient of the sum is every seed's own.
        """
        fresh = torch.autograd.grad(loss.sum(), list(self._views.values()))
        for held, gradient in zip(self._gradient_views.values(), fresh, strict=True):
            if accumulate:
                held += gradient
            else:
                held.copy_(gradient)

    def copy(self) -> Parameters:
        """Give new parameters with the same values, as a target network needs them."""
        return self.taken(range(self.seeds))

    def taken(self, seeds: Iterable[int]) -> Parameters:
        """Give new parameters that hold a copy of these seeds' values."""
        chosen = list(seeds)
        other = Parameters.__new__(Parameters)
        other._allocate(self.specs, len(chosen), self.device, self.dtype)
        for row, seed in enumerate(chosen):
            other.values[row] = self.values[seed]
        other.values[len(chosen) :] = other.values[0]
        return other

    def follow(self, other: Parameters, tau: float) -> None:
        """Move towards ``other`` by the share ``tau``; 1 copies it."""
        if tau == 1.0:
            self.values.copy_(other.values)
        else:
            self.values.lerp_(other.values, tau)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every parameter as ``[S, *shape]``, by name; on a CPU views that follow it."""
        return {spec.name: self._logical(spec).detach()[: self.seeds].cpu().numpy() for spec in self.specs}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the values of a state given by :meth:`state_dict`."""
        with torch.no_grad():
            for spec in self.specs:
                self._logical(spec).copy_(torch.from_numpy(np.array(state[spec.name])))
