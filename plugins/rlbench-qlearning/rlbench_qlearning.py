"""Tabular Q-learning, Q(s, a) += lr (r + gamma max_b Q(s', b) - Q(s, a)) (Watkins and Dayan, 1992, eq. 1)."""

from dataclasses import dataclass

import numpy as np

from rlbench.api import AlgorithmSpec, Fraction, Positive
from rlbench.hookspecs import hookimpl


@dataclass(frozen=True)
class Config:
    learning_rate: Positive = 0.1
    gamma: Fraction = 0.99
    exploration_fraction: Positive = 0.5
    exploration_initial_eps: Fraction = 1.0
    exploration_final_eps: Fraction = 0.05


class QLearning:
    def __init__(self, task, config, rng):
        self.config, self.rng, self.steps, self.step = config, rng, task.steps, 0
        self.table = np.zeros((task.observation_space.n, task.action_space.n))  # [observations, A]

    def act(self, obs):
        config, size = self.config, len(obs)
        end = config.exploration_fraction * self.steps
        epsilon = np.interp(
            self.step, [0, end], [config.exploration_initial_eps, config.exploration_final_eps]
        )
        random = self.rng.integers(self.table.shape[1], size=size)
        return np.where(self.rng.random(size) < epsilon, random, self.policy()(obs))  # [N]

    def observe(self, transition):
        self.step += len(transition.reward)
        for obs, action, reward, next_obs, terminated, _ in zip(*transition, strict=True):  # over N
            target = reward + self.config.gamma * (not terminated) * self.table[next_obs].max()
            self.table[obs, action] += self.config.learning_rate * (target - self.table[obs, action])

    def policy(self):
        return lambda obs: self.table[obs].argmax(axis=-1)

    def state_dict(self):
        weights = {"table": self.table.copy()}
        return {"weights": weights, "step": self.step, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state):
        self.table[:], self.step = state["weights"]["table"], state["step"]
        self.rng.bit_generator.state = state["rng"]


def supports(task):
    spaces = (task.observation_space, task.action_space)
    discrete = all(space.shape == () and hasattr(space, "n") for space in spaces)
    return None if discrete else "needs Discrete observations and actions"


@hookimpl
def rlbench_algorithms():
    yield AlgorithmSpec("q-learning", Config, agent=QLearning, supports=supports, description="one table")
