"""Loads plugins one by one and gives the catalogue of everything they provide.

A plugin that cannot be loaded is a row with its traceback, never the end of the program: the error
comes when a name of its own is asked for. There is no module-level manager and no cache.
"""

from __future__ import annotations

import inspect
import os
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import pluggy

from rlbench import api, discovery, hookspecs

Record = TypeVar("Record")


class Extension(NamedTuple):
    """What one hook yields: the word for it, the type of its records, and the field that names a record.

    Records that are ``measured`` are numbers about a problem: what names them is a text, and rlbench's own
    are frozen, whatever plugins claim.
    """

    noun: str
    record: type
    key: str = "name"
    measured: bool = False


EXTENSIONS: Mapping[str, Extension] = {
    "rlbench_algorithms": Extension("algorithm", api.AlgorithmSpec),
    "rlbench_environments": Extension("environment prefix", api.EnvironmentSpec, "prefix"),
    "rlbench_metrics": Extension("metric", api.MetricSpec),
    "rlbench_report_sections": Extension("report section", api.ReportSectionSpec),
    "rlbench_executors": Extension("executor", api.ExecutorSpec),
    "rlbench_trackers": Extension("tracker", api.TrackerSpec),
    "rlbench_references": Extension("reference", api.ReferenceSpec, measured=True),
    "rlbench_baselines": Extension("published figure", api.BaselineSpec, measured=True),
}


@dataclass(frozen=True, kw_only=True)
class PluginRecord:
    """One entry point and what became of it.

    ``provides`` maps hooks to names; for a broken plugin it holds what it yielded before it failed, none of
    which can be used. ``error`` is one line, empty where all is well; ``disabled`` is what switched it off.
    """

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    disabled: str = ""

    @property
    def owner(self) -> str:
        """How messages call it."""
        return f"{self.distribution} {self.version} (entry point {self.name!r})"

    def goes_by(self, name: str) -> bool:
        """Whether a user who asks for ``name`` probably means something of this plugin."""
        names = {self.name, self.distribution, *(name for names in self.provides.values() for name in names)}
        return discovery.folded(name) in {discovery.folded(one) for one in names}


@dataclass(frozen=True)
class Entry(Generic[Record]):
    """A record and the plugin it came from."""

    spec: Record
    plugin: PluginRecord


