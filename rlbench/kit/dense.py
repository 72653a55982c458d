"""Affine layers of all seeds at once, by compiled code on the CPU and by torch everywhere else.

Two things keep a seed's numbers the same to the bit whatever its companions, in torch. A lone seed runs
beside a dummy: matrix products of one item and of several go through different kernels, so parameters always
have at least two rows and a lone seed's input is given to both; the dummy's output is cut off, so its
gradient is exactly zero. And every layer is computed at a width that is a multiple of 16, its surplus weights
staying exactly zero: otherwise the results' alignment, and with it the kernel's order of summation, differs
from seed to seed.

Compiled code (:mod:`rlbench.kit.kernels`) goes seed by seed, whose layers follow each other in the
processor's cache: a library's batched products of matrices this small leave half of the processor idle. Every
output is one sum in the order of the inputs, so neither companions nor the size of the batch can change a
bit, and there is no dummy.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch

from rlbench.kit import kernels
from rlbench.kit.parameters import Initialise, Parameters, Spec, padded

Activation = Literal["relu", "tanh"]
Pull = Callable[..., torch.Tensor]
"""``pull(gradient)`` takes the gradient of outputs ``[S, ..., outputs]`` to the parameters'.

``pull(gradient, inputs=True)`` gives that of the inputs as well."""

_ACTIVATIONS = {None: 0, "relu": 1, "tanh": 2}


@dataclass(frozen=True)
class Linear:
    """An affine layer and its activation: ``[R, B, given] -> [R, B, padded outputs]``.

    The weights are ``[R, inputs, outputs]``; ``given`` is ``inputs``, or more behind a padded layer.
    """

    name: str
    inputs: int
    given: int
    outputs: int
    activation: Activation | None
    initialise: Initialise
    initialise_bias: Initialise

    def specs(self) -> tuple[Spec, ...]:
        width = padded(self.outputs)
        shape = (self.inputs, self.outputs)
        return (
            Spec(f"{self.name}.weight", shape, self.initialise, (self.given, width)),
            Spec(f"{self.name}.bias", (1, self.outputs), self.initialise_bias, (1, width)),
        )

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        out = torch.baddbmm(parameters[self.name + ".bias"], x, parameters[self.name + ".weight"])
        if self.activation is None:
            return out
        return out.relu_() if self.activation == "relu" else out.tanh_()

    def pull(
        self, parameters: Parameters, x: torch.Tensor, output: torch.Tensor, gradient: torch.Tensor
    ) -> torch.Tensor:
        """Set the parameters' gradients, given that of the output ``[R, B, ...]``; give that of ``x``."""
        if self.activation == "relu":
            gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
        elif self.activation == "tanh":
            gradient = torch.ops.aten.tanh_backward(gradient, output)
        torch.bmm(x.mT, gradient, out=parameters.gradient(self.name + ".weight"))
        torch.sum(gradient, 1, keepdim=True, out=parameters.gradient(self.name + ".bias"))
        return torch.bmm(gradient, parameters[self.name + ".weight"].mT)


