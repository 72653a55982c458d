"""Networks of all seeds at once: every layer's weights carry a seed axis in front.

Two things keep a seed's numbers the same to the bit whatever its companions. A lone seed runs beside a
dummy: matrix products of one item and of several go through different kernels, so parameters always have at
least two rows and a lone seed's input is given to both; the dummy's output is cut off, so its gradient is
exactly zero. And every layer is computed at a width that is a multiple of 16, its surplus weights staying
exactly zero: otherwise the results' alignment, and with it the kernel's order of summation, differs from
seed to seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from rlbench.kit.encoding import Encoder
from rlbench.kit.parameters import Initialise, Parameters, Spec, constant, orthogonal, padded, uniform

Activation = Literal["relu", "tanh"]
Pull = Callable[[torch.Tensor], torch.Tensor]
"""Takes the gradient of outputs ``[S, ..., outputs]`` to the parameters', and gives that of the inputs."""


@dataclass(frozen=True)
class Linear:
    """An affine layer: ``[R, B, given] -> [R, B, padded outputs]`` with weights ``[R, inputs, outputs]``.

    ``given`` is ``inputs``, or more behind a padded layer.
    """

    name: str
    inputs: int
    given: int
    outputs: int
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
        if x.shape[0] != parameters.rows:
            x = x.expand(parameters.rows, *x.shape[1:])  # a lone seed's, to its dummy
        return torch.baddbmm(parameters[self.name + ".bias"], x, parameters[self.name + ".weight"])

    def pull(
        self, parameters: Parameters, x: torch.Tensor, output: torch.Tensor, gradient: torch.Tensor
    ) -> torch.Tensor:
        """Set the parameters' gradients, given that of the output ``[R, B, ...]``; give that of ``x``."""
        torch.bmm(x.mT, gradient, out=parameters.gradient(self.name + ".weight"))
        torch.sum(gradient, 1, keepdim=True, out=parameters.gradient(self.name + ".bias"))
        return torch.bmm(gradient, parameters[self.name + ".weight"].mT)


