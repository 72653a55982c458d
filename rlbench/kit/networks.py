"""Networks of all seeds at once: every layer's weights carry a seed axis in front."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch

from rlbench.kit.dense import Activation, Linear, Pull, Stack
from rlbench.kit.encoding import Encoder
from rlbench.kit.parameters import Initialise, Parameters, Spec, constant, orthogonal, padded, uniform

Weights = Mapping[str, torch.Tensor]
"""One seed's, by name."""


@dataclass(frozen=True)
class Convolution:
    """A convolution without padding, of one seed: ``[B, inputs, H, W]`` to ``[B, outputs, ...]``.

    A grouped convolution of all seeds gives other bits for other numbers of groups, and takes half as long
    again on a CPU (84 x 84 x 4, batch 32, 10 seeds, forward and backward: 198 ms against 136 ms).
    """

    name: str
    inputs: int
    outputs: int
    size: int
    stride: int
    initialise: Initialise
    initialise_bias: Initialise

    def specs(self) -> tuple[Spec, ...]:
        kernel = (self.outputs, self.inputs, self.size, self.size)
        return (
            Spec(f"{self.name}.weight", kernel, self.initialise),
            Spec(f"{self.name}.bias", (self.outputs,), self.initialise_bias),
        )

    def __call__(self, weights: Weights, x: torch.Tensor) -> torch.Tensor:
        weight, bias = weights[f"{self.name}.weight"], weights[f"{self.name}.bias"]
        return torch.nn.functional.conv2d(x, weight, bias, stride=self.stride).relu_()


@dataclass(frozen=True)
class Network:
    """A stack of layers: ``network(parameters, x)`` maps ``[S, ..., *inputs]`` to ``[S, ..., outputs]``.

    Convolutions, each rectified, come in front; what they give is flattened.
    """

    inputs: tuple[int, ...]
    outputs: int
    front: tuple[Convolution, ...]
    dense: tuple[Linear, ...]

    def specs(self) -> tuple[Spec, ...]:
        """What the layers need from :class:`Parameters`, in order."""
        layers: tuple[Convolution | Linear, ...] = (*self.front, *self.dense)
        return tuple(spec for layer in layers for spec in layer.specs())

    @cached_property
    def _stack(self) -> Stack:
        return Stack(self.dense)

    @cached_property
    def _front_names(self) -> list[str]:
        return [spec.name for layer in self.front for spec in layer.specs()]

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        lead, out = x.shape[: x.ndim - len(self.inputs)], self._batched(x)
        if self.front:
            own = ({name: parameters[name][seed] for name in self._front_names} for seed in range(len(out)))
            out = torch.stack([self._features(weights, one) for weights, one in zip(own, out, strict=True)])
        if self.dense:
            out = self._stack(parameters, out)
        return out.reshape(*lead, self.outputs)

    def _batched(self, x: torch.Tensor) -> torch.Tensor:
        """``[S, ..., *inputs]`` -> ``[S, B, *inputs]``."""
        inputs = x.ndim - len(self.inputs)
        return x.reshape(x.shape[0], math.prod(x.shape[1:inputs]), *x.shape[inputs:])

    def _features(self, weights: Weights, x: torch.Tensor) -> torch.Tensor:
        """One seed's convolutions: ``[B, *inputs]`` -> ``[B, features]``."""
        for layer in self.front:
            x = layer(weights, x)
        return x.flatten(1)

    def trace(self, parameters: Parameters, x: torch.Tensor) -> tuple[torch.Tensor, Pull]:
        """The same outputs, and the function that takes their gradient to ``parameters.gradients``.

        For a loss whose gradient is as easily written as the loss: autograd records nothing but the
        convolutions, seed by seed, whose inputs' gradient cannot be asked for.
        """
        lead, features = x.shape[: x.ndim - len(self.inputs)], self._batched(x)
        if self.front:
            return self._trace_images(parameters, features, lead)
        if not self.dense:
            return features.reshape(*lead, self.outputs), lambda gradient, inputs=False: gradient
        outputs, pull_dense = self._stack.trace(parameters, features)

        def pull(gradient: torch.Tensor, inputs: bool = False) -> torch.Tensor:
            return pull_dense(gradient.reshape(outputs.shape), inputs=inputs)

        return outputs.reshape(*lead, self.outputs), pull

    def _trace_images(
        self, parameters: Parameters, x: torch.Tensor, lead: Sequence[int]
    ) -> tuple[torch.Tensor, Pull]:
        names = self._front_names
        with torch.enable_grad():
            own = [
                {name: parameters[name][seed].detach().requires_grad_() for name in names}
                for seed in range(len(x))
            ]
            seen = [self._features(weights, one) for weights, one in zip(own, x, strict=True)]
        outputs, pull_dense = self._stack.trace(parameters, torch.stack([one.detach() for one in seen]))

        def pull(gradient: torch.Tensor, inputs: bool = False) -> torch.Tensor:
            flat = pull_dense(gradient.reshape(outputs.shape), inputs=True)
            for name in names:
                parameters.gradient(name)[len(own) :] = 0.0  # a dummy's
            for seed, (weights, features) in enumerate(zip(own, seen, strict=True)):
                fresh = torch.autograd.grad(features, list(weights.values()), flat[seed])
                for name, found in zip(names, fresh, strict=True):
                    parameters.gradient(name)[seed] = found
            return flat

        return outputs.reshape(*lead, self.outputs), pull


