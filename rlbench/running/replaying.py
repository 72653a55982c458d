"""Playing one stored evaluation episode again, exactly as it was, and drawing it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlbench import api
from rlbench.environments.rendering import CannotDraw, Film, drawing_environment, play
from rlbench.kit.devices import prepared
from rlbench.plugins import Catalogue
from rlbench.results.files import read_bytes
from rlbench.results.frames import Frames, StoredTrial
from rlbench.results.videos import LARGEST, Episode, write_video
from rlbench.running.cohort import Cohort
from rlbench.running.events import AnyEvent, Evaluated
from rlbench.running.plan import backend_of
from rlbench.running.seeding import Streams
from rlbench.running.verification import Job, choose
from rlbench.running.worker import CohortRun

Say = Callable[[str], None]


class ReplayFailed(api.RlbenchError):
    """A stored episode could not be played again."""


class Replay(NamedTuple):
    """An episode of a trial's last evaluation, as it was stored and as it went again.

    ``film`` is ``None`` where it did not come out as stored; ``changed`` then says what is not as it was:
    ``{name: (then, now)}``.
    """

    trial: StoredTrial
    step: int  # of the evaluation
    episode: int
    episode_return: float
    episode_length: int
    stored_return: float
    stored_length: int
    film: Film | None
    changed: Mapping[str, tuple[str, str]]

    @property
    def equal(self) -> bool:
        """Whether return and length are those stored."""
        mine = (self.episode_return, self.episode_length)
        return mine == (self.stored_return, self.stored_length)


class _Stored(NamedTuple):
    """A trial's last evaluation as it is stored."""

    step: int
    returns: list[float]  # [E]
    lengths: list[int]  # [E]


class _Performance:
    """What happened in the evaluation at one step: every observation and action, returns and lengths."""

    def __init__(self, step: int) -> None:
        self._step = step
        self.observations: list[np.ndarray] = []  # of [E, ...], one a vector step
        self.actions: list[np.ndarray] = []  # of [E, ...]
        self.returns: list[float] = []  # [E]
        self.lengths: list[int] = []  # [E]

    def watch(self, step: int, obs: np.ndarray, actions: np.ndarray) -> None:
        if step == self._step:
            self.observations.append(obs.copy())
            self.actions.append(actions.copy())

    def note(self, event: AnyEvent) -> None:
        if isinstance(event, Evaluated) and event.step == self._step:
            self.returns, self.lengths = event.returns, event.lengths

    def is_as(self, stored: _Stored) -> bool:
        return (self.returns, self.lengths) == (stored.returns, stored.lengths)

    def same_actions(self, other: _Performance) -> bool:
        return len(self.actions) == len(other.actions) and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self.actions, other.actions, strict=True)
        )


def find_trial(frames: Frames, name: str | None) -> StoredTrial:
    """Find the one trial of this name (as in :func:`choose`); no name will do where there is only one."""
    found = choose(frames, [name or "all"])
    if len(found) > 1:
        example = f"{found[0].label}/{found[0].env}/{found[0].seed}"
        cause = f"{name!r} is {len(found)} trials" if name else f"{len(found)} trials have ended"
        raise api.UsageError(f"{cause}; name one, e.g. --trial {example!r}")
    if found[0].status == "damaged":
        raise api.UsageError(str(found[0].error))
    return found[0]


def replay(
    frames: Frames,
    trial: StoredTrial,
    episode: int,
    catalogue: Catalogue,
    *,
    allow_import: bool = False,
    say: Say,
) -> Replay:
    """Play episode ``episode`` (from 0) of the last evaluation of ``trial`` again, and draw it.

    The policy is made from the final weights. Where these are not all that it depends on, the trial is
    trained again; ``say`` is told so. Raises ``UsageError`` where the trial cannot be run here as it was or
    its environment cannot be drawn, and :class:`ReplayFailed` where that goes wrong.
    """
    name = f"{trial.label} on {trial.env}, seed {trial.seed}"
    stored = _last_evaluation(frames, trial, name)
    if not 0 <= episode < len(stored.returns):
        last = len(stored.returns) - 1
        raise api.UsageError(
            f"the last evaluation of {name} has no episode {episode}; give one of 0 to {last}"
        )
    job = Job.of(trial, catalogue, allow_import)
    identity = job.identity
    backend, env_id = backend_of(identity.env, catalogue, allow_import=True)
    with _failing(name), contextlib.ExitStack() as stack:
        make_single = api.resolve(backend.spec.make_single)
        arguments = (make_single, env_id, identity.env_kwargs, identity.max_episode_steps)
        env = stack.enter_context(drawing_environment(*arguments))
        with prepared(job.device):
            performance = _perform(job, catalogue, stored, lambda why: say(f"{name}: {why}"))
        again = Replay(
            trial, stored.step, episode, performance.returns[episode], performance.lengths[episode],
            stored.returns[episode], stored.lengths[episode], None, {},
        )  # fmt: skip
        if not again.equal:
            return again._replace(changed=job.changed())
        length = again.episode_length
        seed = Streams.of(identity.env, identity.env_kwargs).evaluation_episode(
            identity.seed, stored.step, episode
        )
        played = play(
            env,
            seed,
            [obs[episode] for obs in performance.observations[:length]],
            [actions[episode] for actions in performance.actions[:length]],
        )
        if (played.episode_return, played.length) != (again.episode_return, length):
            raise CannotDraw(
                f"where it is drawn, the episode returns {played.episode_return} in {played.length} steps, "
                f"not {again.episode_return} in {length}"
            )
        return again._replace(film=played.film)


