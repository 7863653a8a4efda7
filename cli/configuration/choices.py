"""What `deploy`'s options change: written down where `pulumi up` reads it too, so that it later means the same."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cli.configuration import env_values
from cli.configuration.selection import FEATURES, Selection, changes, with_profiles, with_services
from cli.deployment.deployment import Deployment
from cli.stack_files.stack_file import StackFile
from cli.system.errors import StackError
from cli.terminal.console import err
from infra.services.catalog import ServiceSpec
from infra.settings import env_file
from infra.settings.stack import StackSettings, read_overrides
from messages import tr


@dataclass(frozen=True)
class Choices:
    """The options as they were given. `services` and `profile` are words separated by spaces or commas."""

    dev: bool = False
    full: bool = False
    profile: str | None = None
    services: str | None = None
    no_cache: bool = False

    def __bool__(self) -> bool:
        return self.dev or self.full or self.no_cache or self.profile is not None or self.services is not None

    def select(self, now: Selection, catalog: Mapping[str, ServiceSpec]) -> Selection:
        """What is to run. Raises SelectionError for a word that names nothing."""
        asked = [*(["dev"] if self.dev else []), *(["full"] if self.full else []), *_words(self.profile)]
        chosen = with_profiles(now, asked, catalog) if asked else now
        return with_services(chosen, _words(self.services), catalog) if self.services is not None else chosen


def apply(deployment: Deployment, choices: Choices, catalog: Mapping[str, ServiceSpec]) -> Callable[[], None]:
    """Write `choices` down and say what changes; return a function that restores the file.

    Of the stack dev they are written into `.env`, which is of this machine alone; of another stack into its own file,
    which is reviewed. Raises SelectionError, and StackError where images are pinned and so never built.
    """
    if choices.no_cache and deployment.settings.images == "pinned":
        raise StackError(
            tr("this stack's images are pinned by digest, not built here"),
            tr("leave --no-cache out"),
        )
    file, stack = StackFile(deployment.file), deployment.settings.stack
    on_this_machine = stack == env_file.DEFAULT_STACK
    content = file.values()
    if on_this_machine:
        content = read_overrides(deployment.file.parent, stack).over(content)
    before = selection(content)
    after = choices.select(before, catalog)
    lines = changes(before, after)
    # The time, as a number that was used before would find its layers in a cache.
    generation = int(time.time()) if choices.no_cache else None
    if generation is not None:
        lines.append(f"build.generation: {deployment.settings.build.generation} → {generation}")
    if not lines:
        return lambda: None
    if on_this_machine:
        place = env_file.file_name(stack)
        values = _as_env_values(selection(file.values()), before, after, generation, catalog)
        undo = env_values.write(deployment.file.parent, stack, values)
    else:
        place, undo = deployment.file.name, file.restore
        _put(file, before, after, generation)
        file.save()
    for line in lines:
        err.print(Text(f"• {place}: {line}"))
    return undo


def _put(file: StackFile, before: Selection, after: Selection, generation: int | None) -> None:
    if before.profiles != after.profiles:
        file.set("profiles", list(after.profiles) or None)
    for name in {*before.enabled, *after.enabled}:
        if before.enabled.get(name) != after.enabled.get(name):
            file.set_in("services", [name, "enabled"], after.enabled.get(name))
    if generation is not None:
        file.set_in("build", ["generation"], generation)


def _as_env_values(
    file: Selection, before: Selection, after: Selection, generation: int | None, catalog: Mapping[str, ServiceSpec]
) -> dict[str, str]:
    """Return the values, by key of `.env`, that turn the stack file's selection into `after`; '' where the file already
    says so."""
    values: dict[str, str] = {}
    if before.profiles != after.profiles:
        names = ",".join(after.profiles) or env_file.NO_PROFILE
        values[env_file.PROFILES] = "" if after.profiles == file.profiles else names
        values["MONITORING_ENABLED"] = ""
    for name in sorted({*before.enabled, *after.enabled} & set(catalog)):
        if before.enabled.get(name) != after.enabled.get(name):
            without = Selection(after.profiles, {key: on for key, on in file.enabled.items() if key == name})
            runs = after.runs(catalog[name])
            said = without.runs(catalog[name]) == runs
            values[env_file.service_key(name, "ENABLED")] = "" if said else str(runs).lower()
    if generation is not None:
        values[env_file.GENERATION] = str(generation)
    return values


def overruled(settings: StackSettings, file: StackFile, catalog: Mapping[str, ServiceSpec]) -> list[str]:
    """Return one line for each setting that `.env` decides differently from the stack's file; none for dev, whose
    choices are in `.env`."""
    if settings.stack == env_file.DEFAULT_STACK:
        return []
    said = selection(file.values())
    lines = []
    for name, spec in catalog.items():
        own = settings.services.get(name)
        enabled = own.enabled if own else None
        runs = Selection(settings.profiles, {} if enabled is None else {name: enabled}).runs(spec)
        if runs != said.runs(spec):
            lines.append(f"{name}-mcp: {_running(runs)}")
    lines += [
        f"{FEATURES[name]}: {_running(name in settings.profiles)}"
        for name in FEATURES
        if (name in settings.profiles) != (name in said.profiles)
    ]
    source = env_file.file_name(settings.stack)
    return [f"{source} → {line}" for line in lines]


def selection(content: Mapping[str, Any]) -> Selection:
    """Return what a stack's settings say about what runs; values of an unexpected form are left for the settings to
    refuse."""
    profiles: Any = content.get("profiles", [])
    services: Any = content.get("services", {})
    enabled = {
        str(name): own["enabled"]
        for name, own in (services.items() if isinstance(services, dict) else ())
        if isinstance(own, dict) and isinstance(own.get("enabled"), bool)
    }
    return Selection(tuple(map(str, profiles)) if isinstance(profiles, list) else (), enabled)


def _running(runs: bool) -> str:
    return tr("runs") if runs else tr("does not run")


def _words(text: str | None) -> list[str]:
    return shlex.split((text or "").replace(",", " "))
