"""What was asked: options from the command line, the environment and a file, each with its origin."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rlbench.api import UsageError, did_you_mean
from rlbench.running.seeding import SEED_LIMIT

Settings = dict[str, dict[str, Any]]
"""Settings by label (or environment) and key."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one run is asked to do; ``origins`` says for each option where its value came from.

    ``settings`` and ``env_settings`` hold ``{label: {key: value}}``; their origins are named
    ``"set.LABEL.KEY"`` and ``"env-set.ENV.KEY"``.
    """

    algos: dict[str, str] = field(default_factory=dict)  # label -> algorithm
    envs: tuple[str, ...] = ("CartPole-v1",)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    until_decided: bool = False  # then seeds are the first group
    max_seeds: int = 30  # with until_decided
    steps: int = 50_000
    jobs: int = 0  # 0: the cores
    out: str = ""  # "": results/NAME
    device: str = "auto"
    eval_points: int = 20
    eval_episodes: int = 5
    max_episode_steps: int = 0  # 0: the environment's own limit, else 1 000
    executor: str = "local"
    retries: int = 2
    checkpoint_every: float = 60.0  # seconds; 0: never
    stall_limit: float = 600.0  # seconds; 0: none
    memory_limit: int = 0  # MiB; 0: none
    trackers: tuple[str, ...] = ()
    allow_import: bool = False
    video: bool = False
    settings: Settings = field(default_factory=dict)
    env_settings: Settings = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict, compare=False)


_TABLES = {"set": "settings", "env-set": "env_settings"}
_SCALARS = [item.name for item in fields(Options) if item.name not in ("settings", "env_settings", "origins")]
_TABLE_VARIABLES = {"RLBENCH_SET": "settings", "RLBENCH_ENV_SET": "env_settings"}

VARIABLES = ("RLBENCH_CONFIG", *_TABLE_VARIABLES, *(f"RLBENCH_{name.upper()}" for name in _SCALARS))
"""Every environment variable that sets an option."""


def resolve_options(
    given: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    config: str | os.PathLike[str] | None = None,
    origin: str = "argument",
) -> Options:
    """Merge options: ``given`` wins over environment variables, over the file ``config``, over the defaults.

    ``given`` maps field names of :class:`Options` to values or to their text form; ``None`` means not given.
    Raises :class:`UsageError` for an unknown name or a value of the wrong form.
    """
    environ = os.environ if environ is None else environ
    config = config if config is not None else environ.get("RLBENCH_CONFIG")
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if config:
        layers.append((f"file {os.fspath(config)}", _read(Path(config))))
    layers.append(("environment", _variables(environ)))
    layers.append((origin, {name: value for name, value in given.items() if value is not None}))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    tables: dict[str, Settings] = {name: {} for name in _TABLES.values()}
    for source, layer in layers:
        for name, value in layer.items():
            if name in tables:
                prefix = next(key for key, table in _TABLES.items() if table == name)
                for label, entries in _settings(value, f"--{prefix}").items():
                    tables[name].setdefault(label, {}).update(entries)
                    origins.update({f"{prefix}.{label}.{key}": source for key in entries})
            else:
                values[name] = _PARSERS[name](value)
                origins[name] = source
    return Options(**(values | tables), origins=origins)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path} ({error.strerror}); name a TOML file that exists") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}; mend that line") from None
    names = {name.replace("_", "-"): name for name in _SCALARS} | _TABLES
    layer = {}
    for key, value in document.items():
        name = names.get(key.replace("_", "-"))
        if name is None:
            raise UsageError(f"unknown key {key!r} in {path}; {did_you_mean(key, names)}")
        layer[name] = value
    return layer


def _variables(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {name: environ.get(f"RLBENCH_{name.upper()}") for name in _SCALARS}
    layer: dict[str, Any] = {name: value for name, value in found.items() if value}
    for variable, name in _TABLE_VARIABLES.items():
        if environ.get(variable):
            layer[name] = [part.strip() for part in environ[variable].split(";") if part.strip()]
    return layer


def _settings(value: Any, option: str) -> Settings:
    """Read ``{label: {key: value}}``, or a list of ``LABEL.KEY=VALUE`` texts."""
    if isinstance(value, Mapping):
        for label, entries in value.items():
            if not isinstance(entries, Mapping):
                raise UsageError(
                    f"{option[2:]}.{label} is no table; write [{option[2:]}.LABEL] and KEY = VALUE below"
                )
        return {str(label): dict(entries) for label, entries in value.items()}
    found: Settings = {}
    for text in _texts(value, option):
        name, equals, literal = text.partition("=")
        label, dot, key = name.strip().rpartition(".")
        if not equals or not dot or not label or not key:
            raise UsageError(
                f"{option} {text!r} is not of the form LABEL.KEY=VALUE; write e.g. dqn.gamma=0.98"
            )
        found.setdefault(label, {})[key] = _literal(literal.strip())
    return found


def _literal(text: str) -> Any:
    """Read a TOML value; a bare word is a string, but for Python's two truth values."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _names(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else _texts(value, "this option")
    return [part.strip() for part in parts if part.strip()]


