"""From options to a plan: every trial with its resolved configuration, and what cannot be run, with why."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import re
import sys
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from rlbench import api
from rlbench.environments.spaces import unsupported_reason
from rlbench.plugins import Catalogue, Entry
from rlbench.results.records import TrialIdentity, content_hash, encode_name
from rlbench.running.options import Options

DEFAULT_EPISODE_LIMIT = 1_000
LONGEST_FOLDER_NAME = 100


class Arm(NamedTuple):
    """One algorithm, configured, on one environment; ``origins`` says where each setting came from."""

    label: str
    algorithm: str
    kind: str
    env: str
    config: dict[str, Any]
    origins: dict[str, str]


class Unsupported(NamedTuple):
    """An algorithm that cannot run on an environment, and why."""

    algorithm: str  # the label
    env: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will run."""

    options: Options
    device: str
    folder: str
    arms: list[Arm]
    trials: list[TrialIdentity]
    unsupported: list[Unsupported]


class _Environment(NamedTuple):
    name: str
    env_id: str
    kwargs: dict[str, Any]
    description: api.EnvironmentDescription
    max_episode_steps: int
    makes_single: bool  # whether the backend gives single environments, which trainers need


def make_plan(options: Options, catalogue: Catalogue) -> Plan:
    """Resolve ``options`` into a plan, checking all that can be checked before anything is written.

    Raises ``UsageError`` (or ``PluginError``) with cause and cure for whatever cannot be done as asked.
    """
    if not options.algos:
        known = ", ".join(sorted(catalogue.algorithms))
        raise api.UsageError(f"no algorithm was named; give --algos, known: {known}")
    if not options.envs:
        raise api.UsageError("no environment was named; give --envs, e.g. --envs CartPole-v1")
    if options.eval_points > options.steps:
        raise api.UsageError(
            f"{options.eval_points} evaluations do not fit into {options.steps} steps; lower --eval-points"
        )
    entries = {label: catalogue.algorithm(name) for label, name in options.algos.items()}
    catalogue.executor(options.executor)
    for name in options.trackers:
        catalogue.tracker(name)
    _check_names("--set", options.settings, options.algos)
    _check_names("--env-set", options.env_settings, options.envs)
    for label in options.algos:
        _check_label(label)
    environments = [_environment(name, options, catalogue) for name in options.envs]
    device = resolve_device(options.device)
    arms: list[Arm] = []
    trials: list[TrialIdentity] = []
    unsupported: list[Unsupported] = []
    for label, entry in entries.items():
        for environment in environments:
            config, origins = _config(label, entry, environment, options)
            spec = entry.spec
            arm = Arm(label, spec.name, spec.kind, environment.name, msgspec.to_builtins(config), origins)
            identity = _identity(arm, entry, environment, options)
            reason = _supports(
                spec, task_of(identity, config, environment.description, device), environment.makes_single
            )
            if reason is not None:
                unsupported.append(Unsupported(label, environment.name, reason))
                continue
            arms.append(arm)
            trials += [msgspec.structs.replace(identity, seed=seed) for seed in options.seeds]
    if not trials:
        first = unsupported[0]
        raise api.UsageError(
            f"no algorithm supports any environment ({first.algorithm} on {first.env}: {first.reason}); "
            "choose another algorithm or environment"
        )
    return Plan(options, device, options.out or default_folder(options), arms, trials, unsupported)


def describe(plan: Plan, missing: int) -> dict[str, Any]:
    """Give a plan as a JSON document: each option and setting with its origin, and what is left to run."""
    options = plan.options
    tables = ("settings", "env_settings", "origins")
    names = [name for name in options.__dataclass_fields__ if name not in tables]
    resolved = {"out": plan.folder, "device": plan.device}
    return {
        "options": [
            {
                "name": name,
                "value": resolved.get(name, getattr(options, name)),
                "origin": options.origins.get(name, "default"),
            }
            for name in names
        ]
        + [
            {
                "name": f"env-set.{env}.{key}",
                "value": value,
                "origin": options.origins[f"env-set.{env}.{key}"],
            }
            for env, entries in options.env_settings.items()
            for key, value in entries.items()
        ],
        "arms": [arm._asdict() for arm in plan.arms],
        "unsupported": [row._asdict() for row in plan.unsupported],
        "trials": len(plan.trials),
        "missing": missing,
        "folder": plan.folder,
    }


