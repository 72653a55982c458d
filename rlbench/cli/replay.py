"""``rlbench replay``: play a stored evaluation episode again, exactly, as a moving picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlbench.cli import external_plugins, no_plugins_option
from rlbench.results.rows import printable

if TYPE_CHECKING:
    from rlbench.running.replaying import Replay

SCHEMA = 1
KINDS = (".gif", ".webp")


@click.command(name="replay")
@click.argument("folder", metavar="RESULTS/NAME")
@click.option("--trial", metavar="NAME", help="LABEL/ENV/SEED, or the trial's folder.")
@click.option("--episode", default=0, metavar="K", help="Which of the last evaluation, from 0 [0].")
@click.option("--out", metavar="FILE", help="A .webp or .gif [kept in the results, for their report].")
@click.option("--allow-import", is_flag=True, help="Let module:Env-v0 ids import their module.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
@no_plugins_option
@click.pass_context
def command(
    context: click.Context,
    folder: str,
    trial: str | None,
    episode: int,
    out: str | None,
    allow_import: bool,
    as_json: bool,
) -> int | None:
    """Play one episode of a trial's last evaluation again, from its seed, as a moving picture.

    The policy is the one that the trial ended with; where the final weights alone do not make it, the trial
    is trained again. Exit code 0 if return and length are those stored, 1 if not: then there is no picture.

    \b
    Example:
      rlbench replay results/dqn-a2c_CartPole-v1 --trial dqn/CartPole-v1/0 --out dqn.gif
    """
    from rlbench.api import UsageError

    if out is not None and Path(out).suffix.lower() not in KINDS:
        raise UsageError(f"--out {out!r} has no known kind of picture; end it in {' or '.join(KINDS)}")

    from rlbench.plugins import load_catalogue
    from rlbench.results.files import write_atomically
    from rlbench.results.frames import Frames
    from rlbench.running.replaying import find_trial, keep, replay

    frames = Frames(folder)
    found = find_trial(frames, trial)
    again = replay(
        frames,
        found,
        episode,
        load_catalogue(external=external_plugins(context)),
        allow_import=allow_import,
        say=lambda text: click.echo(printable(text), err=True),
    )
    path: Path | None = None
    if again.film is not None:
        path = Path(out) if out else keep(frames.root, again)
        if out:
            write_atomically({path: again.film.moving(path.suffix[1:].lower())})
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(document(again, frames.root, path))).decode())
    else:
        show(again, path)
    return None if again.equal else 1


def document(again: Replay, root: Path, path: Path | None) -> dict[str, Any]:
    """Give the replay as JSON."""
    return {
        "schema_version": SCHEMA,
        "results": str(root),
        "algorithm": again.trial.label,
        "env": again.trial.env,
        "seed": again.trial.seed,
        "folder": again.trial.path.relative_to(root).as_posix(),
        "step": again.step,
        "episode": again.episode,
        "episode_return": again.episode_return,
        "episode_length": again.episode_length,
        "stored_return": again.stored_return,
        "stored_length": again.stored_length,
        "equal": again.equal,
        "changed": again.changed,
        "picture": None if path is None else str(path),
    }


def show(again: Replay, path: Path | None) -> None:
    """Say how the episode went, whether that is as stored, and where the picture is."""
    trial = again.trial
    name = f"{trial.label} on {trial.env}, seed {trial.seed}, step {again.step}, episode {again.episode}"
    went = f"return {again.episode_return:g} in {again.episode_length} steps"
    then = f"return {again.stored_return:g} in {again.stored_length} steps"
    click.echo(printable(f"{name}: {went}, {'as stored' if again.equal else f'but stored is {then}'}"))
    for what, (before, now) in again.changed.items():
        click.echo(printable(f"not as it was then: {what} {before} -> {now}"))
    if path is not None:
        click.echo(f"picture: {path}")
