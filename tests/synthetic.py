"""Results folders that look like real ones, written through the store in a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.results.journal import Arm, Decision, Journal, Layout, Verdict, write_journal
from rlbench.results.records import TrialIdentity
from rlbench.results.store import Store

CURVES: Mapping[tuple[str, str], Callable[[np.ndarray], np.ndarray]] = {
    ("a2c", "CartPole-v1"): lambda t: 22 + 470 / (1 + np.exp(-9 * (t - 0.40))),
    ("dqn", "CartPole-v1"): lambda t: 22 + 380 / (1 + np.exp(-12 * (t - 0.55))),
    ("random", "CartPole-v1"): lambda t: 22 + 0 * t,
    ("a2c", "Acrobot-v1"): lambda t: -500 + 415 * t**0.3,
    ("dqn", "Acrobot-v1"): lambda t: -500 + 400 * t**0.5,
}
LIMITS = {"CartPole-v1": (8, 500), "Acrobot-v1": (-500, -60), "FrozenLake-v1": (0, 1)}


def identity(label: str = "dqn", env: str = "CartPole-v1", seed: int = 0, **changes: Any) -> TrialIdentity:
    """Give a complete identity, of a learner unless told otherwise."""
    kind = changes.pop("kind", "solver" if "iteration" in label else "batched_agent")
    values: dict[str, Any] = {
        "label": label,
        "algorithm": label,
        "kind": kind,
        "distribution": "rlbench",
        "version": "0.1.0",
        "config": {"learning_rate": 0.001, "gamma": 0.99, "hidden_sizes": [64, 64]},
        "env": env,
        "env_kwargs": {},
        "seed": seed,
        "steps": 0 if kind == "solver" else 50_000,
        "max_episode_steps": 500,
        "evaluation_points": 20,
        "evaluation_episodes": 5,
    }
    return TrialIdentity(**{**values, **changes})


def write_trial(
    store: Store, trial: TrialIdentity, status: str = "finished", until: int = 20, **made_on: str
) -> None:
    """Write one trial with plausible numbers, ``until`` of its 20 evaluation points done."""
    rng = np.random.default_rng([trial.seed, *trial.label.encode(), *trial.env.encode()])
    writer = store.begin(trial)
    if trial.kind == "solver":
        returns = rng.binomial(1, 0.74, trial.evaluation_episodes).astype(float)
        writer.append("evaluations", _evaluation(0, returns, 0.7413))
        residuals = 0.6 ** np.arange(1, 41)
        writer.append(
            "diagnostics",
            {"step": list(range(1, 41)), "name": ["residual"] * 40, "value": residuals.tolist()},
        )
    else:
        low, high = LIMITS.get(trial.env, (0, 100))
        shape = CURVES.get((trial.label, trial.env), lambda t: low + (high - low) * t)
        shift = rng.normal(0, 0.08)
        for point in range(1, until + 1):
            t = np.clip(point / 20 + shift, 0.001, 1)
            returns = np.clip(shape(t) + rng.normal(0, 0.06 * (high - low), 5), low, high).round()
            if high == 1:
                returns = rng.binomial(1, 0.7 * t, 5).astype(float)
            step = point * trial.steps // 20
            writer.append("evaluations", _evaluation(step, returns, None))
            writer.append(
                "diagnostics", {"step": [step], "name": ["loss"], "value": [float(np.exp(-3 * t) + 0.1)]}
            )
            writer.append(
                "episodes",
                {"step": [step], "env_index": [0], "episode_return": returns[:1], "episode_length": [100]},
            )
    writer.finish(
        status,
        step=until * trial.steps // 20,
        weights=b"weights",
        timing={
            "attempts": 3 if status == "failed" else 1,
            "wall_seconds": 30.0 + trial.seed,
            "steps_per_second": 1600.0 + trial.seed,
            "host": "example",
            **{"device": "cpu", "torch": "2.13.0", "processor": "AMD EPYC", **made_on},
        },
        error={"failed": "ValueError: shapes <b>differ</b>", "diverged": "loss is NaN"}.get(status),
    )


def _evaluation(step: int, returns: np.ndarray, exact: float | None) -> dict[str, Sequence[Any]]:
    count = len(returns)
    return {
        "step": [step] * count,
        "actual_step": [step] * count,
        "episode": list(range(count)),
        "episode_return": returns,
        "episode_length": [int(abs(value)) + 1 for value in returns],
        "exact_value": [exact] * count,
    }


def write_results(
    root: Path,
    algorithms: Sequence[str] = ("a2c", "dqn"),
    envs: Sequence[str] = ("CartPole-v1",),
    seeds: int = 5,
    statuses: Mapping[tuple[str, str, int], str] | None = None,
    unsupported: Sequence[Mapping[str, str]] = (),
) -> Store:
    """Write a whole experiment; ``statuses`` says which trials did not finish."""
    store = Store(root)
    store.prepare()
    hashes = []
    for env in envs:
        for label in algorithms:
            for seed in range(seeds):
                trial = identity(label, env, seed)
                status = (statuses or {}).get((label, env, seed), "finished")
                write_trial(store, trial, status, until=20 if status == "finished" else 8)
                hashes.append(trial.hash)
    store.write_experiment(
        {
            "schema_version": 1,
            "request": {"algos": list(algorithms), "envs": list(envs), "seeds": seeds, "steps": 50_000},
            "algorithms": [
                {
                    "label": label,
                    "algorithm": label,
                    "env": env,
                    "config": identity(label).config,
                    "origins": {"learning_rate": "preset", "gamma": "default", "hidden_sizes": "--set"},
                }
                for label in algorithms
                for env in envs
            ],
            "unsupported": list(unsupported),
            "trials": hashes,
            "versions": {"rlbench": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
            "machine": {"cpu": "AMD EPYC", "cores": 2, "platform": "Linux-x86_64"},
            "command": f"rlbench run --algos {','.join(algorithms)} --seeds {seeds}",
        }
    )
    return store


def write_decisions(
    store: Store,
    verdicts: Mapping[tuple[str, str], Verdict],
    env: str = "CartPole-v1",
    interim: int = 1,
    seeds: int = 5,
) -> None:
    """Write a journal: two groups of ``seeds`` at most, every pair said its verdict at ``interim``."""
    labels = list(dict.fromkeys(label for pair in verdicts for label in pair))
    arms = [
        Arm(label, env, [identity(label, env, seed).hash for seed in range(2 * seeds)]) for label in labels
    ]
    tests = [(labels.index(first), labels.index(second)) for first, second in verdicts]
    layout = Layout(seeds, 2, 0.05, "final", 100_000, 0, arms, tests)
    found = [
        Decision(test, interim, verdict, interim * seeds, interim * seeds)
        for test, verdict in enumerate(verdicts.values())
    ]
    write_journal(store, Journal(layout=layout, decisions=found))
