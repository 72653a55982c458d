"""Returns and advantages, with termination and truncation apart.

Bootstrapping stops at ``terminated`` alone; the recursion over time stops at both, because the next row
belongs to another episode. ``next_value`` is always the value of the true successor.
"""

from __future__ import annotations

import numpy as np
import torch


def generalised_advantages(
    reward: torch.Tensor,
    value: torch.Tensor,
    next_value: torch.Tensor,
    terminated: torch.Tensor,
    truncated: torch.Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> torch.Tensor:
    """Generalised advantage estimates (Schulman et al. 2016, eq. 16), every array ``[S, T, N]``.

    With ``gae_lambda`` 1 they are n-step returns (bootstrapped after the last row) less the value.
    """
    error = reward + gamma * next_value * ~terminated - value  # [S, T, N]
    carry = (~(terminated | truncated)).to(error.dtype) * (gamma * gae_lambda)  # [S, T, N]
    running, backwards = torch.zeros_like(error[:, 0]), []  # [S, N] each
    for here, kept in zip(error.unbind(1)[::-1], carry.unbind(1)[::-1], strict=True):
        running = here + kept * running
        backwards.append(running)
    return torch.stack(backwards[::-1], 1)


def episode_returns(reward: np.ndarray, after: float, gamma: float) -> np.ndarray:
    """Discounted return from each step of one episode, ``[T]``.

    ``after`` is the value of what follows its end: 0 for a terminated episode, and the value of the last
    successor for one that was cut off.
    """
    returns = np.empty(len(reward))
    running = float(after)
    for t in range(len(reward) - 1, -1, -1):
        running = float(reward[t]) + gamma * running
        returns[t] = running
    return returns