@dataclass(frozen=True)
class Catalogue:
    """Everything that plugins provide: mappings to look around, methods to get what was asked for.

    The methods raise :class:`rlbench.api.UsageError` for an unknown name, and
    :class:`rlbench.api.PluginError` for one that belongs to a broken plugin or to two.
    """

    plugins: tuple[PluginRecord, ...]
    claims: Mapping[str, Mapping[str, tuple[Entry[Any], ...]]]
    """hook -> name -> everyone who claims it"""

    overruled: Mapping[tuple[str, str], tuple[PluginRecord, ...]] = field(default_factory=dict)
    """``(hook, name)`` of every frozen number of rlbench's own, and who claims it in vain"""

    def _known(self, hook: str) -> dict[str, Entry[Any]]:
        return {name: entries[0] for name, entries in self.claims[hook].items() if len(entries) == 1}

    def _get(self, hook: str, name: str) -> Entry[Any]:
        noun = EXTENSIONS[hook].noun
        entries = self.claims[hook].get(name, ())
        if len(entries) == 1:
            return entries[0]
        if entries:
            owners = " and ".join(dict.fromkeys(entry.plugin.owner for entry in entries))
            raise api.PluginError(
                f"the {noun} {name!r} is claimed more than once, by {owners}; "
                f"uninstall one, or allow the others with {discovery.ALLOW_LIST}"
            )
        for plugin in self.plugins:
            if plugin.error and plugin.goes_by(name):
                raise api.PluginError(
                    f"the {noun} {name!r} belongs to the broken plugin {plugin.owner}: {plugin.error}; "
                    "`rlbench plugins` shows the traceback"
                )
            if plugin.disabled and plugin.goes_by(name):
                raise api.UsageError(
                    f"the {noun} {name!r} belongs to {plugin.owner}, "
                    f"which is switched off by {plugin.disabled}; allow it"
                )
        broken = ", ".join(dict.fromkeys(plugin.distribution for plugin in self.plugins if plugin.error))
        note = f" (broken: {broken}; see `rlbench plugins`)" if broken else ""
        raise api.UsageError(f"unknown {noun} {name!r}; {api.did_you_mean(name, self.claims[hook])}{note}")

    @property
    def conflicts(self) -> dict[tuple[str, str], tuple[PluginRecord, ...]]:
        """``(hook, name)`` of every name that cannot be used, and who claims it."""
        return {
            (hook, name): tuple(entry.plugin for entry in entries)
            for hook, names in self.claims.items()
            for name, entries in names.items()
            if len(entries) > 1
        }

    @property
    def algorithms(self) -> Mapping[str, Entry[api.AlgorithmSpec]]:
        """Algorithms by name; contested names are left out, here and below."""
        return self._known("rlbench_algorithms")

    @property
    def environments(self) -> Mapping[str, Entry[api.EnvironmentSpec]]:
        """Environment backends by prefix; ``""`` is gymnasium's."""
        return self._known("rlbench_environments")

    @property
    def metrics(self) -> Mapping[str, Entry[api.MetricSpec]]:
        """Metrics by name."""
        return self._known("rlbench_metrics")

    @property
    def sections(self) -> Mapping[str, Entry[api.ReportSectionSpec]]:
        """Report sections by name."""
        return self._known("rlbench_report_sections")

    @property
    def executors(self) -> Mapping[str, Entry[api.ExecutorSpec]]:
        """Executors by name."""
        return self._known("rlbench_executors")

    @property
    def trackers(self) -> Mapping[str, Entry[api.TrackerSpec]]:
        """Trackers by name."""
        return self._known("rlbench_trackers")

    @property
    def references(self) -> Mapping[str, Entry[api.ReferenceSpec]]:
        """What scores are normalised between, by problem."""
        return self._known("rlbench_references")

    @property
    def baselines(self) -> Mapping[str, Entry[api.BaselineSpec]]:
        """Figures that others published, by what they are of."""
        return self._known("rlbench_baselines")

    def algorithm(self, name: str) -> Entry[api.AlgorithmSpec]:
        """Give the algorithm of this name."""
        return self._get("rlbench_algorithms", name)

    def environment(self, prefix: str) -> Entry[api.EnvironmentSpec]:
        """Give the environment backend of this prefix."""
        return self._get("rlbench_environments", prefix)

    def metric(self, name: str) -> Entry[api.MetricSpec]:
        """Give the metric of this name."""
        return self._get("rlbench_metrics", name)

    def section(self, name: str) -> Entry[api.ReportSectionSpec]:
        """Give the report section of this name."""
        return self._get("rlbench_report_sections", name)

    def executor(self, name: str) -> Entry[api.ExecutorSpec]:
        """Give the executor of this name."""
        return self._get("rlbench_executors", name)

    def tracker(self, name: str) -> Entry[api.TrackerSpec]:
        """Give the tracker of this name."""
        return self._get("rlbench_trackers", name)

    def reference(self, problem: str) -> Entry[api.ReferenceSpec]:
        """Give the reference of this problem."""
        return self._get("rlbench_references", problem)

    def baseline(self, name: str) -> Entry[api.BaselineSpec]:
        """Give the published figure of this name."""
        return self._get("rlbench_baselines", name)


def load_catalogue(environ: Mapping[str, str] = os.environ, external: bool = True) -> Catalogue:
    """Load every plugin that is allowed; with ``external=False`` only rlbench's own.

    Raises :class:`rlbench.api.UsageError` where ``RLBENCH_PLUGINS`` names a plugin that is not installed.
    """
    found = discovery.find(discovery.PLUGINS, environ, external)
    _check_allow_list(found, environ)
    plugins: list[PluginRecord] = []
    claims: dict[str, dict[str, tuple[Entry[Any], ...]]] = {hook: {} for hook in EXTENSIONS}
    overruled: dict[tuple[str, str], tuple[PluginRecord, ...]] = {}
    for one in found:  # rlbench's own come first
        plugin, records = _load(one)
        plugins.append(plugin)
        for hook, name, record in () if plugin.error else records:
            earlier = claims[hook].get(name, ())
            own = [entry.plugin.distribution == discovery.OWN_DISTRIBUTION for entry in earlier]
            if EXTENSIONS[hook].measured and any(own) and plugin.distribution != discovery.OWN_DISTRIBUTION:
                overruled[hook, name] = (*overruled.get((hook, name), ()), plugin)
            else:
                claims[hook][name] = (*earlier, Entry(record, plugin))
    return Catalogue(tuple(plugins), claims, overruled)