def _texts(value: Any, option: str) -> list[str]:
    """Give a text, or a list of texts, as a list."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise UsageError(f"{option} takes text or a list of texts, not {value!r}; write it in quotes")
    return list(parts)


def _algos(value: Any) -> dict[str, str]:
    """Read ``dqn,big=dqn``, a list of such items, or a mapping from label to algorithm."""
    if isinstance(value, Mapping):
        return {str(label): str(name) for label, name in value.items()}
    found: dict[str, str] = {}
    for item in _names(value):
        label, equals, name = item.partition("=")
        label, name = label.strip(), (name if equals else label).strip()
        if not label or not name:
            raise UsageError(f"--algos item {item!r} lacks a name; write NAME or LABEL=NAME")
        if label in found:
            raise UsageError(
                f"label {label!r} is used twice in --algos; give one a label, e.g. {label}2={name}"
            )
        found[label] = name
    return found


def _envs(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_names(value)))


def _seeds(value: Any) -> tuple[int, ...]:
    """Read a count (``5``), a list (``3,8``) or a range (``3:8``, end excluded)."""
    cure = "write a count (5), a list (3,8) or a range (3:8)"
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, int):
            seeds: Sequence[int] = range(value)
        elif not isinstance(value, str):
            seeds = [int(seed) for seed in value]
        elif "," in value:
            seeds = [int(part) for part in _names(value)]
        elif ":" in value:
            low, high = value.split(":")
            seeds = range(int(low), int(high))
        else:
            seeds = range(int(value))
    except (ValueError, TypeError):
        raise UsageError(f"--seeds {value!r} is not understood; {cure}") from None
    if not seeds:
        raise UsageError(f"--seeds {value!r} gives no seed at all; {cure}")
    if min(seeds) < 0 or max(seeds) >= SEED_LIMIT:
        raise UsageError(f"--seeds {value!r} leaves the range of seeds; use 0 to {SEED_LIMIT - 1}")
    return tuple(dict.fromkeys(seeds))


def _count(name: str, least: int) -> Any:
    option = "--" + name.replace("_", "-")

    def parse(value: Any) -> int:
        try:
            if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
                raise ValueError
            number = int(value.replace("_", "") if isinstance(value, str) else value)
        except (ValueError, TypeError):
            raise UsageError(f"{option} {value!r} is no whole number; give one of at least {least}") from None
        if not least <= number < SEED_LIMIT:
            raise UsageError(f"{option} {number} is out of range; give a whole number of at least {least}")
        return number

    return parse


def _seconds(name: str) -> Any:
    option = "--" + name.replace("_", "-")

    def parse(value: Any) -> float:
        try:
            if isinstance(value, bool):
                raise ValueError
            seconds = float(value)
        except (ValueError, TypeError):
            raise UsageError(f"{option} {value!r} is no number of seconds; give one, 0 for never") from None
        if not 0 <= seconds < float("inf"):
            raise UsageError(f"{option} {seconds:g} is out of range; give seconds, 0 for never")
        return seconds

    return parse


def _folder(value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"--out takes the path of a folder, not {value!r}; write it in quotes")
    name = os.fspath(value)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UsageError(f"--out {name!r} is not valid text; choose another name") from None
    return name


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("1", "true", "yes", "on"):
        return True
    if str(value).lower() in ("0", "false", "no", "off"):
        return False
    raise UsageError(f"{value!r} is no truth value; write true or false")


_PARSERS: Mapping[str, Any] = {
    "algos": _algos,
    "envs": _envs,
    "seeds": _seeds,
    "until_decided": _flag,
    "max_seeds": _count("max_seeds", 1),
    "steps": _count("steps", 1),
    "jobs": _count("jobs", 1),
    "out": _folder,
    "device": str,
    "eval_points": _count("eval_points", 1),
    "eval_episodes": _count("eval_episodes", 1),
    "max_episode_steps": _count("max_episode_steps", 1),
    "executor": str,
    "retries": _count("retries", 0),
    "checkpoint_every": _seconds("checkpoint_every"),
    "stall_limit": _seconds("stall_limit"),
    "memory_limit": _count("memory_limit", 0),
    "trackers": lambda value: tuple(_names(value)),
    "allow_import": _flag,
    "video": _flag,
}
