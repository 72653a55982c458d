"""Environments that misbehave in one episode, told by its seed, and are harmless in all others.

The seeds of bad episodes come in ``HOSTILE_EPISODES``, so that a calm run has the same identities.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import gymnasium
import numpy as np


class Calm(gymnasium.Env):
    """Episodes of ten steps, observations that depend on everything before, a reward for the right action."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.bad = str(seed) in os.environ.get("HOSTILE_EPISODES", "").split(",")
        self.count = 0
        self.obs = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return self.obs, {}

    def step(self, action):
        self.count += 1
        reward = float(action == (self.obs[0] > 0))
        noise = self.np_random.uniform(-0.1, 0.1, 2).astype(np.float32)
        self.obs = np.clip(np.float32(0.9) * self.obs + noise, -1, 1)
        if self.bad and self.count == 4:
            return self.misbehave(reward)
        return self.obs, reward, False, self.count == 10, {}

    def misbehave(self, reward):
        return self.obs, reward, False, False, {}


class RaisesAtStep(Calm):
    def misbehave(self, reward):
        raise RuntimeError("the simulator broke")


class RaisesAtReset(Calm):
    def reset(self, *, seed=None, options=None):
        obs = super().reset(seed=seed)
        if self.bad:
            raise RuntimeError("no level could be generated")
        return obs


class RaisesAtConstruction(Calm):
    """Can be made where the run was asked for, and nowhere else."""

    def __init__(self):
        if os.environ.get("HOSTILE_EPISODES") and os.environ["HOSTILE_PARENT"] != str(os.getpid()):
            raise RuntimeError("the licence server does not answer")


class NeverMade(Calm):
    def __init__(self):
        raise RuntimeError("the licence has expired")


class LeavesBySystemExit(Calm):
    def misbehave(self, reward):
        sys.exit("the simulator says goodbye")


class Exits(Calm):
    def misbehave(self, reward):
        print("these are its last words", flush=True)
        os._exit(7)


class Crashes(Calm):
    def misbehave(self, reward):
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Calm):
    def misbehave(self, reward):
        time.sleep(600)


class PrintsWithoutEnd(Calm):
    def misbehave(self, reward):
        while True:
            print("all work and no play\n" * 1000)
            time.sleep(0.001)


class PrintsMuch(Calm):
    """Says more in one step than any pipe holds, and goes on."""

    def misbehave(self, reward):
        print("all work and no play\n" * 100_000, file=sys.stderr)
        return super().misbehave(reward)


class Leaks(Calm):
    """Takes 4 GiB, 32 MiB at a time, and keeps them."""

    def misbehave(self, reward):
        hoard = []
        while len(hoard) < 128:
            hoard.append(np.ones(4 * 2**20))
        time.sleep(600)


class NanObservations(Calm):
    def misbehave(self, reward):
        self.obs = np.array([np.nan, 0.5], np.float32)
        return super().misbehave(reward)


class InfiniteRewards(Calm):
    def misbehave(self, reward):
        return super().misbehave(np.inf)


class WrongShape(Calm):
    def misbehave(self, reward):
        return np.zeros((2, 1), np.float32), reward, False, False, {}


class WrongType(Calm):
    def misbehave(self, reward):
        return np.array(["left", "right"]), reward, False, False, {}


class NoReward(Calm):
    def misbehave(self, reward):
        return super().misbehave(None)


for _kind in Calm.__subclasses__():
    gymnasium.register(f"{_kind.__name__}-v0", _kind)
