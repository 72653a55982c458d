"""What a plugin author reads: the protocols of algorithms and environments, and the records hooks yield.

Axes always come in the order ``S`` seeds, ``N`` sub-environments per seed, ``T`` time, ``B`` batch,
``A`` actions. Arrays that cross this boundary are numpy arrays. Importing this module costs numpy and
msgspec, nothing heavier.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np

from rlbench.yardsticks import BaselineSpec as BaselineSpec
from rlbench.yardsticks import ReferenceSpec as ReferenceSpec
from rlbench.yardsticks import ScoreContext as ScoreContext

# Types for the fields of a config: `--set` and experiment files are checked against them.
Positive = Annotated[float, msgspec.Meta(gt=0)]
NonNegative = Annotated[float, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]


class RlbenchError(Exception):
    """An error that a user can cure: one line for the cause, one for the cure, and the exit code it means."""

    exit_code = 1


class UsageError(RlbenchError, ValueError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class FolderError(RlbenchError):
    """A results folder is locked, or not one this version can use."""

    exit_code = 3


class PluginError(RlbenchError):
    """A requested name belongs to a broken plugin, or to two."""

    exit_code = 4


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Give the cure for an unknown word: ``did you mean 'x'?``, or the list of what there is."""
    known = sorted(set(valid))
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if not known:
        return "there are none"
    return "known: " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")


Observations = np.ndarray
Actions = np.ndarray
Policy = Callable[[Observations], Actions]
"""``obs [..., *obs_shape] -> action [..., *action_shape]`` for any leading axes.

A stochastic policy over discrete actions may carry an attribute ``probabilities(obs) -> [..., A]``, which
exact evaluation on tabular problems uses. A policy draws from a stream of its own: calling it never
changes training.
"""


