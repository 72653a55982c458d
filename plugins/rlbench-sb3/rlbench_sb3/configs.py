"""Settings of Stable-Baselines3's algorithms: the names and defaults of their constructors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlbench.api import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt


@dataclass(frozen=True)
class _Shared:
    learning_rate_schedule: Literal["constant", "linear"] = "constant"
    """How the learning rate changes: not at all, or linearly to 0 at the end of the run."""
    gamma: Fraction = 0.99
    """Discount factor."""
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    """``net_arch``: units of each hidden layer; policy and value have layers of their own."""


@dataclass(frozen=True)
class DQNConfig(_Shared):
    """Settings of ``sb3-dqn``."""

    learning_rate: Positive = 1e-4
    """Adam's step size at the start."""
    buffer_size: PositiveInt = 1_000_000
    """Transitions in the replay buffer."""
    learning_starts: NonNegativeInt = 100
    """Steps before learning begins."""
    batch_size: PositiveInt = 32
    """Transitions in an update."""
    tau: Fraction = 1.0
    """How far the target network moves when it is updated."""
    train_freq: PositiveInt = 4
    """Vector steps from one training to the next."""
    gradient_steps: int = 1
    """Updates in one training; -1 for as many as there were steps."""
    target_update_interval: PositiveInt = 10_000
    """Steps from one target update to the next."""
    exploration_fraction: Fraction = 0.1
    """Share of the run over which epsilon falls."""
    exploration_initial_eps: Fraction = 1.0
    """Epsilon at the start."""
    exploration_final_eps: Fraction = 0.05
    """Epsilon after the fall."""
    max_grad_norm: Positive = 10.0
    """Largest norm of the gradient."""
    activation: Literal["relu", "tanh"] = "relu"
    """``activation_fn`` of the hidden layers."""
    n_envs: PositiveInt = 1
    """Sub-environments stepped together."""


@dataclass(frozen=True)
class _OnPolicy(_Shared):
    ent_coef: NonNegative = 0.0
    """Weight of the entropy bonus."""
    vf_coef: NonNegative = 0.5
    """Weight of the value loss."""
    max_grad_norm: Positive = 0.5
    """Largest norm of the gradient."""
    activation: Literal["relu", "tanh"] = "tanh"
    """``activation_fn`` of the hidden layers."""
    n_envs: PositiveInt = 8
    """Sub-environments stepped together."""


@dataclass(frozen=True)
class A2CConfig(_OnPolicy):
    """Settings of ``sb3-a2c``."""

    learning_rate: Positive = 7e-4
    """The optimiser's step size at the start."""
    n_steps: PositiveInt = 5
    """Vector steps in a rollout."""
    gae_lambda: Fraction = 1.0
    """Trade-off of generalised advantage estimation."""
    rms_prop_eps: Positive = 1e-5
    """RMSprop's epsilon."""
    use_rms_prop: bool = True
    """RMSprop instead of Adam."""
    normalize_advantage: bool = False
    """Normalise the advantages of a rollout."""


@dataclass(frozen=True)
class PPOConfig(_OnPolicy):
    """Settings of ``sb3-ppo``."""

    learning_rate: Positive = 3e-4
    """Adam's step size at the start."""
    n_steps: PositiveInt = 2048
    """Vector steps in a rollout."""
    batch_size: PositiveInt = 64
    """Transitions in an update."""
    n_epochs: PositiveInt = 10
    """Passes over a rollout."""
    gae_lambda: Fraction = 0.95
    """Trade-off of generalised advantage estimation."""
    clip_range: Positive = 0.2
    """Clipping of the probability ratio."""
    normalize_advantage: bool = True
    """Normalise the advantages of a batch."""
