"""Optimisers on flat parameters against torch's own."""

import copy

import numpy as np
import pytest
import torch

from rlbench.kit.optimisation import Adam, RMSprop, optimizer
from rlbench.kit.parameters import Parameters, Spec, uniform

pytestmark = pytest.mark.usefixtures("computed")
SPECS = (Spec("a", (3, 2), uniform(4)), Spec("b", (5,), uniform(4)))


def parameters(rngs, *seeds, dtype=torch.float64):
    return Parameters(SPECS, rngs(*seeds), device="cpu", dtype=dtype)


def gradients_of(held: Parameters, number: int) -> None:
    """Fill the gradients with numbers of each seed's own, by row."""
    for row, gradient in enumerate(held.gradients):
        rng = np.random.default_rng((row, number))
        gradient.copy_(torch.from_numpy(rng.standard_normal(len(gradient))))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda held: Adam(held, eps=1e-5), lambda flat: torch.optim.Adam(flat, eps=1e-5)),
        (lambda held: RMSprop(held, eps=1e-5), lambda flat: torch.optim.RMSprop(flat, eps=1e-5)),
    ],
    ids=["adam", "rmsprop"],
)
@pytest.mark.parametrize("masked", [False, True])
def test_steps_are_those_of_torch(rngs, ours, theirs, masked):
    held = parameters(rngs, 0, 1)
    ours = ours(held)
    plain = [row.clone().requires_grad_() for row in held.values]
    reference = [theirs([row]) for row in plain]
    for number in range(6):
        rate = 0.1 / (number + 1)
        gradients_of(held, number)
        mask = np.array([number % 2 == 0, number % 3 == 0]) if masked else None
        ours.step(rate, mask)
        for seed in range(2):
            if mask is None or mask[seed]:
                plain[seed].grad = held.gradients[seed].clone()
                reference[seed].param_groups[0]["lr"] = rate
                reference[seed].step()
    for seed in range(2):
        np.testing.assert_allclose(held.values[seed], plain[seed].detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_masked_seed_is_untouched_whatever_its_gradients(rngs, name):
    held = parameters(rngs, 0, 1, dtype=torch.float32)
    rule = optimizer(name, held, 1e-5)
    gradients_of(held, 0)
    rule.step(0.1, np.array([True, True]))
    before, state = held.values[1].clone(), copy.deepcopy(rule.state_dict())
    gradients_of(held, 1)
    held.gradients[1] = torch.nan
    rule.step(0.1, np.array([True, False]))
    assert torch.equal(held.values[1], before)
    assert all((rule.state_dict()[key][1] == value[1]).all() for key, value in state.items())
    assert held.values[0].isfinite().all()


def test_clipping_is_by_each_seeds_own_global_norm(rngs):
    held = parameters(rngs, 0, 1)
    gradients_of(held, 0)
    held.gradients[1] /= 100
    before = held.gradients.clone()
    norms = RMSprop(held).step(0.1, max_grad_norm=0.5)
    np.testing.assert_allclose(norms, before.norm(dim=-1), rtol=1e-12)
    assert held.gradients[0].norm().item() == pytest.approx(0.5, rel=1e-5)
    assert torch.equal(held.gradients[1], before[1])


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_state_continues_as_if_nothing_had_happened(rngs, name):
    first = parameters(rngs, 0, 1)
    rule = optimizer(name, first, 1e-5)
    gradients_of(first, 0)
    rule.step(0.1)
    second = parameters(rngs, 5, 6)
    second.load_state_dict(first.state_dict())
    other = optimizer(name, second, 1e-5)
    other.load_state_dict(rule.state_dict())
    for held, steps in ((first, rule), (second, other)):
        gradients_of(held, 1)
        steps.step(0.1)
    assert all((first.state_dict()[key] == second.state_dict()[key]).all() for key in ("a", "b"))
