"""Seed-batched networks: what they compute, and that no bit depends on companions."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlbench.kit.encoding import Encoder
from rlbench.kit.networks import ActorCritic, image_encoder, mlp, network
from rlbench.kit.optimisation import Adam
from rlbench.kit.parameters import Parameters, orthogonal

NETWORKS = {
    "narrow": (lambda: mlp("q", 5, (7, 6), outputs=1), (5,)),
    "wide": (lambda: mlp("q", 4, (64, 64), outputs=2, activation="tanh"), (4,)),
    "linear": (lambda: mlp("q", 7, (), outputs=6), (7,)),
    "small image": (lambda: image_encoder("q", (4, 10, 10)), (4, 10, 10)),
    "large image": (lambda: image_encoder("q", (2, 36, 38)), (2, 36, 38)),
}


def by_autograd(layers, held, x):
    """Set the gradients of each seed's mean squared output; give the outputs."""
    out = layers(held, x)
    held.backward(out.square().mean((-2, -1)))
    return out.detach()


def by_trace(layers, held, x):
    """The same, with the gradient of the loss written by hand."""
    out, pull = layers.trace(held, x)
    pull(2 * out / out[0].numel())
    return out


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3, 32])
@pytest.mark.parametrize("differentiate", [by_autograd, by_trace])
def test_a_seed_trains_the_same_in_any_cohort(rngs, name, batch, differentiate):
    make, shape = NETWORKS[name]
    if name == "large image" and batch == 32:
        batch = 5

    def train(*seeds):
        layers = make()
        held = Parameters(layers.specs(), rngs(*seeds), device="cpu")
        rule, outputs = Adam(held), []
        for number in range(4):
            draws = [np.random.default_rng((seed, number)).standard_normal((batch, *shape)) for seed in seeds]
            out = differentiate(layers, held, torch.from_numpy(np.stack(draws)).float())
            rule.step(0.01, max_grad_norm=1.0)
            outputs.append(out.numpy())
        return np.stack(outputs, 1), held.state_dict()

    alone, weights = train(3)
    for cohort in ((3, 1), (0, 3, 1), (4, 1, 2, 3), (0, 1, 2, 4, 3)):
        at = cohort.index(3)
        outputs, shared = train(*cohort)
        assert outputs[at].tobytes() == alone[0].tobytes()
        assert all(shared[key][at].tobytes() == weights[key][0].tobytes() for key in weights)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_trace_has_the_outputs_and_gradients_of_autograd(rngs, name, seeds):
    make, shape = NETWORKS[name]
    layers = make()
    held = Parameters(layers.specs(), rngs(*range(seeds)), device="cpu", dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((seeds, 6, *shape)))
    expected = by_autograd(layers, held, x)
    gradients = held.gradients.clone()
    held.gradients.fill_(np.nan)
    np.testing.assert_allclose(by_trace(layers, held, x), expected, rtol=0, atol=1e-14)
    for name in held.state_dict():
        given = held.gradient(name)
        assert given.shape == held[name].shape
        assert given.isfinite().all()
    np.testing.assert_allclose(held.gradients.nan_to_num(), gradients, rtol=0, atol=1e-14)


def as_tensors(held):
    return {name: torch.from_numpy(values) for name, values in held.state_dict().items()}


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_perceptron_computes_what_plain_torch_does(rngs, activation):
    layers = mlp("q", 5, (7, 6), outputs=3, activation=activation)
    held = Parameters(layers.specs(), rngs(0, 1), device="cpu", dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 4, 9, 5)))
    given, weights = layers(held, x).detach().numpy(), as_tensors(held)
    assert given.shape == (2, 4, 9, 3)
    for seed in range(2):
        hidden = x[seed]
        for name in ("q.0", "q.1", "q.out"):
            hidden = hidden @ weights[f"{name}.weight"][seed] + weights[f"{name}.bias"][seed]
            hidden = hidden if name == "q.out" else getattr(torch, activation)(hidden)
        np.testing.assert_allclose(given[seed], hidden, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(4, 10, 10), (2, 36, 38)])
def test_an_image_encoder_computes_what_plain_torch_does(rngs, shape):
    layers = image_encoder("e", shape)
    held = Parameters(layers.specs(), rngs(0, 1), device="cpu", dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, *shape)))
    given, weights = layers(held, x).detach().numpy(), as_tensors(held)
    strides = {(4, 10, 10): (1,), (2, 36, 38): (4, 2, 1)}[shape]
    for seed in range(2):
        hidden = x[seed]
        for number, stride in enumerate(strides):
            kernel, bias = (weights[f"e.conv{number}.{part}"][seed] for part in ("weight", "bias"))
            hidden = torch.relu(torch.nn.functional.conv2d(hidden, kernel, bias, stride=stride))
        hidden = hidden.flatten(1) @ weights["e.features.weight"][seed] + weights["e.features.bias"][seed]
        np.testing.assert_allclose(given[seed], hidden.relu(), rtol=0, atol=1e-12)