def default_folder(options: Options) -> str:
    """Give ``results/NAME``, named after the algorithms and environments, not the seeds."""
    algos = "-".join(label for label in options.algos)
    name = encode_name(f"{algos}_{'-'.join(options.envs)}".replace("/", "-"))
    if len(name) > LONGEST_FOLDER_NAME:
        name = f"{name[:LONGEST_FOLDER_NAME].rstrip('%')}-{content_hash([options.algos, options.envs])}"
    return os.path.join("results", name)


def resolve_device(device: str) -> str:
    """Resolve ``auto``; torch is imported only where the answer depends on it."""
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return "cpu"
    from rlbench.kit.devices import resolve_device as resolve

    return resolve(device)


def _has_driver() -> bool:
    """Whether torch could find a graphics card: without a driver's library or device there is none."""
    if sys.platform != "linux" or os.path.exists("/dev/kfd"):  # AMD's cards are "cuda" to torch as well
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def backend_of(
    name: str, catalogue: Catalogue, *, allow_import: bool
) -> tuple[Entry[api.EnvironmentSpec], str]:
    """Split ``prefix:id`` into the backend and the id it knows.

    What stands before the colon may also be a module that gymnasium imports to register the environment:
    that is code, and refused unless ``allow_import``.
    """
    prefix, colon, env_id = name.partition(":")
    if not colon:
        return catalogue.environment(""), name
    try:
        return catalogue.environment(prefix), env_id
    except api.UsageError:
        if allow_import:
            return catalogue.environment(""), name
        backends = ", ".join(sorted(f"{known}:" for known in catalogue.environments if known))
        raise api.UsageError(
            f"{name!r} names no environment backend ({backends}), so running it would import the module "
            f"{prefix!r}; pass --allow-import if you trust it"
        ) from None


def _environment(name: str, options: Options, catalogue: Catalogue) -> _Environment:
    entry, env_id = backend_of(name, catalogue, allow_import=options.allow_import)
    kwargs = options.env_settings.get(name, {})
    try:
        description = api.resolve(entry.spec.describe)(env_id, kwargs)
    except LookupError as error:
        raise api.UsageError(str(error.args[0] if error.args else error)) from None
    except ValueError as error:
        raise api.UsageError(str(error)) from None
    except Exception as error:
        raise api.UsageError(
            f"environment {name!r} cannot be made ({type(error).__name__}: {error}); "
            "check its id and --env-set arguments"
        ) from error
    reason = unsupported_reason(description.observation_space, description.action_space)
    if reason is not None:
        raise api.UsageError(f"environment {name!r} cannot be used: {reason}; choose another environment")
    encode_name(name)
    limit = options.max_episode_steps or description.max_episode_steps or DEFAULT_EPISODE_LIMIT
    return _Environment(name, env_id, kwargs, description, limit, entry.spec.make_single is not None)


def _check_label(label: str) -> None:
    encode_name(label)
    if not label.isprintable():
        raise api.UsageError(f"the label {label!r} holds unprintable characters; choose another")