def keep(root: Path, again: Replay) -> Path:
    """Keep the pictures of an episode in the results folder, where reports show them; give the path.

    Raises ``UsageError`` where they are too large for a page.
    """
    if again.film is None:
        raise ValueError("an episode that is not as stored has no picture")
    width, height = again.film.frames[0].size
    pictures = {"webp": again.film.moving("webp"), "png": again.film.still()}
    if max(map(len, pictures.values())) > LARGEST:
        raise api.UsageError(
            f"the picture of {again.trial.label} on {again.trial.env} is larger than {LARGEST >> 20} MiB, "
            "too large for a report; keep it elsewhere: rlbench replay --out FILE"
        )
    episode = Episode(
        trial=again.trial.hash,
        step=again.step,
        episode=again.episode,
        episode_return=again.episode_return,
        episode_length=again.episode_length,
        width=width,
        height=height,
        files={},
    )
    return write_video(root, again.trial, episode, pictures)


@contextlib.contextmanager
def _failing(name: str) -> Iterator[None]:
    """Name the trial in whatever an algorithm or an environment raises."""
    try:
        yield
    except api.RlbenchError:
        raise
    except CannotDraw as error:
        raise api.UsageError(
            f"{name} cannot be drawn: {error}; choose a trial of another environment"
        ) from error
    except (Exception, SystemExit) as error:
        raise ReplayFailed(
            f"{name} cannot be replayed ({type(error).__name__}: {' '.join(str(error).split())}); "
            "see whether it still runs as it did: rlbench verify"
        ) from error


def _last_evaluation(frames: Frames, trial: StoredTrial, name: str) -> _Stored:
    rows = frames.evaluations
    rows = rows[
        (rows["algorithm"] == trial.label) & (rows["env"] == trial.env) & (rows["seed"] == trial.seed)
    ]
    damage = frames.damaged.get(trial.path.relative_to(frames.root).as_posix())
    if damage is not None:
        raise api.UsageError(damage)
    if rows.empty:
        raise api.UsageError(f"{name} ended before its first evaluation; choose another trial")
    rows = rows[rows["step"] == rows["step"].max()].sort_values("episode")
    returns, lengths = rows["episode_return"].tolist(), rows["episode_length"].tolist()
    return _Stored(int(rows["step"].iloc[0]), returns, lengths)


def _perform(job: Job, catalogue: Catalogue, stored: _Stored, say: Say) -> _Performance:
    """Perform the last evaluation again: from the final weights if they give what is stored."""
    cohort = Cohort(trials=[job.identity], device=job.device)
    weights, why = _final_weights(job.trial)
    if weights is not None:
        performance = _from_weights(cohort, catalogue, stored.step, weights)
        if performance is not None and performance.is_as(stored):
            return performance
        why = "the policy is not in the final weights alone"
    say(f"{why}, so the trial is trained again")
    performance = _Performance(stored.step)
    CohortRun(cohort, catalogue, performance.note, watch=performance.watch).run()
    if not performance.returns:
        raise ValueError(f"this time there was no evaluation at step {stored.step}")
    return performance


def _from_weights(
    cohort: Cohort, catalogue: Catalogue, step: int, weights: Mapping[str, np.ndarray]
) -> _Performance | None:
    """Evaluate the final weights; ``None`` where the policy depends on more, as a second time shows."""
    twice: list[_Performance] = []
    run = CohortRun(cohort, catalogue, lambda event: None, watch=lambda *seen: twice[-1].watch(*seen))
    policy = run.policy_of(weights)
    if policy is None:
        return None
    for _ in range(2):
        twice.append(_Performance(step))
        result = run.evaluate(policy, step)
        twice[-1].returns, twice[-1].lengths = result.returns[0].tolist(), result.lengths[0].tolist()
    first, second = twice
    return first if first.same_actions(second) else None


def _final_weights(trial: StoredTrial) -> tuple[dict[str, np.ndarray] | None, str]:
    """Read a trial's final weights; ``None`` where there are none, or they are damaged, and why."""
    from safetensors.numpy import load

    expected = trial.ending.files.get("final.safetensors") if trial.ending else None
    if expected is None:
        return None, "no weights are stored"
    data = read_bytes(trial.path / "final.safetensors") or b""
    if hashlib.sha256(data).hexdigest() != expected:
        return None, "the stored weights are damaged or missing"
    return load(data), ""
