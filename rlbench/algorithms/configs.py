"""Settings of the learners, apart from their code: a plan is made of them without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlbench import api


@dataclass(frozen=True)
class DQNConfig:
    """Settings of ``dqn``; the names are those of Stable-Baselines3."""

    learning_rate: api.Positive = 1e-3
    """Adam's step size at the start."""
    learning_rate_schedule: Literal["constant", "linear"] = "linear"
    """How the learning rate changes: not at all, or linearly to 0 at the end of the run."""
    buffer_size: api.PositiveInt = 50_000
    """Transitions each seed's replay holds."""
    learning_starts: api.NonNegativeInt = 1_000
    """Environment steps before learning begins; actions are uniform until then."""
    batch_size: api.PositiveInt = 128
    """Transitions in an update."""
    tau: api.Fraction = 1.0
    """How far the target network moves towards the online one when it is updated; 1 copies it."""
    gamma: api.Fraction = 0.99
    """Discount factor."""
    train_freq: api.PositiveInt = 4
    """Vector steps from one training to the next."""
    gradient_steps: api.PositiveInt = 1
    """Updates in one training."""
    target_update_interval: api.PositiveInt = 500
    """Environment steps (of all sub-environments together) from one target update to the next."""
    exploration_fraction: api.Fraction = 0.1
    """Share of the run over which epsilon falls."""
    exploration_initial_eps: api.Fraction = 1.0
    """Epsilon at the start."""
    exploration_final_eps: api.Fraction = 0.05
    """Epsilon after the fall."""
    max_grad_norm: api.Positive = 10.0
    """Each seed's gradient is scaled to at most this global norm."""
    loss: Literal["huber", "mse"] = "huber"
    """Huber (threshold 1) or the squared error, averaged over the batch."""
    double_q: bool = False
    """Choose the target's action by the online network."""
    hidden_sizes: tuple[api.PositiveInt, ...] = (128, 128)
    """Units of each hidden layer; behind the convolutions for images."""
    activation: Literal["relu", "tanh"] = "relu"
    """Activation of the hidden layers."""
    adam_eps: api.Positive = 1e-8
    """Adam's epsilon."""
    n_envs: api.PositiveInt = 1
    """Sub-environments stepped together."""

    def __post_init__(self) -> None:
        if self.tau == 0.0:
            raise ValueError("tau is 0, so the target network would never move; give a number above 0")


@dataclass(frozen=True)
class A2CConfig:
    """Settings of ``a2c``; the names are those of Stable-Baselines3."""

    learning_rate: api.Positive = 7e-4
    """The optimiser's step size at the start."""
    learning_rate_schedule: Literal["constant", "linear"] = "linear"
    """How the learning rate changes: not at all, or linearly to 0 at the end of the run."""
    n_steps: api.PositiveInt = 5
    """Vector steps in an update."""
    gamma: api.Fraction = 0.99
    """Discount factor."""
    gae_lambda: api.Fraction = 1.0
    """Weight of later errors in the advantage; 1 gives n-step returns."""
    ent_coef: api.NonNegative = 0.0
    """Weight of the entropy bonus."""
    vf_coef: api.NonNegative = 0.5
    """Weight of the value loss."""
    max_grad_norm: api.Positive = 0.5
    """Each seed's gradient is scaled to at most this global norm."""
    normalize_advantage: bool = False
    """Give a seed's advantages mean 0 and standard deviation 1 before each update."""
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    """Which optimiser."""
    optimizer_eps: api.Positive = 1e-5
    """The optimiser's epsilon."""
    share_network: bool = False
    """Let policy and value share all layers but the last."""
    hidden_sizes: tuple[api.PositiveInt, ...] = (64, 64)
    """Units of each hidden layer; behind the convolutions for images."""
    activation: Literal["relu", "tanh"] = "tanh"
    """Activation of the hidden layers."""
    log_std_init: float = 0.0
    """Log standard deviation of Gaussian policies at the start."""
    n_envs: api.PositiveInt = 8
    """Sub-environments stepped together."""

    def __post_init__(self) -> None:
        if self.normalize_advantage and self.n_steps * self.n_envs < 2:
            raise ValueError("normalize_advantage needs two or more rows; raise n_steps or n_envs")


@dataclass(frozen=True)
class ReinforceConfig:
    """Settings of ``reinforce``; names are those of Stable-Baselines3 where it has one."""

    learning_rate: api.Positive = 1e-3
    """Adam's step size at the start."""
    learning_rate_schedule: Literal["constant", "linear"] = "linear"
    """How the learning rate changes: not at all, or linearly to 0 at the end of the run."""
    gamma: api.Fraction = 0.99
    """Discount factor."""
    episodes_per_update: api.PositiveInt = 1
    """Complete episodes in an update."""
    baseline: Literal["none", "mean", "value"] = "value"
    """What is subtracted from the returns: nothing, their mean over the update, or a learned state value."""
    normalize_advantage: bool = False
    """Give what remains after the baseline mean 0 and standard deviation 1 in each update."""
    ent_coef: api.NonNegative = 0.0
    """Weight of the entropy bonus."""
    vf_coef: api.Positive = 0.5
    """Weight of the value loss, with the learned baseline."""
    max_grad_norm: api.Positive = 0.5
    """Each seed's gradient is scaled to at most this global norm."""
    hidden_sizes: tuple[api.PositiveInt, ...] = (64, 64)
    """Units of each hidden layer; behind the convolutions for images."""
    activation: Literal["relu", "tanh"] = "tanh"
    """Activation of the hidden layers."""
    log_std_init: float = 0.0
    """Log standard deviation of Gaussian policies at the start."""
    adam_eps: api.Positive = 1e-8
    """Adam's epsilon."""
    n_envs: api.PositiveInt = 1
    """Sub-environments stepped together."""
