"""From a gymnasium id to one environment, or to one line that says why not."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator, parse_env_id

from rlbench.api import EnvironmentDescription, did_you_mean
from rlbench.environments.mdp import MDP, why_no_model

# Arguments of gymnasium.make that the harness sets itself, and what to use instead.
_RESERVED = {
    "id": "it is the environment's own name",
    "max_episode_steps": "the time limit is an option of the run, --max-episode-steps",
    "disable_env_checker": "the harness sets it",
}
# Packages that register their ids only when imported: namespace -> (module, what to install).
_NAMESPACES = {"ALE": ("ale_py", 'pip install "gymnasium[atari]"')}


def names() -> Sequence[str]:
    """List the registered ids, sorted."""
    return sorted(gymnasium.registry)


def make_single(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    max_episode_steps: int | None,
    *,
    order_enforce: bool = True,
) -> gymnasium.Env:
    """Make one environment, cut off after ``max_episode_steps`` (``None``: the environment's own limit).

    ``order_enforce=False`` leaves out gymnasium's wrapper of that name, which a caller that never steps
    before a reset can save. Raises ``LookupError`` for an unknown id and ``ValueError`` for bad arguments,
    a missing package, or an environment that cannot be constructed.
    """
    spec = find_spec(env_id)
    _check_arguments(spec, env_kwargs)
    if not order_enforce:
        spec = dataclasses.replace(spec, order_enforce=False)
    try:
        return gymnasium.make(
            spec, max_episode_steps=max_episode_steps, disable_env_checker=True, **env_kwargs
        )
    except gymnasium.error.DependencyNotInstalled as error:  # its message says what to install
        raise ValueError(f"{env_id} needs a package that is not there; {_one_line(error)}") from error
    except ImportError as error:
        cure = f"install the package that provides {error.name!r}" if error.name else _one_line(error)
        raise ValueError(f"{env_id} needs a package that is not there; {cure}") from error
    except (Exception, SystemExit) as error:  # whatever a constructor raises is one line for the user
        raise ValueError(f"{env_id} cannot be made; {type(error).__name__}: {_one_line(error)}") from error


def describe(env_id: str, env_kwargs: Mapping[str, Any]) -> EnvironmentDescription:
    """Make the environment once and say what it is; warns if its version is out of date.

    Raises like :func:`make_single`.
    """
    spec = find_spec(env_id)
    newer = [version for version in _versions(spec) if version > (spec.version or 0)]
    if newer:
        warnings.warn(f"{spec.id} is out of date: the latest version is v{max(newer)}", stacklevel=2)
    env = make_single(env_id, env_kwargs, None)
    try:
        return EnvironmentDescription(
            observation_space=env.observation_space,
            action_space=env.action_space,
            max_episode_steps=env.spec.max_episode_steps if env.spec is not None else None,
            mdp=MDP.from_environment(env) if why_no_model(env) is None else None,
        )
    finally:
        env.close()


def find_spec(env_id: str) -> EnvSpec:
    """Look an id up in the registry; ``module:Env-v0`` imports ``module`` first, which registers it.

    Raises ``LookupError`` for an unknown id, ``ValueError`` where a package has to be installed first.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        _import_for(env_id, module)
    elif (namespace := name.partition("/")[0]) in _NAMESPACES and name not in gymnasium.registry:
        module, install = _NAMESPACES[namespace]
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"{env_id} needs a package that is not there; install it: {install}")
        gymnasium.register_envs(importlib.import_module(module))
    if name in gymnasium.registry:
        return gymnasium.registry[name]
    raise LookupError(f"unknown environment {env_id!r}; {_cure(name)}")


def _import_for(env_id: str, module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:  # the module is the user's: its failure is one line, not a crash of ours
        raise ValueError(
            f"{env_id} cannot be made; importing {module!r} failed: "
            f"{type(error).__name__}: {_one_line(error)}"
        ) from error


def _versions(spec: EnvSpec) -> list[int]:
    return sorted(
        other.version
        for other in gymnasium.registry.values()
        if other.version is not None and (other.namespace, other.name) == (spec.namespace, spec.name)
    )


def _cure(name: str) -> str:
    """Name the versions of a known environment, or the nearest id."""
    try:
        namespace, base, _ = parse_env_id(name)
    except gymnasium.error.Error:
        return did_you_mean(name, gymnasium.registry)
    known = [spec for spec in gymnasium.registry.values() if (spec.namespace, spec.name) == (namespace, base)]
    if known:
        return "there is " + ", ".join(spec.id for spec in sorted(known, key=lambda spec: spec.version or 0))
    return did_you_mean(name, gymnasium.registry)


def _check_arguments(spec: EnvSpec, env_kwargs: Mapping[str, Any]) -> None:
    """Refuse arguments that are the harness's, or that the environment's constructor does not have."""
    for key in env_kwargs:
        if key in _RESERVED:
            raise ValueError(f"{spec.id} takes no argument {key!r} here; {_RESERVED[key]}")
    if not env_kwargs or spec.entry_point is None:
        return
    try:
        creator = (
            load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
        )
        parameters = inspect.signature(creator).parameters
    except (ImportError, AttributeError, TypeError, ValueError):
        return  # gymnasium.make will say it better
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for key in env_kwargs:
        if key not in parameters:
            raise ValueError(f"{spec.id} takes no argument {key!r}; {did_you_mean(key, parameters)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