@dataclass(frozen=True)
class Convolution:
    """A convolution without padding: ``[S, B, inputs, H, W]`` to ``[S, B, outputs, ...]``, one call a seed.

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

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        weight, bias = parameters[f"{self.name}.weight"], parameters[f"{self.name}.bias"]
        convolve = torch.nn.functional.conv2d
        return torch.stack([convolve(x[i], weight[i], bias[i], stride=self.stride) for i in range(len(x))])


@dataclass(frozen=True)
class Flatten:
    """``[S, B, ...] -> [S, B, features]``."""

    def specs(self) -> tuple[Spec, ...]:
        return ()

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2)


@dataclass(frozen=True)
class Pointwise:
    """An activation function; it overwrites its input, which no gradient needs."""

    function: Activation

    def specs(self) -> tuple[Spec, ...]:
        return ()

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        return x.relu_() if self.function == "relu" else x.tanh_()

    def pull(
        self, parameters: Parameters, x: torch.Tensor, output: torch.Tensor, gradient: torch.Tensor
    ) -> torch.Tensor:
        """Give the input's gradient, from the output and the output's gradient."""
        if self.function == "relu":
            return torch.ops.aten.threshold_backward(gradient, output, 0)
        return torch.ops.aten.tanh_backward(gradient, output)


@dataclass(frozen=True)
class Network:
    """A stack of layers: ``network(parameters, x)`` maps ``[S, ..., *inputs]`` to ``[S, ..., outputs]``."""

    inputs: tuple[int, ...]
    outputs: int
    front: tuple[Convolution | Flatten | Pointwise, ...]
    dense: tuple[Linear | Pointwise, ...]  # begins with a Linear, if it is not empty

    def specs(self) -> tuple[Spec, ...]:
        """What the layers need from :class:`Parameters`, in order."""
        return tuple(spec for layer in (*self.front, *self.dense) for spec in layer.specs())

    def __call__(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        lead, out = x.shape[: x.ndim - len(self.inputs)], self._features(parameters, x)
        for layer in self.dense:
            out = layer(parameters, out)
        return out[: parameters.seeds, :, : self.outputs].reshape(*lead, self.outputs)

    def _features(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        inputs = x.ndim - len(self.inputs)
        x = x.reshape(x.shape[0], math.prod(x.shape[1:inputs]), *x.shape[inputs:])  # [S, B, *inputs]
        for layer in self.front:
            x = layer(parameters, x)
        return x

    def trace(self, parameters: Parameters, x: torch.Tensor) -> tuple[torch.Tensor, Pull]:
        """The same outputs, and the function that takes their gradient to ``parameters.gradients``.

        It gives the gradient of ``x`` in turn, but not behind convolutions: those are left to autograd.

        For a loss whose gradient is as easily written as the loss: linear layers are differentiated in two
        thirds of the time that autograd takes (64x64, batch 128, 3 seeds: 0.18 ms against 0.27 ms).
        """
        lead = x.shape[: x.ndim - len(self.inputs)]
        with torch.set_grad_enabled(bool(self.front)):
            features = self._features(parameters, x)
        with torch.no_grad():
            held = [features.expand(parameters.rows, *features.shape[1:])]  # each [R, B, width]
            for layer in self.dense:
                held.append(layer(parameters, held[-1]))

        @torch.no_grad()
        def pull(gradient: torch.Tensor) -> torch.Tensor:
            flat = torch.zeros_like(held[-1])
            flat[: parameters.seeds, :, : self.outputs] = gradient.reshape(lead[0], -1, self.outputs)
            for layer, given, output in zip(self.dense[::-1], held[-2::-1], held[:0:-1], strict=True):
                flat = layer.pull(parameters, given, output, flat)
            if self.front:
                names = [spec.name for layer in self.front for spec in layer.specs()]
                parameters.pull(features, flat[: lead[0]], names)
                return flat
            return flat[: lead[0], :, : self.inputs[0]].reshape(*lead, -1)

        return held[-1][: parameters.seeds, :, : self.outputs].reshape(*lead, self.outputs), pull


def _linear(name: str, inputs: int, given: int, outputs: int, initialisation: str, gain: float) -> Linear:
    if initialisation == "orthogonal":
        return Linear(name, inputs, given, outputs, orthogonal(gain), constant(0.0))
    return Linear(name, inputs, given, outputs, uniform(inputs), uniform(inputs))


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
    layers: list[Linear | Pointwise] = []
    width = given = inputs
    for number, size in enumerate(hidden_sizes):
        layers += [
            _linear(f"{name}.{number}", width, given, size, initialisation, math.sqrt(2.0)),
            Pointwise(activation),
        ]
        width, given = size, padded(size)
    if outputs is not None:
        layers.append(_linear(f"{name}.out", width, given, outputs, initialisation, output_gain))
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
    front: list[Convolution | Flatten | Pointwise] = []
    for number, (outputs, size, stride) in enumerate(kernels):
        fan_in = channels * size * size
        if initialisation == "orthogonal":
            start = (orthogonal(math.sqrt(2.0)), constant(0.0))
        else:
            start = (uniform(fan_in), uniform(fan_in))
        front.append(Convolution(f"{name}.conv{number}", channels, outputs, size, stride, *start))
        front.append(Pointwise("relu"))
        channels, height, width = outputs, (height - size) // stride + 1, (width - size) // stride + 1
    flat = channels * height * width
    dense = (
        _linear(f"{name}.features", flat, flat, units, initialisation, math.sqrt(2.0)),
        Pointwise("relu"),
    )
    return Network(shape, units, (*front, Flatten()), dense)


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
        def body(name: str) -> Network:
            return network(name, encoder, hidden_sizes, activation=activation, initialisation="orthogonal")

        def head(name: str, width: int, units: int, gain: float) -> Network:
            return mlp(name, width, (), outputs=units, initialisation="orthogonal", output_gain=gain)

        self._share = share
        self._policy_body = body("shared" if share else "policy")
        self._value_body = self._policy_body if share else body("value")
        self._policy_head = head("policy", self._policy_body.outputs, outputs, 0.01)
        self._value_head = head("value", self._value_body.outputs, 1, 1.0)

    def specs(self) -> tuple[Spec, ...]:
        """What the networks need from :class:`Parameters`."""
        bodies = (self._policy_body,) if self._share else (self._policy_body, self._value_body)
        parts = (*bodies, self._policy_head, self._value_head)
        return tuple(spec for part in parts for spec in part.specs())

    def policy(self, parameters: Parameters, features: torch.Tensor) -> torch.Tensor:
        """What the action distribution needs, ``[S, ..., outputs]``."""
        return self._policy_head(parameters, self._policy_body(parameters, features))

    def value(self, parameters: Parameters, features: torch.Tensor) -> torch.Tensor:
        """State values, ``[S, ...]``."""
        return self._value_head(parameters, self._value_body(parameters, features)).squeeze(-1)

    def trace(
        self, parameters: Parameters, features: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Callable[[torch.Tensor, torch.Tensor], None]]:
        """Both at once, and the function that takes their gradients to the parameters'."""
        body, pull_body = self._policy_body.trace(parameters, features)
        other, pull_other = (body, pull_body) if self._share else self._value_body.trace(parameters, features)
        outputs, pull_policy = self._policy_head.trace(parameters, body)
        value, pull_value = self._value_head.trace(parameters, other)

        def pull(outputs_gradient: torch.Tensor, value_gradient: torch.Tensor) -> None:
            first, second = pull_policy(outputs_gradient), pull_value(value_gradient.unsqueeze(-1))
            if self._share:
                pull_body(first + second)
            else:
                pull_body(first)
                pull_other(second)

        return outputs, value.squeeze(-1), pull