def _linear(
    name: str,
    inputs: int,
    outputs: int,
    activation: Activation | None,
    initialisation: str,
    gain: float = math.sqrt(2.0),
    *,
    given: int = 0,
) -> Linear:
    start = (uniform(inputs), uniform(inputs))
    if initialisation == "orthogonal":
        start = (orthogonal(gain), constant(0.0))
    return Linear(name, inputs, given or inputs, outputs, activation, *start)


Initialisation = Literal["orthogonal", "uniform"]


def mlp(
    name: str,
    inputs: int,
    hidden_sizes: Sequence[int],
    *,
    outputs: int | None = None,
    activation: Activation = "relu",
    initialisation: Initialisation = "uniform",
    output_gain: float = 1.0,
) -> Network:
    """A multi-layer perceptron: hidden layers, each with the activation, then ``outputs`` linear units.

    Without ``outputs`` it ends after the last activation (a body for several heads). ``orthogonal`` uses
    the gains of Stable-Baselines3: sqrt(2) for hidden layers, ``output_gain`` for the last, biases 0.
    """
    layers: list[Linear] = []
    width = given = inputs
    for number, size in enumerate(hidden_sizes):
        layers.append(_linear(f"{name}.{number}", width, size, activation, initialisation, given=given))
        width, given = size, padded(size)
    if outputs is not None:
        layers.append(_linear(f"{name}.out", width, outputs, None, initialisation, output_gain, given=given))
        width = outputs
    return Network((inputs,), width, (), tuple(layers))


def image_encoder(
    name: str, shape: tuple[int, int, int], initialisation: Initialisation = "uniform"
) -> Network:
    """A convolutional network for images ``[channels, height, width]``, ending in a layer of features.

    From 36 x 36 pixels on, the one of Mnih et al. (2015): 32 8x8 kernels with stride 4, 64 4x4 with
    stride 2, 64 3x3, then 512 units. For smaller images that of Young and Tian (MinAtar, 2019): 16 3x3
    kernels, then 128 units.
    """
    channels, height, width = shape
    large = min(height, width) >= 36
    kernels = ((32, 8, 4), (64, 4, 2), (64, 3, 1)) if large else ((16, min(3, height, width), 1),)
    units = 512 if large else 128
    front: list[Convolution] = []
    for number, (outputs, size, stride) in enumerate(kernels):
        fan_in = channels * size * size
        if initialisation == "orthogonal":
            start = (orthogonal(math.sqrt(2.0)), constant(0.0))
        else:
            start = (uniform(fan_in), uniform(fan_in))
        front.append(Convolution(f"{name}.conv{number}", channels, outputs, size, stride, *start))
        channels, height, width = outputs, (height - size) // stride + 1, (width - size) // stride + 1
    flat = channels * height * width
    dense = _linear(f"{name}.features", flat, units, "relu", initialisation)
    return Network(shape, units, tuple(front), (dense,))


