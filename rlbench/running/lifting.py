"""Single-seed algorithms seen through the harness's one shape, ``[S, N, ...]`` with S = 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlbench.api import Actions, Agent, Observations, Policy, Transition


class LiftedAgent:
    """A single-seed agent as a batched one, with ``state_dict`` and ``load_state_dict`` if it has them."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def act(self, obs: Observations) -> Actions:
        return np.asarray(self._agent.act(obs[0]))[None]

    def observe(self, transition: Transition) -> dict[str, list[Any]]:
        diagnostics = self._agent.observe(Transition(*(array[0] for array in transition)))
        return {name: [value] for name, value in (diagnostics or {}).items()}

    def policy(self) -> Policy:
        return lift_policy(self._agent.policy())

    def __getattr__(self, name: str) -> Any:
        if name == "state_dict":
            given = self._agent.state_dict  # type: ignore[attr-defined]
            return lambda: lift_state(given())
        if name == "load_state_dict":
            taken = self._agent.load_state_dict  # type: ignore[attr-defined]
            return lambda state: taken(_lower_state(state))
        raise AttributeError(name)


def lift_policy(policy: Policy) -> Policy:
    """Give a single-seed policy (``[E, ...]``) the seed axis of the harness (``[1, E, ...]``)."""

    def lifted(obs: Observations) -> Actions:
        return np.asarray(policy(obs[0]))[None]

    probabilities = getattr(policy, "probabilities", None)
    if probabilities is not None:
        lifted.probabilities = lambda obs: np.asarray(probabilities(obs[0]))[None]  # type: ignore[attr-defined]
    return lifted


def lift_state(state: Any) -> Any:
    """Give every array of a state tree a seed axis in front."""
    if isinstance(state, Mapping):
        return {key: lift_state(value) for key, value in state.items()}
    return np.asarray(state)[None] if isinstance(state, np.ndarray | np.generic) else state


def _lower_state(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {key: _lower_state(value) for key, value in state.items()}
    return state[0] if isinstance(state, np.ndarray) else state


def final_weights(learner: Any) -> dict[str, np.ndarray] | None:
    """Give what is kept of a learner: the entry ``"weights"`` of its state, where it has state."""
    return learner.state_dict().get("weights") if hasattr(learner, "state_dict") else None
