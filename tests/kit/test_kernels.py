"""Compiled layers and optimisers: what they compute, whatever stands beside it."""

import os

import numpy as np
import pytest
import torch

from rlbench.kit import extension, kernels
from rlbench.kit.networks import mlp
from rlbench.kit.optimisation import optimizer
from rlbench.kit.parameters import Parameters

BUILT = extension.load() is not None
pytestmark = pytest.mark.skipif(
    not BUILT and not os.environ.get("CI"), reason="rlbench was installed without a C compiler"
)

SHAPES = {  # inputs, hidden sizes, outputs
    "small": (4, (64, 64), 2),
    "large": (4, (128, 256), 18),
    "odd": (7, (33, 5), 3),
    "linear": (19, (), 21),
}


@pytest.fixture(params=kernels.INSTRUCTIONS)
def instructions(request, monkeypatch):
    """Compute with one set of instructions after the other, as far as the processor has them."""
    level = kernels.INSTRUCTIONS.index(request.param)
    if level > kernels.level():
        pytest.skip(f"this processor has no {request.param}")
    monkeypatch.setattr(kernels, "level", lambda: level)
    return request.param


def compute(rngs, shape, activation, batch, dtype=torch.float32, seeds=(0, 1, 2)):
    """Outputs, and for a fixed gradient of them those of all parameters and of the inputs."""
    inputs, hidden, outputs = SHAPES[shape]
    layers = mlp("q", inputs, hidden, outputs=outputs, activation=activation)
    held = Parameters(layers.specs(), rngs(*seeds), device="cpu", dtype=dtype)
    draws = [np.random.default_rng(seed).standard_normal((batch, inputs)) for seed in seeds]
    slopes = [np.random.default_rng((9, seed)).standard_normal((batch, outputs)) for seed in seeds]
    out, pull = layers.trace(held, torch.from_numpy(np.stack(draws)).to(dtype))
    before = pull(torch.from_numpy(np.stack(slopes)).to(dtype), inputs=True)
    gradients = {name: held.gradient(name)[: len(seeds)].numpy().copy() for name in held.state_dict()}
    return {"outputs": out.numpy(), "inputs": before[..., :inputs].numpy(), **gradients}


