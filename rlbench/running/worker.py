"""Runs one cohort, here and now, whatever its kind of algorithm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from rlbench import api
from rlbench.environments.mdp import MDP
from rlbench.environments.metering import Meter
from rlbench.kit.devices import prepare
from rlbench.plugins import Catalogue, load_catalogue
from rlbench.results.store import Store
from rlbench.running import checkpoint
from rlbench.running.cohort import Cohort
from rlbench.running.evaluation import Evaluation, Evaluator, Watch, due_points
from rlbench.running.events import AnyEvent, NotReplayable, Stopped
from rlbench.running.interaction import Interaction, ReplayMismatch
from rlbench.running.lifting import LiftedAgent, final_weights, lift_policy, lift_state
from rlbench.running.plan import backend_of, task_of
from rlbench.running.recording import Recorder, StopRequested
from rlbench.running.seeding import Streams

Emit = Callable[[AnyEvent], None]


def run_cohort(cohort: Cohort, emit: Emit, stopping: Callable[[], bool] = lambda: False) -> None:
    """Train and evaluate every trial of ``cohort``, telling ``emit`` all that happens.

    Once ``stopping()`` is true, the cohort stops at the next vector step, after a last checkpoint where it
    can make one. Whatever the algorithm or the environment raises passes through.
    """
    prepare(cohort.device)
    try:
        CohortRun(cohort, load_catalogue(external=cohort.external_plugins), emit, stopping).run()
    except StopRequested:
        emit(Stopped())
    except ReplayMismatch as mismatch:
        emit(NotReplayable(str(mismatch)))


class CohortRun:
    """The parts that every kind of algorithm needs, and one method for each kind."""

    def __init__(
        self,
        cohort: Cohort,
        catalogue: Catalogue,
        emit: Emit,
        stopping: Callable[[], bool] = lambda: False,
        watch: Watch | None = None,
    ) -> None:
        identity = cohort.identity
        spec = catalogue.algorithm(identity.algorithm).spec
        backend, self._env_id = backend_of(identity.env, catalogue, allow_import=True)
        self._backend = backend.spec
        self._cohort = cohort
        self._identity = identity
        self._seeds = cohort.seeds
        self._kind = spec.kind
        self._factory = api.resolve(spec.factory)
        self._config = msgspec.convert(identity.config, api.resolve(spec.config))
        description = api.resolve(self._backend.describe)(self._env_id, identity.env_kwargs)
        self._mdp: MDP | None = description.mdp
        self._task = task_of(identity, self._config, description, cohort.device)
        self._streams = Streams.of(identity.env, identity.env_kwargs)
        self._points = due_points(identity.steps, identity.evaluation_points)
        self._recorder = Recorder(cohort, emit, stopping)
        self._evaluator = Evaluator(
            self._make_vector,
            self._streams,
            self._seeds,
            identity.evaluation_episodes,
            seeds_episodes=self._backend.seeds_episodes,
            mdp=description.mdp,
            max_episode_steps=identity.max_episode_steps,
            beat=self._recorder.beat,
            watch=watch,
        )

    def run(self) -> None:
        """Run the cohort to its end."""
        try:
            {
                "batched_agent": self._run_agent,
                "agent": self._run_agent,
                "trainer": self._run_trainer,
                "solver": self._run_solver,
            }[self._kind]()
        finally:
            self._evaluator.close()

    def evaluate(self, policy: api.Policy, step: int) -> Evaluation:
        """Evaluate ``policy`` with the episodes of the nominal step ``step``, without any training."""
        try:
            return self._evaluator(policy, step)
        finally:
            self._evaluator.close()

    def policy_of(self, weights: Mapping[str, np.ndarray]) -> api.Policy | None:
        """Give the policy of the one trial that ended with ``weights``; ``None`` where it takes more."""
        if self._kind == "solver":
            return lambda obs: weights["policy"][obs]
        if self._kind == "trainer":
            return None
        agent = self._make_agent()
        held = final_weights(agent) or {}
        sizes = {name: np.size(array) for name, array in held.items()}
        if not hasattr(agent, "load_state_dict") or sizes != {name: weights[name].size for name in weights}:
            return None
        mine = {name: weights[name].reshape(np.shape(array)) for name, array in held.items()}  # [1, ...]
        agent.load_state_dict({**agent.state_dict(), "weights": mine})
        return agent.policy()

    def _make_vector(self, seeds: Sequence[int]) -> api.VectorEnvironment:
        identity = self._identity
        make = api.resolve(self._backend.make_vector)
        return make(self._env_id, identity.env_kwargs, list(seeds), identity.max_episode_steps)

    def _rngs(self) -> list[np.random.Generator]:
        return [self._streams.agent(seed) for seed in self._seeds]

    def _make_agent(self) -> Any:
        if self._kind == "batched_agent":
            return self._factory(self._task, self._config, self._rngs())
        return LiftedAgent(self._factory(self._task, self._config, *self._rngs()))

    def _run_agent(self) -> None:
        task = self._task
        agent = self._make_agent()
        self._recorder.resumable = (
            self._backend.replayable
            and self._backend.seeds_episodes
            and hasattr(agent, "state_dict")
            and hasattr(agent, "load_state_dict")
        )
        environment = self._make_vector(
            [
                self._streams.training_episode(seed, env_index, 0)
                for seed in self._seeds
                for env_index in range(task.n_envs)
            ]
        )
        try:
            interaction = Interaction(
                agent, task, environment, self._streams, self._seeds, self._evaluator, self._recorder
            )
            if self._cohort.step:
                store, step = Store(self._cohort.root), self._cohort.step
                interaction.load(
                    step, [checkpoint.read(store.folder(trial), step) for trial in self._cohort.trials]
                )
            step = interaction.run(self._points)
        finally:
            environment.close()
        self._recorder.finish(step, final_weights(agent))

    def _run_trainer(self) -> None:
        (seed,) = self._seeds
        due = list(self._points)
        last: list[api.Policy] = []
        meter = Meter(
            self._task.steps,
            lambda env_index, episode: self._streams.training_episode(seed, env_index, episode),
            lambda *row: self._recorder.episode(0, *row),
        )

        def evaluate_due(step: int) -> None:
            while due and due[0] <= step:
                self._recorder.evaluation(self._evaluator, last[0], due.pop(0), meter.steps)
            self._recorder.progress(meter.steps)

        def tick(policy: api.Policy) -> None:
            last[:] = [lift_policy(policy)]
            evaluate_due(meter.steps)

        def make_single() -> Any:
            make = api.resolve(self._backend.make_single)
            return make(self._env_id, self._identity.env_kwargs, self._identity.max_episode_steps)

        fields = {name: getattr(self._task, name) for name in self._task.__dataclass_fields__}
        task = api.TrainerTask(
            **fields,
            make_env=lambda: meter.wrap(make_single()),
            make_vector_env=lambda n: meter.vector(make_single, n),
        )
        trainer = self._factory(task, self._config, *self._rngs())
        with contextlib.suppress(api.BudgetExhausted):
            trainer.train(task, tick)
        if not last:
            raise RuntimeError(f"{self._identity.algorithm} never called tick(policy): nothing to evaluate")
        evaluate_due(self._task.steps)
        weights = final_weights(trainer)
        self._recorder.finish(meter.steps, lift_state(weights))

    def _run_solver(self) -> None:
        solver = self._factory(self._task, self._config, *self._rngs())
        sweep: api.Sweep | None = None
        for sweep in solver.solve(self._mdp):
            self._recorder.diagnostics(sweep.iteration, {"residual": [sweep.residual]})
            self._recorder.progress(sweep.iteration)
        if sweep is None:
            raise RuntimeError(f"{self._identity.algorithm} yielded no sweep: nothing to evaluate")
        table = sweep.policy
        self._recorder.evaluation(self._evaluator, lambda obs: table[obs], 0, 0)
        self._recorder.finish(0, {"policy": table[None], "values": sweep.values[None]})