def _check_names(option: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise api.UsageError(
                f"{option} speaks of {name!r}, which is not part of this run; {api.did_you_mean(name, known)}"
            )


def _config(
    label: str, entry: Entry[api.AlgorithmSpec], environment: _Environment, options: Options
) -> tuple[Any, dict[str, str]]:
    """Merge defaults, preset and settings into the algorithm's config."""
    spec = entry.spec
    config_type = _resolved(entry, spec.config)
    known = [field.name for field in dataclasses.fields(config_type)]
    origins = dict.fromkeys(known, "default")
    preset = spec.presets.get(environment.name) or spec.presets.get(environment.env_id) or {}
    values: dict[str, Any] = {}
    for source, layer in ((None, preset), ("given", options.settings.get(label, {}))):
        for key, value in layer.items():
            if key not in known:
                where = (
                    f"{label}.{key}" if source else f"the preset of {spec.name} for {environment.name}: {key}"
                )
                raise api.UsageError(f"unknown setting {where}; {api.did_you_mean(key, known)}")
            values[key] = _converted(config_type, label, key, value)
            origins[key] = options.origins.get(f"set.{label}.{key}", "argument") if source else "preset"
    try:
        return config_type(**values), origins
    except (TypeError, ValueError) as error:
        raise api.UsageError(f"the settings of {label} do not fit together: {error}") from None


def _converted(config_type: type, label: str, key: str, value: Any) -> Any:
    hints = typing.get_type_hints(config_type, include_extras=True)
    try:
        return msgspec.convert(value, hints[key])
    except msgspec.ValidationError as error:
        cause = re.sub(r" - at `.*`", "", str(error)).replace("`", "").rstrip(".")
        choices = [option for option in typing.get_args(hints[key]) if isinstance(option, str)]
        cure = (
            api.did_you_mean(str(value), choices)
            if choices
            else f"give a value such as {_example(config_type, key)}"
        )
        raise api.UsageError(
            f"{label}.{key} = {value!r} does not fit: {cause[0].lower()}{cause[1:]}; {cure}"
        ) from None


def _example(config_type: type, key: str) -> str:
    field = next(field for field in dataclasses.fields(config_type) if field.name == key)
    if field.default is not dataclasses.MISSING:
        return f"its default, {msgspec.to_builtins(field.default)!r}"
    return "one of the right type"


def _resolved(entry: Entry[api.AlgorithmSpec], reference: Any) -> Any:
    """Resolve a reference of a plugin; what goes wrong there is the plugin's fault."""
    try:
        return api.resolve(reference)
    except Exception as error:
        raise api.PluginError(
            f"{entry.spec.name!r} of {entry.plugin.owner} cannot be loaded "
            f"({type(error).__name__}: {error}); mend or uninstall that plugin"
        ) from error


def _identity(
    arm: Arm, entry: Entry[api.AlgorithmSpec], environment: _Environment, options: Options
) -> TrialIdentity:
    solver = arm.kind == "solver"
    return TrialIdentity(
        label=arm.label,
        algorithm=arm.algorithm,
        kind=arm.kind,
        distribution=entry.plugin.distribution,
        version=entry.plugin.version,
        config=arm.config,
        env=environment.name,
        env_kwargs=environment.kwargs,
        seed=0,
        steps=0 if solver else options.steps,
        max_episode_steps=environment.max_episode_steps,
        evaluation_points=1 if solver else options.eval_points,
        evaluation_episodes=options.eval_episodes,
    )


def task_of(
    identity: TrialIdentity, config: Any, description: api.EnvironmentDescription, device: str
) -> api.Task:
    """Give the task that a trial sets its algorithm."""
    return api.Task(
        env=identity.env,
        env_kwargs=identity.env_kwargs,
        observation_space=description.observation_space,
        action_space=description.action_space,
        n_envs=getattr(config, "n_envs", 1),
        steps=identity.steps,
        device=device,
        max_episode_steps=identity.max_episode_steps,
        mdp=description.mdp,
    )


def _supports(spec: api.AlgorithmSpec, task: api.Task, makes_single: bool) -> str | None:
    reason = api.resolve(spec.supports)(task) if spec.supports is not None else None
    if reason is not None:
        return reason
    if spec.kind == "solver" and task.mdp is None:
        return "needs a model: the environment has no transition table"
    if spec.kind == "trainer" and not makes_single:
        return "needs single environments: this backend gives only vectors"
    return None