def test_they_are_there():
    """They are optional to users; the tests in CI must not pass for want of them."""
    assert BUILT


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("batch", [1, 6, 40])
def test_a_network_and_its_gradients_are_those_of_torch(rngs, instructions, shape, activation, batch):
    ours = compute(rngs, shape, activation, batch)
    torchs = compute(rngs, shape, activation, batch, torch.float64)
    for name, expected in torchs.items():
        np.testing.assert_allclose(ours[name], expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


@pytest.mark.skipif(BUILT and kernels.level() < 2, reason="this processor has no AVX-512")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_avx2_and_avx512_give_the_same_bits(rngs, monkeypatch, shape, optimiser):
    def bits(level):
        monkeypatch.setattr(kernels, "level", lambda: level)
        weights, norms = trained(rngs, optimiser, torch.float32)
        found = (*compute(rngs, shape, "tanh", 40).values(), *weights.values(), norms)
        return [one.tobytes() for one in found]

    assert bits(1) == bits(2)


def test_the_defaults_of_torch_do_not_matter(rngs):
    expected = compute(rngs, "odd", "relu", 6)
    torch.set_default_dtype(torch.float64)
    try:
        found = compute(rngs, "odd", "relu", 6)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all((found[name] == expected[name]).all() for name in expected)


def test_tensors_need_not_be_contiguous(rngs):
    layers = mlp("q", 5, (9,), outputs=3)
    held = Parameters(layers.specs(), rngs(0, 1), device="cpu")
    x, slope = torch.rand(2, 5, 7).mT, torch.rand(7, 2, 3).transpose(0, 1)
    numbers = []
    for given, gradient in ((x, slope), (x.contiguous(), slope.contiguous())):
        out, pull = layers.trace(held, given)
        before = pull(gradient, inputs=True)
        numbers.append((out.clone(), before.clone(), held.gradients.clone()))
    assert all(torch.equal(one, other) for one, other in zip(*numbers, strict=True))


def test_layers_that_do_not_fit_their_parameters_are_refused(rngs):
    held = Parameters(mlp("q", 4, (64,), outputs=2).specs(), rngs(0), device="cpu")
    with torch.no_grad(), pytest.raises(ValueError, match=r"q\.0 fits neither"):
        mlp("q", 4, (256,), outputs=2)(held, torch.ones((1, 3, 4)))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_output_does_not_depend_on_the_size_of_its_batch(rngs, instructions, shape):
    whole = compute(rngs, shape, "tanh", 75)
    for batch in (1, 2, 5, 16, 33):
        part = compute(rngs, shape, "tanh", batch)
        assert part["outputs"].tobytes() == whole["outputs"][:, :batch].tobytes()
        assert part["inputs"].tobytes() == whole["inputs"][:, :batch].tobytes()


def test_tanh_is_right_over_its_whole_range(rngs, instructions):
    layers = mlp("t", 1, (16,), activation="tanh")
    held = Parameters(layers.specs(), rngs(0), device="cpu")
    with torch.no_grad():
        held["t.0.weight"].fill_(1.0)
        held["t.0.bias"].fill_(0.0)
        x = torch.cat([torch.linspace(-20, 20, 4001), torch.tensor([0.0, -0.0, 1e-30, 1e30, torch.inf])])
        ours = layers(held, x.reshape(1, -1, 1))[0, :, 0]
    expected = np.tanh(x.numpy().astype(np.float64))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=3e-7, atol=0)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_what_is_not_a_number_stays_so(rngs, instructions, activation):
    layers = mlp("q", 3, (17,), outputs=2, activation=activation)
    held = Parameters(layers.specs(), rngs(0, 1), device="cpu")
    x = torch.ones((2, 5, 3))
    x[1, 2, 0] = torch.nan
    out, pull = layers.trace(held, x)
    assert out[1, 2].isnan().all()
    assert out[0].isfinite().all()
    pull(torch.ones_like(out))
    assert held.gradient("q.0.weight")[1].isnan().any()
    assert held.gradients[0].isfinite().all()


def trained(rngs, name, dtype, masked=False):
    """Weights after some clipped steps of an optimiser on three seeds, and the norms that were clipped."""
    held = Parameters(mlp("q", 5, (33,), outputs=3).specs(), rngs(0, 1, 2), device="cpu", dtype=dtype)
    rule, norms = optimizer(name, held, 1e-5), []
    for number in range(6):
        rng = np.random.default_rng(number)
        for parameter in held.state_dict():
            gradient = held.gradient(parameter)[:3]
            drawn = rng.standard_normal(gradient.shape) * 10.0 ** rng.uniform(-4, 1, (3, 1, 1))
            gradient.copy_(torch.from_numpy(drawn))
        mask = np.array([True, number % 2 == 0, number == 3]) if masked else np.ones(3, dtype=bool)
        norm = rule.step(1e-2, mask if masked else None, max_grad_norm=0.5)
        norms.append(norm.double().numpy()[mask])
    return held.state_dict(), np.concatenate(norms)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
@pytest.mark.parametrize("masked", [False, True])
def test_optimisers_step_as_torch_does(rngs, instructions, name, masked):
    ours, norms = trained(rngs, name, torch.float32, masked)
    expected, expected_norms = trained(rngs, name, torch.float64, masked)
    np.testing.assert_allclose(norms, expected_norms, rtol=1e-5)
    for parameter in ours:
        np.testing.assert_allclose(ours[parameter], expected[parameter], rtol=0, atol=2e-6)


def test_inputs_of_another_shape_or_kind_are_refused(rngs):
    layers = mlp("q", 3, (8,), outputs=2)
    held = Parameters(layers.specs(), rngs(0, 1), device="cpu")
    for wrong in (torch.ones((3, 5, 3)), torch.ones((2, 5, 4)), torch.ones((2, 5, 3), dtype=torch.float64)):
        with torch.no_grad(), pytest.raises(ValueError, match=r"q\.0 takes float32 \[2, B, 3\]"):
            layers(held, wrong)
    out, pull = layers.trace(held, torch.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="gradient"):
        pull(out.double())
