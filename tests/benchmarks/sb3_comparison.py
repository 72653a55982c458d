"""The peer's side of the comparison: Stable-Baselines3 as its users run it, in two processes.

``python sb3_comparison.py PLAN.json`` trains every trial of a plan (``rlbench run --dry-run --json``): the
same networks, sub-environments, update counts, evaluation points and episodes; one torch thread a process.
Its environments are gymnasium's, also where the plan's are EnvPool's: it has no way to step those.
It prints the mean score of each algorithm as JSON: the mean return of the last tenth of the evaluations.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

PROCESSES = 2


def train(job: dict[str, Any]) -> tuple[str, float]:
    """Train one algorithm with one seed, as Stable-Baselines3's documentation shows it."""
    import gymnasium
    import numpy as np
    import torch
    from stable_baselines3 import A2C, DQN
    from stable_baselines3.common.callbacks import EvalCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.monitor import Monitor

    torch.set_num_threads(1)
    env_id = job["env"].removeprefix("envpool:")
    config, steps, n_envs = job["config"], job["steps"], job["config"]["n_envs"]
    rate = config["learning_rate"]
    sizes = list(config["hidden_sizes"])
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[config["activation"]]
    shared: dict[str, Any] = {
        "learning_rate": (lambda left: left * rate) if config["learning_rate_schedule"] == "linear" else rate,
        "gamma": config["gamma"],
        "max_grad_norm": config["max_grad_norm"],
        "seed": job["seed"],
        "device": "cpu",
    }
    env = make_vec_env(env_id, n_envs=n_envs, seed=job["seed"])
    if job["algorithm"] == "dqn":
        names = [
            "buffer_size",
            "learning_starts",
            "batch_size",
            "tau",
            "train_freq",
            "gradient_steps",
            "target_update_interval",
            "exploration_fraction",
            "exploration_initial_eps",
            "exploration_final_eps",
        ]
        policy = {"net_arch": sizes, "activation_fn": activation}
        model: Any = DQN("MlpPolicy", env, policy_kwargs=policy, **shared, **{k: config[k] for k in names})
    else:
        policy = {"net_arch": {"pi": sizes, "vf": sizes}, "activation_fn": activation}
        names = ["n_steps", "gae_lambda", "ent_coef", "vf_coef", "normalize_advantage"]
        model = A2C("MlpPolicy", env, policy_kwargs=policy, **shared, **{k: config[k] for k in names})
    evaluate = EvalCallback(
        Monitor(gymnasium.make(env_id)),
        eval_freq=max(steps // job["points"] // n_envs, 1),
        n_eval_episodes=job["episodes"],
        log_path=tempfile.mkdtemp(dir="."),  # without one it keeps no results
        verbose=0,
    )
    model.learn(steps, callback=evaluate)
    last = max(job["points"] // 10, 1)
    return job["label"], float(np.mean(evaluate.evaluations_results[-last:]))


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    options = {row["name"]: row["value"] for row in plan["options"]}
    jobs = [
        {
            **arm,
            "seed": seed,
            "steps": options["steps"],
            "points": options["eval_points"],
            "episodes": options["eval_episodes"],
        }
        for arm in plan["arms"]
        for seed in options["seeds"]
    ]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        scores = list(pool.imap(train, jobs, chunksize=1))
    labels = dict.fromkeys(label for label, _ in scores)
    means = {name: [score for label, score in scores if label == name] for name in labels}
    print(json.dumps({name: sum(found) / len(found) for name, found in means.items()}))


if __name__ == "__main__":
    main()