class Transition(NamedTuple):
    """One step of every sub-environment; arrays are ``[S, N, ...]``, or ``[N, ...]`` for a single-seed agent.

    ``next_obs`` is the true successor, never the observation after a reset. Bootstrapping stops at
    ``terminated`` alone; ``truncated`` says that the episode was cut off while it could have gone on.
    The arrays are valid until the next call: copy what you keep.
    """

    obs: np.ndarray  # [S, N, *obs_shape]
    action: np.ndarray  # [S, N, *action_shape]
    reward: np.ndarray  # [S, N] float64
    next_obs: np.ndarray  # [S, N, *obs_shape]
    terminated: np.ndarray  # [S, N] bool
    truncated: np.ndarray  # [S, N] bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an algorithm is asked to learn.

    ``steps`` counts environment transitions of single sub-environments (0 for a solver); ``device`` is a
    torch device string; ``mdp`` is the environment's :class:`rlbench.environments.mdp.MDP` where it has a
    transition table, else ``None``.
    """

    env: str
    env_kwargs: Mapping[str, Any]
    observation_space: Any  # gymnasium.Space of one sub-environment
    action_space: Any  # gymnasium.Space of one sub-environment
    n_envs: int
    steps: int
    device: str
    max_episode_steps: int
    mdp: Any = None


@dataclass(frozen=True, kw_only=True)
class TrainerTask(Task):
    """A task that hands out metered gymnasium environments, for trainers that own their loop.

    Steps taken in these environments are counted against the budget and their episodes are recorded and
    seeded by the harness (a seed passed to ``reset`` is ignored). A step beyond the budget raises
    ``BudgetExhausted``, which the harness catches.
    """

    make_env: Callable[[], Any]
    make_vector_env: Callable[[int], Any]


class BudgetExhausted(Exception):  # not an error: the normal end of a trainer's loop
    """Raised by a metered environment when its step budget is spent; let it pass through."""


class Agent(Protocol):
    """One seed that the harness drives; arrays are ``[N, ...]``.

    ``state_dict()`` and ``load_state_dict(state)`` are optional and make a trial resumable. A state is a tree
    of dicts, numpy arrays and JSON scalars; its entry ``"weights"``, a flat mapping from parameter names to
    arrays, is kept as the trial's final weights.
    """

    def act(self, obs: Observations) -> Actions:
        """Choose one action for every sub-environment."""

    def observe(self, transition: Transition) -> Mapping[str, Any] | None:
        """Learn from the transition that the last action led to; may return diagnostics (floats)."""

    def policy(self) -> Policy:
        """Give the policy to evaluate; it may read live weights."""


class BatchedAgent(Protocol):
    """All seeds of a cohort at once: the methods of :class:`Agent`, every array with ``S`` in front.

    No result of one seed may depend on its companions, and no tensor's shape either. Diagnostics are
    arrays ``[S]``; in the state every array has ``S`` in front.
    """

    def act(self, obs: Observations) -> Actions:
        """``[S, N, *obs_shape] -> [S, N, *action_shape]``."""

    def observe(self, transition: Transition) -> Mapping[str, Any] | None:
        """Learn from the transition that the last actions led to; may return diagnostics ``{name: [S]}``.

        A value that is not finite means that this seed has diverged; a masked one (``numpy.ma``) that there
        was nothing to measure.
        """

    def policy(self) -> Policy:
        """Give the policy of all seeds: ``[S, ..., *obs_shape] -> [S, ..., *action_shape]``."""


class Trainer(Protocol):
    """A black box that owns its loop."""

    def train(self, task: TrainerTask, tick: Callable[[Policy], None]) -> None:
        """Train in environments from ``task``; call ``tick(policy)`` often: it evaluates when one is due."""


class Sweep(NamedTuple):
    """The state of a solver after one sweep over all states."""

    iteration: int
    policy: np.ndarray  # [n_states] int
    values: np.ndarray  # [n_states] float64
    residual: float  # sup-norm change of the values in this sweep


class Solver(Protocol):
    """Reads the model and never interacts."""

    def solve(self, mdp: Any) -> Iterator[Sweep]:
        """Yield a :class:`Sweep` after each sweep; the last one is the answer."""


Factory = Callable[..., Any]
"""``(task, config, rng) -> object``, or ``(task, config, rngs)`` for a batched agent: a Generator a seed."""

Kind = Literal["agent", "batched_agent", "trainer", "solver"]
KINDS: tuple[Kind, ...] = ("agent", "batched_agent", "trainer", "solver")


def resolve(reference: Any) -> Any:
    """Give the object behind a ``"package.module:Name"`` reference; anything but a string is itself.

    Raises ``ValueError`` for text of another form, and whatever importing the module raises.
    """
    if not isinstance(reference, str):
        return reference
    module, _, name = reference.partition(":")
    if not module or not name:
        raise ValueError(f"{reference!r} is no reference: write it as 'package.module:Name'")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


@dataclass(frozen=True)
class AlgorithmSpec:
    """An algorithm: its config dataclass and exactly one factory, which is its capability.

    ``config`` and the factory may be the object itself or a ``"package.module:Name"`` reference, so that
    listing plugins imports nothing heavy. ``config`` is a frozen dataclass; its fields, types and defaults
    are the ``--set`` keys. ``supports(task)`` returns ``None``, or the reason why not. ``presets`` maps
    environment ids to settings.
    """

    name: str
    config: Any
    agent: str | Factory | None = None
    batched_agent: str | Factory | None = None
    trainer: str | Factory | None = None
    solver: str | Factory | None = None
    supports: Callable[[Task], str | None] | str | None = None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"algorithm {self.name!r} gives {' and '.join(given) or 'no factory'}: "
                f"give exactly one of {', '.join(KINDS)}"
            )

    @property
    def kind(self) -> Kind:
        """Which of the four factories was given."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def factory(self) -> str | Factory:
        """The factory itself, or the reference to it."""
        return getattr(self, self.kind)


@runtime_checkable
class VectorEnvironment(Protocol):
    """The harness's view of ``K`` sub-environments without autoreset; arrays are ``[K, ...]``.

    Returned arrays belong to the caller. Stepping a sub-environment whose episode has ended is allowed
    and does nothing; its row is then meaningless, with both flags False.
    """

    def reset(self, mask: np.ndarray, episode_seeds: Sequence[int]) -> np.ndarray:
        """Start episodes where ``mask [K]`` is True, a seed for each; all observations ``[K, ...]``."""

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Give ``next_obs [K, ...], reward [K] float64, terminated [K] bool, truncated [K] bool``."""

    def close(self) -> None:
        """Release what the sub-environments hold."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentDescription:
    """What is known of an environment before it runs.

    ``max_episode_steps`` is the environment's own limit, or ``None`` where it has none. ``mdp`` is its exact
    model, a :class:`rlbench.environments.mdp.MDP`, where there is one.
    """

    observation_space: Any
    action_space: Any
    max_episode_steps: int | None
    mdp: Any = None


