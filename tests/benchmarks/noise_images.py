"""Frames of noise, stacked by four: an environment as large as Atari's and as cheap as can be."""

from __future__ import annotations

import gymnasium
import numpy as np


class NoiseImages(gymnasium.Env):
    """Every step shows one new frame of 84 x 84 bytes beside the last three."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 84, 84), np.uint8)
    action_space = gymnasium.spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.stack = np.stack([self._frame()] * 4)
        return self.stack.copy(), {}

    def step(self, action):
        self.stack = np.concatenate([self.stack[1:], self._frame()[None]])
        return self.stack.copy(), 1.0, False, False, {}

    def _frame(self) -> np.ndarray:
        return self.np_random.integers(0, 256, (84, 84), dtype=np.uint8)


gymnasium.register("NoiseImages-v0", NoiseImages, max_episode_steps=1000)
