"""Every extension point of rlbench. A hook takes no argument and yields records from :mod:`rlbench.api`.

A plugin is a module (or any object) with functions named as below and marked with ``@hookimpl``. It is
found through an entry point in the group ``rlbench``. Each docstring holds a complete plugin module.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from rlbench import api

PROJECT = "rlbench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rlbench_algorithms() -> Iterable[api.AlgorithmSpec]:  # type: ignore[empty-body]
    """Yield algorithms.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from rlbench.api import AlgorithmSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> @dataclass(frozen=True)
    ... class Config:
    ...     action: int = 0
    >>>
    >>> class Constant:
    ...     def __init__(self, task, config, rng):
    ...         self.config = config
    ...     def act(self, obs):
    ...         return np.full(len(obs), self.config.action)  # [N]
    ...     def observe(self, transition):
    ...         return None
    ...     def policy(self):
    ...         return self.act
    >>>
    >>> @hookimpl
    ... def rlbench_algorithms():
    ...     yield AlgorithmSpec("constant", Config, agent=Constant, description="always the same action")
    """


@hookspec
def rlbench_environments() -> Iterable[api.EnvironmentSpec]:  # type: ignore[empty-body]
    """Yield environment backends, each with the prefix that chooses it.

    >>> import gymnasium
    >>> import numpy as np
    >>> from rlbench.api import EnvironmentDescription, EnvironmentSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> class Countdown:
    ...     def __init__(self, env_id, env_kwargs, seeds, max_episode_steps):
    ...         self.left = np.zeros(len(seeds), dtype=np.int64)  # [K]
    ...     def reset(self, mask, episode_seeds):
    ...         self.left[mask] = [seed % 5 + 1 for seed in episode_seeds]
    ...         return self.left.copy()
    ...     def step(self, actions):
    ...         live = self.left > 0
    ...         self.left -= live
    ...         return self.left.copy(), live * 1.0, live & (self.left == 0), np.zeros(len(live), bool)
    ...     def close(self):
    ...         pass
    >>>
    >>> def describe(env_id, env_kwargs):
    ...     return EnvironmentDescription(
    ...         observation_space=gymnasium.spaces.Discrete(6),
    ...         action_space=gymnasium.spaces.Discrete(2),
    ...         max_episode_steps=5,
    ...     )
    >>>
    >>> @hookimpl
    ... def rlbench_environments():
    ...     yield EnvironmentSpec("countdown", make_vector=Countdown, describe=describe)
    """


@hookspec
def rlbench_metrics() -> Iterable[api.MetricSpec]:  # type: ignore[empty-body]
    """Yield metrics.

    >>> from rlbench.api import MetricSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> def best(evaluations):
    ...     return float(evaluations.groupby("step")["episode_return"].mean().max())
    >>>
    >>> @hookimpl
    ... def rlbench_metrics():
    ...     yield MetricSpec("best", best, description="best evaluation of the run")
    """


@hookspec
def rlbench_report_sections() -> Iterable[api.ReportSectionSpec]:  # type: ignore[empty-body]
    """Yield sections of the report, shown by their ``order``.

    >>> from rlbench.api import ReportSectionSpec, Section
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> def render(results):
    ...     return Section(html=f"<p>{len(results.trials)} trials.</p>")
    >>>
    >>> @hookimpl
    ... def rlbench_report_sections():
    ...     yield ReportSectionSpec("size", "Size", render)
    """


@hookspec
def rlbench_executors() -> Iterable[api.ExecutorSpec]:  # type: ignore[empty-body]
    """Yield executors: ``make(limits).run(cohorts, stopping)`` takes cohorts off the left of a deque.

    It yields ``(cohort, event)``: ``Started`` before a cohort runs, then every event of ``run_cohort``, then
    ``Ended``, with a traceback where it failed. The runner may append cohorts while it iterates; once
    ``stopping()`` is true, nothing new is started. ``make`` is called before there is a plan, so that what
    takes time can start early; an executor with a ``close()`` is closed at the end, used or not.

    >>> import traceback
    >>> from rlbench.api import ExecutorSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> class InProcess:
    ...     def __init__(self, limits):
    ...         pass
    ...     def run(self, cohorts, stopping):
    ...         from rlbench.running.events import Ended, Started
    ...         from rlbench.running.worker import run_cohort
    ...         while cohorts and not stopping():
    ...             cohort, events = cohorts.popleft(), []
    ...             yield cohort, Started()
    ...             try:
    ...                 run_cohort(cohort, events.append, stopping)
    ...                 events.append(Ended())
    ...             except Exception:
    ...                 events.append(Ended(traceback.format_exc()))
    ...             for event in events:
    ...                 yield cohort, event
    >>>
    >>> @hookimpl
    ... def rlbench_executors():
    ...     yield ExecutorSpec("in-process", InProcess, description="one cohort after the other, here")
    """


@hookspec
def rlbench_trackers() -> Iterable[api.TrackerSpec]:  # type: ignore[empty-body]
    """Yield trackers, chosen with ``--trackers NAME``.

    >>> from rlbench.api import TrackerSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> class Log:
    ...     def __init__(self, folder):
    ...         self.path = folder / "log.txt"
    ...     def write(self, line):
    ...         with self.path.open("a") as file:
    ...             print(line, file=file)
    ...     def trial_started(self, trial):
    ...         self.write(f"started {trial['label']} seed {trial['seed']}")
    ...     def trial_evaluated(self, trial, step, returns):
    ...         self.write(f"step {step}: {sum(returns) / len(returns)}")
    ...     def trial_finished(self, trial, status):
    ...         self.write(status)
    ...     def close(self):
    ...         self.write("bye")
    >>>
    >>> @hookimpl
    ... def rlbench_trackers():
    ...     yield TrackerSpec("log", Log, description="lines in a text file")
    """


@hookspec
def rlbench_references() -> Iterable[api.ReferenceSpec]:  # type: ignore[empty-body]
    """Yield what scores are normalised between: a random policy's return and a reference, for one problem.

    A problem is an environment with its arguments under a time limit. Numbers of rlbench's own are frozen: a
    plugin can add to them and never change one. Of two plugins for one problem neither counts.

    >>> from rlbench.api import ReferenceSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> @hookimpl
    ... def rlbench_references():
    ...     yield ReferenceSpec(
    ...         "Corridor-v0", random=-50.0, reference=-7.0, max_episode_steps=100, source="exact"
    ...     )
    """


@hookspec
def rlbench_baselines() -> Iterable[api.BaselineSpec]:  # type: ignore[empty-body]
    """Yield figures that somebody published, to be shown beside scores on the same problem.

    They are shown with their protocol and never enter a comparison.

    >>> from rlbench.api import BaselineSpec
    >>> from rlbench.hookspecs import hookimpl
    >>>
    >>> @hookimpl
    ... def rlbench_baselines():
    ...     yield BaselineSpec(
    ...         env="Corridor-v0",
    ...         max_episode_steps=100,
    ...         algorithm="sarsa",
    ...         project="An Imaginary Library",
    ...         score=-8.5,
    ...         spread=0.4,
    ...         steps=20_000,
    ...         seeds=5,
    ...         protocol="greedy policy, 100 episodes; ± is the standard deviation over seeds",
    ...         document="table 2",
    ...         url="https://example.org/results",
    ...     )
    """