def network(
    name: str,
    encoder: Encoder,
    hidden_sizes: Sequence[int],
    *,
    outputs: int | None = None,
    activation: Activation = "relu",
    initialisation: Initialisation = "uniform",
    output_gain: float = 1.0,
) -> Network:
    """A network for what ``encoder`` gives: :func:`mlp`, behind an image encoder where that is an image."""
    image = Network(encoder.features, encoder.features[0], (), ())
    if encoder.is_image:
        channels, height, width = encoder.features
        image = image_encoder(f"{name}.image", (channels, height, width), initialisation)
    rest = mlp(
        name,
        image.outputs,
        hidden_sizes,
        outputs=outputs,
        activation=activation,
        initialisation=initialisation,
        output_gain=output_gain,
    )
    return Network(encoder.features, rest.outputs, image.front, image.dense + rest.dense)


class ActorCritic:
    """A policy network and a value network, with bodies of their own or one for both.

    Initialised as in Stable-Baselines3: orthogonal, the policy's last layer scaled to 0.01 so that the first
    policy hardly prefers anything.
    """

    def __init__(
        self,
        encoder: Encoder,
        outputs: int,
        hidden_sizes: Sequence[int],
        *,
        share: bool,
        activation: Activation,
    ) -> None:
        def whole(name: str, units: int | None = None, gain: float = 1.0) -> Network:
            return network(
                name,
                encoder,
                hidden_sizes,
                outputs=units,
                activation=activation,
                initialisation="orthogonal",
                output_gain=gain,
            )

        def head(name: str, width: int, units: int, gain: float) -> Network:
            return mlp(name, width, (), outputs=units, initialisation="orthogonal", output_gain=gain)

        self._shared = whole("shared") if share else None
        if self._shared:
            self._policy = head("policy", self._shared.outputs, outputs, 0.01)
            self._value = head("value", self._shared.outputs, 1, 1.0)
        else:
            self._policy, self._value = whole("policy", outputs, 0.01), whole("value", 1)

    def specs(self) -> tuple[Spec, ...]:
        """What the networks need from :class:`Parameters`."""
        shared = self._shared.specs() if self._shared else ()
        return (*shared, *self._policy.specs(), *self._value.specs())

    def _features(self, parameters: Parameters, features: torch.Tensor) -> torch.Tensor:
        return self._shared(parameters, features) if self._shared else features

    def policy(self, parameters: Parameters, features: torch.Tensor) -> torch.Tensor:
        """What the action distribution needs, ``[S, ..., outputs]``."""
        return self._policy(parameters, self._features(parameters, features))

    def value(self, parameters: Parameters, features: torch.Tensor) -> torch.Tensor:
        """State values, ``[S, ...]``."""
        return self._value(parameters, self._features(parameters, features)).squeeze(-1)

    def trace(
        self, parameters: Parameters, features: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Callable[[torch.Tensor, torch.Tensor], None]]:
        """Both at once, and the function that takes their gradients to the parameters'."""
        shared = self._shared
        if shared:
            features, pull_shared = shared.trace(parameters, features)
        outputs, pull_policy = self._policy.trace(parameters, features)
        value, pull_value = self._value.trace(parameters, features)

        def pull(outputs_gradient: torch.Tensor, value_gradient: torch.Tensor) -> None:
            first = pull_policy(outputs_gradient, inputs=bool(shared))
            second = pull_value(value_gradient.unsqueeze(-1), inputs=bool(shared))
            if shared:
                pull_shared((first + second).reshape(features.shape))

        return outputs, value.squeeze(-1), pull
