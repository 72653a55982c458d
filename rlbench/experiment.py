"""Plans and runs experiments for Python and for the command line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlbench.api import UsageError
from rlbench.loaded import Results

if TYPE_CHECKING:
    from rich.console import Console

    from rlbench.plugins import Catalogue
    from rlbench.running.options import Options
    from rlbench.running.plan import Plan


def read_request(
    given: Mapping[str, Any],
    *,
    config: str | os.PathLike[str] | None = None,
    external_plugins: bool = True,
    origin: str = "argument",
) -> tuple[Options, Catalogue]:
    """Resolve the options of a request (see :func:`run`); also give what plugins provide for it."""
    from rlbench.plugins import load_catalogue
    from rlbench.running.options import resolve_options

    options = resolve_options(given, config=config, origin=origin)
    return options, load_catalogue(external=external_plugins)


def make_plan(options: Options, catalogue: Catalogue) -> Plan:
    """Make the plan; what algorithms and environments need is imported here.

    Raises :class:`rlbench.api.UsageError` or :class:`rlbench.api.PluginError`, with nothing written.
    """
    from rlbench.running import deciding
    from rlbench.running import plan as planning

    plan = planning.make_plan(options, catalogue)
    if options.until_decided:
        deciding.layout_of(plan)
    elif "max_seeds" in options.origins:
        raise UsageError("--max-seeds is for runs --until-decided; add that, or give all seeds with --seeds")
    return plan


def describe_plan(plan: Plan, catalogue: Catalogue) -> dict[str, Any]:
    """Give a plan as a JSON document: every value with its origin, and how many trials are left to run.

    Where seeds are added until it is decided, ``trials`` and ``missing`` are those of the ``group`` that is
    due by the scores that are there, and ``at_most`` all.
    """
    from rlbench.running import deciding
    from rlbench.running import plan as planning
    from rlbench.running.runner import Runner

    def missing(part: Plan) -> int:
        return len(Runner(part, catalogue).missing())

    if not plan.options.until_decided:
        return planning.describe(plan, missing(plan)) | {"at_most": len(plan.trials)}
    due = deciding.due(plan, missing, lambda: _scores(plan, catalogue))
    seeds = list(due.plan.options.seeds)
    return planning.describe(plan, due.missing) | {
        "trials": len(due.plan.trials),
        "at_most": deciding.most_trials(plan),
        "group": {"number": due.number, "of": due.of, "seeds": seeds, "undecided": due.undecided},
    }


def _scores(plan: Plan, catalogue: Catalogue) -> dict[str, float]:
    """Give the stored scores by trial hash."""
    trials = Results(plan.folder, catalogue).trials
    return dict(zip(trials["hash"], trials["score"], strict=True))


def run_plan(
    plan: Plan,
    catalogue: Catalogue,
    *,
    executor: Any,
    console: Console | None,
    command: str,
    external_plugins: bool = True,
    last: Callable[[], None] = lambda: None,
) -> Results:
    """Run what ``plan`` lacks in its folder, showing progress on ``console``, and load what is there then.

    Until it is decided, where the plan's options say so. ``last()`` is called once the last cohort (of each
    group of seeds) is on its way. SIGINT or SIGTERM ends the run after a last checkpoint, with an error whose
    exit code is 130; a second one ends it at once.
    """
    from rlbench.results.store import Store
    from rlbench.running.deciding import run_groups
    from rlbench.running.progress import Silent, reporter_for
    from rlbench.running.runner import Runner
    from rlbench.running.signals import stop_on_signals

    def train(part: Plan) -> None:
        reporter = reporter_for(console) if console is not None else Silent()
        runner = Runner(part, catalogue, command=command, external_plugins=external_plugins)
        with contextlib.closing(reporter):
            # An executor runs once: further groups of seeds have one of their own.
            runner.run(reporter, stopping, executor=executor if part is plan else None, last=last)

    def say(text: str) -> None:
        if console is not None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    with stop_on_signals(console) as stopping:
        if plan.options.until_decided:
            run_groups(plan, train, lambda: _scores(plan, catalogue), say, stopping)
        else:
            train(plan)
        results = Results(plan.folder, catalogue)
        if plan.options.video:
            with Store(plan.folder).lock():
                draw_episodes(results, console, stopping, allow_import=plan.options.allow_import)
    return results


def draw_episodes(
    results: Results,
    console: Console | None,
    stopping: Callable[[], bool] = lambda: False,
    *,
    allow_import: bool = False,
) -> None:
    """Draw the last evaluation's first episode of a typical trial of each algorithm and environment.

    That is the trial with the median score (the nearest to it; of equals, the lowest seed). Pictures that
    are there stay. What cannot be drawn is said on ``console``, with the reason, and is no error. Raises
    ``Interrupted`` if ``stopping()`` is true before the last picture.
    """
    from rlbench.analysis.scores import typical_trials
    from rlbench.api import RlbenchError
    from rlbench.reports.numbers import count
    from rlbench.results.rows import printable
    from rlbench.results.videos import read_videos
    from rlbench.running.replaying import keep, replay
    from rlbench.running.runner import Interrupted

    def say(text: str) -> None:
        if console is not None:
            console.print(printable(text), style="dim", markup=False, highlight=False, soft_wrap=True)

    frames, typical = results.frames, set(typical_trials(results.trials))
    chosen = [trial for trial in frames.stored if trial.hash in typical]
    there = {video.trial.hash for video in read_videos(frames.root, chosen)[0] if not video.episode.episode}
    left = [trial for trial in chosen if trial.hash not in there]
    for index, trial in enumerate(left):
        if stopping():
            raise Interrupted(
                f"stopped with {count(len(left) - index, 'picture')} left; the same command continues"
            )
        try:
            again = replay(frames, trial, 0, results.catalogue, allow_import=allow_import, say=say)
            if again.equal:
                keep(frames.root, again)
            else:
                say(f"no picture of {trial.label} on {trial.env}: its episode is not as it was then")
        except RlbenchError as error:
            say(f"no picture: {error}")


def run(
    algos: str | Sequence[str] | Mapping[str, str] | None = None,
    envs: str | Sequence[str] | None = None,
    seeds: int | str | Sequence[int] | None = None,
    steps: int | None = None,
    *,
    until_decided: bool | None = None,
    max_seeds: int | None = None,
    out: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    device: str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | Sequence[str] | None = None,
    env_settings: Mapping[str, Mapping[str, Any]] | Sequence[str] | None = None,
    eval_points: int | None = None,
    eval_episodes: int | None = None,
    max_episode_steps: int | None = None,
    executor: str | None = None,
    retries: int | None = None,
    checkpoint_every: float | None = None,
    stall_limit: float | None = None,
    memory_limit: int | None = None,
    trackers: str | Sequence[str] | None = None,
    allow_import: bool | None = None,
    video: bool | None = None,
    config: str | os.PathLike[str] | None = None,
    external_plugins: bool = True,
    progress: bool = True,
) -> Results:
    """Train algorithms on environments, evaluate them, store every number, and give the results.

    The arguments are the options of ``rlbench run`` and win over ``RLBENCH_...`` variables, over the file
    ``config``, over presets, over defaults. What the folder ``out`` already holds is not run again.

    ``algos``: names, or ``{label: name}``, or ``"dqn,big=dqn"``. ``seeds``: a count, a list, or ``"3:8"``.
    With ``until_decided``, ``seeds`` are the first group, and as many are added again and again, up to
    ``max_seeds``, where a comparison is undecided (``Results.decisions``).
    ``settings``: ``{label: {key: value}}``, or texts ``"LABEL.KEY=VALUE"``; ``env_settings`` likewise by
    environment. ``video`` draws an episode of each algorithm on each environment; see :func:`draw_episodes`.
    ``progress`` shows how far the run is, on standard error.

    Raises :class:`rlbench.api.UsageError` for what cannot be done as asked, with nothing written. A trial
    that fails or diverges raises nothing: it is a row of ``Results.trials``.

    >>> import rlbench
    >>> results = rlbench.run("dqn,a2c", seeds=5)  # doctest: +SKIP
    >>> results.scores()  # doctest: +SKIP
    """
    given = {
        "algos": algos,
        "envs": envs,
        "seeds": seeds,
        "steps": steps,
        "until_decided": until_decided,
        "max_seeds": max_seeds,
        "out": out,
        "jobs": jobs,
        "device": device,
        "settings": settings,
        "env_settings": env_settings,
        "eval_points": eval_points,
        "eval_episodes": eval_episodes,
        "max_episode_steps": max_episode_steps,
        "executor": executor,
        "retries": retries,
        "checkpoint_every": checkpoint_every,
        "stall_limit": stall_limit,
        "memory_limit": memory_limit,
        "trackers": trackers,
        "allow_import": allow_import,
        "video": video,
    }
    from rlbench.running.runner import started_executor

    options, catalogue = read_request(given, config=config, external_plugins=external_plugins)
    console = None
    if progress:
        from rich.console import Console

        console = Console(stderr=True)
    asked = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    with started_executor(options, catalogue) as executor:
        return run_plan(
            make_plan(options, catalogue),
            catalogue,
            executor=executor,
            console=console,
            command=f"rlbench.run({asked})",
            external_plugins=external_plugins,
        )