@dataclass(frozen=True, eq=False)
class Stack:
    """Layers one after the other: ``stack(parameters, x)`` maps ``[S, B, given]`` to ``[S, B, outputs]``."""

    layers: tuple[Linear, ...]  # at least one

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        if parameters.compiled and not torch.is_grad_enabled():
            return self._compiled(parameters, x, all_layers=False)[0]
        out = x.expand(parameters.rows, *x.shape[1:])  # a lone seed's goes to its dummy as well
        for layer in self.layers:
            out = layer(parameters, out)
        return out[: parameters.seeds, :, : self.layers[-1].outputs]

    def trace(self, parameters: Parameters, x: torch.Tensor) -> tuple[torch.Tensor, Pull]:
        """The same outputs, and the function that takes their gradient to ``parameters.gradients``.

        Nothing is recorded by autograd.
        """
        if parameters.compiled:
            return self._traced(parameters, x)
        with torch.no_grad():
            held = [x.expand(parameters.rows, *x.shape[1:])]  # each [R, B, width]
            for layer in self.layers:
                held.append(layer(parameters, held[-1]))

        @torch.no_grad()
        def pull(gradient: torch.Tensor, inputs: bool = False) -> torch.Tensor:
            flat = torch.zeros_like(held[-1])
            flat[: parameters.seeds, :, : gradient.shape[-1]] = gradient
            for layer, given, output in zip(self.layers[::-1], held[-2::-1], held[:0:-1], strict=True):
                flat = layer.pull(parameters, given, output, flat)
            return flat[: parameters.seeds]

        return held[-1][: parameters.seeds, :, : self.layers[-1].outputs], pull

    @cached_property
    def _widths(self) -> list[int]:
        return [padded(layer.outputs) for layer in self.layers]

    def _plan(self, parameters: Parameters) -> bytes:
        """The layers as compiled code takes them, made and checked once for each set of parameters."""
        plan = parameters.plans.get(self)
        if plan is None:
            words: list[int] = []
            given = self.layers[0].given
            for layer, width in zip(self.layers, self._widths, strict=True):
                shapes = [tuple(parameters[spec.name].shape[1:]) for spec in layer.specs()]
                if layer.given != given or shapes != [(given, width), (1, width)]:
                    raise ValueError(
                        f"{layer.name} fits neither the parameters nor the layer before: {shapes}"
                    )
                offsets = (parameters.offsets[spec.name] for spec in layer.specs())
                words += (given, width, *offsets, _ACTIVATIONS[layer.activation])
                given = width
            plan = parameters.plans[self] = struct.pack(f"{len(words)}q", *words)
        return plan

    def _compiled(
        self, parameters: Parameters, x: torch.Tensor, *, all_layers: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The outputs, and those of all layers ``[S, B, width]`` or of the last alone, end to end."""
        seeds, rows, given = x.shape
        first = self.layers[0]
        if (seeds, given) != (parameters.seeds, first.given) or x.dtype != torch.float32 or not x.is_cpu:
            raise ValueError(
                f"{first.name} takes float32 [{parameters.seeds}, B, {first.given}] on the CPU, "
                f"not {x.dtype} {list(x.shape)} on {x.device}"
            )
        x = x.contiguous()  # under a name of its own while its address is used
        values, width = parameters.values, self._widths[-1]
        held = kernels.empty(seeds * rows * (sum(self._widths) if all_layers else width))
        parameters.compiled.forward(
            self._plan(parameters), values.data_ptr(), values.stride(0), x.data_ptr(), seeds, rows,
            held.data_ptr(), kernels.level(), all_layers,
        )  # fmt: skip
        shape, strides = (seeds, rows, self.layers[-1].outputs), (rows * width, width, 1)
        return held.as_strided(shape, strides, held.numel() - seeds * rows * width), held

    def _traced(self, parameters: Parameters, x: torch.Tensor) -> tuple[torch.Tensor, Pull]:
        x = x.detach().contiguous()
        outputs, held = self._compiled(parameters, x, all_layers=True)

        def pull(gradient: torch.Tensor, inputs: bool = False) -> torch.Tensor:
            seeds, rows, given = x.shape
            gradient = gradient.contiguous()
            if gradient.shape != outputs.shape or gradient.dtype != torch.float32 or not gradient.is_cpu:
                raise ValueError(
                    f"the gradient is {gradient.dtype} {list(gradient.shape)}, "
                    f"not float32 {list(outputs.shape)}"
                )
            wanted = kernels.empty(seeds, rows if inputs else 0, padded(given))
            values = parameters.values
            parameters.compiled.backward(
                self._plan(parameters), values.data_ptr(), values.stride(0), x.data_ptr(), seeds, rows,
                held.data_ptr(), parameters.gradients.data_ptr(), gradient.data_ptr(), gradient.shape[-1],
                wanted.data_ptr() if inputs else 0, kernels.level(),
            )  # fmt: skip
            return wanted[..., :given]

        return outputs, pull