@dataclass(frozen=True)
class EnvironmentSpec:
    """A backend of environments: what stands before the colon in ``envpool:CartPole-v1`` (``""``: no prefix).

    ``make_vector(env_id, env_kwargs, seeds, max_episode_steps)`` gives a :class:`VectorEnvironment` of
    ``len(seeds)`` sub-environments, each episode cut off (``truncated``) after ``max_episode_steps``;
    ``seeds`` are for backends that cannot seed an episode. ``describe(env_id, env_kwargs)`` gives an
    :class:`EnvironmentDescription`, or raises ``LookupError`` for an unknown id and ``ValueError`` for bad
    arguments. ``names()`` lists known ids, for suggestions. ``make_single(env_id, env_kwargs,
    max_episode_steps)`` gives one ``gymnasium.Env``, for trainers, and for pictures of episodes: then with
    ``render_mode="rgb_array"`` among its arguments. Functions may be references.
    """

    prefix: str
    make_vector: Callable[..., VectorEnvironment] | str
    describe: Callable[..., EnvironmentDescription] | str
    seeds_episodes: bool = True
    replayable: bool = True
    names: Callable[[], Sequence[str]] | str | None = None
    make_single: Callable[..., Any] | str | None = None


@dataclass(frozen=True)
class MetricSpec:
    """A score: from one trial's evaluations (a frame as in ``Results.evaluations``) to one number.

    With ``needs_context`` it is ``compute(evaluations, context)``, with a :class:`ScoreContext`. NaN means
    that there is no such score.
    """

    name: str
    compute: Callable[..., float] | str
    higher_is_better: bool = True
    description: str = ""
    needs_context: bool = False


@dataclass(frozen=True)
class Table:
    """A table: frames ``data`` for CSV and ``printed`` for Markdown and LaTeX, with a ``note`` below."""

    data: Any
    printed: Any
    note: str = ""


@dataclass(frozen=True)
class Section:
    """What a report section renders: trusted HTML (escape stored text), figures and tables by file stem.

    ``figures`` are matplotlib figures, or mappings of names to figures: views of one, one shown at a time.
    ``tables`` are pandas frames or :class:`Table`. In the HTML, ``<table class="sortable">`` sorts by a click
    on a head (``data-value`` gives a cell's number, ``class="unsortable"`` excepts a head).
    """

    html: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportSectionSpec:
    """A section of the report: ``render(results) -> Section | None`` (``None``: nothing to show)."""

    name: str
    title: str
    render: Callable[[Any], Section | None] | str
    order: int = 100


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an executor keeps to: processes at a time, and what a worker may do; 0 means no limit.

    ``modules`` are those that workers will import: an executor may do so while it waits.
    """

    jobs: int
    stall_seconds: float = 0.0
    memory_bytes: int = 0
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExecutorSpec:
    """A way to run cohorts: ``make(limits)`` gives an executor; see ``hookspecs.rlbench_executors``."""

    name: str
    make: Callable[..., Any] | str
    description: str = ""


class Tracker(Protocol):
    """Told, in the parent process, what happens; an exception here is logged and never fatal."""

    def trial_started(self, trial: Mapping[str, Any]) -> None:
        """``trial`` is the trial's identity as in ``trial.json``."""

    def trial_evaluated(self, trial: Mapping[str, Any], step: int, returns: Sequence[float]) -> None:
        """One evaluation: the returns of its episodes."""

    def trial_finished(self, trial: Mapping[str, Any], status: str) -> None:
        """``status`` is finished, diverged or failed."""

    def close(self) -> None:
        """The run is over."""


@dataclass(frozen=True)
class TrackerSpec:
    """A listener: ``make(results_folder) -> Tracker``."""

    name: str
    make: Callable[..., Tracker] | str
    description: str = ""
