"""The peer's side of the comparison with JAX: rejax's DQN, all seeds under one ``vmap``, compiled before.

``python rejax_comparison.py JSON`` prints the seconds that training takes, not compilation or evaluation.
"""

from __future__ import annotations

import json
import sys
import time

import jax
from rejax import get_algo


def main() -> None:
    work = json.loads(sys.argv[1])
    algorithm = get_algo("dqn").create(
        env="CartPole-v1",
        agent_kwargs={"activation": "relu"},
        num_envs=work["n_envs"],
        buffer_size=50_000,
        fill_buffer=1_000,
        batch_size=work["batch_size"],
        num_epochs=1,
        ddqn=False,
        total_timesteps=work["steps"],
        eval_freq=work["steps"],
        skip_initial_evaluation=True,
        target_update_freq=400,
        polyak=0.0,
        learning_rate=1e-3,
        max_grad_norm=0.5,
    )
    algorithm = algorithm.replace(eval_callback=lambda algorithm, state, key: ())
    keys = jax.random.split(jax.random.PRNGKey(0), work["seeds"])
    train = jax.jit(jax.vmap(algorithm.train)).lower(keys).compile()
    begun = time.perf_counter()
    jax.block_until_ready(train(keys))
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