def _check_allow_list(found: list[discovery.Found], environ: Mapping[str, str]) -> None:
    every = [*found, *discovery.find(discovery.COMMANDS, environ)]
    external = [one for one in every if one.distribution != discovery.OWN_DISTRIBUTION]
    installed = {one.distribution for one in external} | {one.point.name for one in external}
    for name in discovery.allow_list(environ) or ():
        if discovery.folded(name) not in {discovery.folded(one) for one in installed}:
            raise api.UsageError(
                f"{discovery.ALLOW_LIST} names {name!r}, which is not installed; "
                f"{api.did_you_mean(name, installed)}"
            )


def _load(one: discovery.Found) -> tuple[PluginRecord, list[tuple[str, str, Any]]]:
    """Load one plugin: whatever happens in there becomes part of its record."""
    hooks: list[str] = []
    records: list[tuple[str, str, Any]] = []
    error = trace = ""
    if not one.disabled:
        try:
            plugin = one.point.load()
            _check_hook_names(plugin)
            for hook, found in _collect(plugin):
                hooks.append(hook)
                for record in found:
                    records.append((hook, _name_of(hook, record), record))
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # a plugin that calls sys.exit() is a broken plugin, too
            error = " ".join(f"{type(problem).__name__}: {problem}".rstrip(": \n").split())
            trace = traceback.format_exc()
    provides = {hook: tuple(name for of, name, _ in records if of == hook) for hook in dict.fromkeys(hooks)}
    record = PluginRecord(
        name=one.point.name,
        distribution=one.distribution,
        version=one.version,
        hooks=tuple(provides),
        provides=provides,
        error=error,
        traceback=trace,
        disabled=one.disabled,
    )
    return record, records


def _collect(plugin: Any) -> Iterator[tuple[str, Iterable[Any]]]:
    """Call the hooks of one plugin; a manager of its own keeps its errors away from the others."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    for hook in EXTENSIONS:
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            found = implementation.function()
            if not isinstance(found, Iterable):
                wanted = EXTENSIONS[hook].record.__name__
                raise TypeError(f"{hook} returned {found!r}; yield {wanted} records")
            yield hook, found


def _check_hook_names(plugin: Any) -> None:
    """Raise for a function that is meant to be a hook and would never be called; pluggy passes over it."""
    for name, function in inspect.getmembers(plugin, inspect.isroutine):
        options = getattr(function, f"{hookspecs.PROJECT}_impl", None)
        if hasattr(function, f"{hookspecs.PROJECT}_spec"):
            continue
        hook = (options or {}).get("specname") or name
        meant = options is not None or name.startswith(f"{hookspecs.PROJECT}_")
        if meant and hook not in EXTENSIONS:
            raise AttributeError(f"there is no hook {hook!r}; {api.did_you_mean(hook, EXTENSIONS)}")
        if meant and options is None:
            raise AttributeError(f"the hook {hook!r} is not marked; decorate it with rlbench.hookimpl")


def _name_of(hook: str, record: Any) -> str:
    extension = EXTENSIONS[hook]
    if not isinstance(record, extension.record):
        raise TypeError(f"{hook} yielded {record!r}; yield {extension.record.__name__} records")
    name = getattr(record, extension.key)
    if extension.measured or (name == "" and extension.key == "prefix"):
        return str(name)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w-]*", name):
        raise ValueError(f"{hook} yielded the {extension.noun} {name!r}; use letters, digits, '_' and '-'")
    return name