def test_a_seed_is_initialised_from_its_own_generator_alone(rngs):
    specs = mlp("q", 5, (7,), outputs=3).specs()
    alone = Parameters(specs, rngs(3), device="cpu").state_dict()
    together = Parameters(specs, rngs(1, 3), device="cpu").state_dict()
    assert all((alone[name][0] == together[name][1]).all() for name in alone)
    assert (together["q.0.weight"][0] != together["q.0.weight"][1]).all()


def test_uniform_initialisation_has_the_bounds_of_torchs_layers(rngs):
    weights = Parameters(mlp("q", 25, (64,), outputs=3).specs(), rngs(0), device="cpu").state_dict()
    for name, bound in (("q.0.weight", 0.2), ("q.0.bias", 0.2), ("q.out.weight", 0.125)):
        assert 0.9 * bound < np.abs(weights[name]).max() < bound


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (8, 3, 2, 2)])
def test_orthogonal_initialisation_is_orthogonal(rngs, shape):
    drawn = orthogonal(2.0)(rngs(0)[0], shape).reshape(shape[0], -1)
    product = drawn @ drawn.T if drawn.shape[0] <= drawn.shape[1] else drawn.T @ drawn
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_the_first_policy_hardly_prefers_anything(rngs):
    both = ActorCritic(Encoder(spaces.Box(-1, 1, (4,))), 3, (64, 64), share=False, activation="tanh")
    held = Parameters(both.specs(), rngs(0, 1), device="cpu")
    outputs, value, _ = both.trace(held, torch.ones((2, 5, 4)))
    assert outputs.shape == (2, 5, 3)
    assert value.shape == (2, 5)
    assert outputs.abs().max() < 0.05 < value.abs().max()


@pytest.mark.parametrize("share", [True, False])
def test_policy_and_value_share_layers_only_when_asked(rngs, share):
    both = ActorCritic(Encoder(spaces.Box(-1, 1, (4,))), 3, (8,), share=share, activation="tanh")
    held = Parameters(both.specs(), rngs(0, 1), device="cpu")
    outputs, value, _ = both.trace(held, torch.ones((2, 5, 4)))
    with torch.no_grad():
        assert torch.equal(outputs, both.policy(held, torch.ones((2, 5, 4))))
        assert torch.equal(value, both.value(held, torch.ones((2, 5, 4))))
    bodies = {name.split(".")[0] for name in held.state_dict() if name.endswith(".0.weight")}
    assert bodies == ({"shared"} if share else {"policy", "value"})


def test_gradients_are_each_seeds_own(rngs):
    layers = mlp("q", 3, (4,), outputs=1)
    held = Parameters(layers.specs(), rngs(0, 1), device="cpu", dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 6, 3)))
    held.backward(layers(held, x).square().mean((-2, -1)))
    together = held.gradients.clone()
    for seed in range(2):
        only = torch.zeros(2, dtype=torch.float64)
        only[seed] = 1.0
        held.backward(layers(held, x).square().mean((-2, -1)) * only)
        assert torch.equal(held.gradients[seed], together[seed])
        assert (held.gradients[1 - seed] == 0).all()


def test_gradients_add_up_when_asked(rngs):
    layers = mlp("q", 3, (4,), outputs=1)
    held = Parameters(layers.specs(), rngs(0), device="cpu", dtype=torch.float64)
    x = torch.ones((1, 2, 3), dtype=torch.float64)
    held.backward(layers(held, x).sum((-2, -1)))
    once = held.gradients.clone()
    held.backward(layers(held, x).sum((-2, -1)), accumulate=True)
    np.testing.assert_allclose(held.gradients, 2 * once)


def test_a_copy_has_the_same_values_and_lives_its_own_life(rngs):
    held = Parameters(mlp("q", 3, (4,), outputs=1).specs(), rngs(0, 1), device="cpu")
    other = held.copy()
    assert torch.equal(held.values, other.values)
    held.values += 1
    assert not torch.equal(held.values, other.values)
    other.follow(held, 0.25)
    np.testing.assert_allclose(held.values - other.values, 0.75, atol=1e-6)
    other.follow(held, 1.0)
    assert torch.equal(held.values, other.values)


def test_some_seeds_can_be_taken_out(rngs):
    held = Parameters(mlp("q", 3, (4,), outputs=1).specs(), rngs(0, 1, 2), device="cpu")
    taken, weights = held.taken([2]).state_dict(), held.state_dict()
    assert all((taken[name][0] == weights[name][2]).all() for name in weights)


def test_a_network_for_an_image_has_convolutions_in_front(rngs):
    encoder = Encoder(spaces.Box(0, 255, (84, 84, 4), np.uint8))
    layers = network("q", encoder, (32,), outputs=6)
    held = Parameters(layers.specs(), rngs(0), device="cpu")
    assert held["q.image.conv0.weight"].shape[1:] == (32, 4, 8, 8)
    assert held.state_dict()["q.image.features.weight"].shape == (1, 3136, 512)
    assert layers(held, torch.zeros((1, 2, 4, 84, 84))).shape == (1, 2, 6)
