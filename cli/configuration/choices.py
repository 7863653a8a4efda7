"""Writes the options of `deploy` into `.env` or the stack's file, so that a later `pulumi up` does the same."""

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
    """The given options of `deploy`; `services` and `profile` are words separated by spaces or commas."""

    dev: bool = False
    full: bool = False
    profile: str | None = None
    services: str | None = None
    no_cache: bool = False

    def __bool__(self) -> bool:
        return self.dev or self.full or self.no_cache or self.profile is not None or self.services is not None

    def select(self, present: Selection, catalog: Mapping[str, ServiceSpec]) -> Selection:
        """Return what will run if these options are applied to `present`. Raises SelectionError for an unknown word."""
        profiles = [*(["dev"] if self.dev else []), *(["full"] if self.full else []), *_words(self.profile)]
        chosen = with_profiles(present, profiles, catalog) if profiles else present
        return with_services(chosen, _words(self.services), catalog) if self.services is not None else chosen


def apply(deployment: Deployment, choices: Choices, catalog: Mapping[str, ServiceSpec]) -> Callable[[], None]:
    """Save `choices` and print what changes; return a function that restores the file.

    For the stack dev they are saved in `.env`, which belongs to this machine only; for another stack in its own file,
    which is reviewed. Raises SelectionError, and StackError for --no-cache if the images are pinned and never built.
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
    # The time is a new number each time; with a number that was used before, the build would find layers in a cache.
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
    """Return by key of `.env` the values that turn the stack file's selection `file` into `after`.

    A key that is not needed, as the file already says the same, gets ''.
    """
    values: dict[str, str] = {}
    if before.profiles != after.profiles:
        names = ",".join(after.profiles) or env_file.NO_PROFILE
        values[env_file.PROFILES] = "" if after.profiles == file.profiles else names
        values["MONITORING_ENABLED"] = ""
    for name in sorted({*before.enabled, *after.enabled} & set(catalog)):
        if before.enabled.get(name) != after.enabled.get(name):
            without = Selection(after.profiles, {key: on for key, on in file.enabled.items() if key == name})
            runs = after.runs(catalog[name])
            is_said_by_file = without.runs(catalog[name]) == runs
            values[env_file.service_key(name, "ENABLED")] = "" if is_said_by_file else str(runs).lower()
    if generation is not None:
        values[env_file.GENERATION] = str(generation)
    return values


def overruled(settings: StackSettings, file: StackFile, catalog: Mapping[str, ServiceSpec]) -> list[str]:
    """Return one line for each choice in the stack's file that `.env` overrules.

    There are none for the stack dev, as its choices are in `.env`.
    """
    if settings.stack == env_file.DEFAULT_STACK:
        return []
    in_file = selection(file.values())
    lines = []
    for name, spec in catalog.items():
        service = settings.services.get(name)
        enabled = service.enabled if service else None
        runs = Selection(settings.profiles, {} if enabled is None else {name: enabled}).runs(spec)
        if runs != in_file.runs(spec):
            lines.append(f"{name}-mcp: {_running(runs)}")
    lines += [
        f"{FEATURES[name]}: {_running(name in settings.profiles)}"
        for name in FEATURES
        if (name in settings.profiles) != (name in in_file.profiles)
    ]
    source = env_file.file_name(settings.stack)
    return [f"{source} → {line}" for line in lines]


def selection(content: Mapping[str, Any]) -> Selection:
    """Return the selection in the `content` of a stack's file.

    Values of an unexpected form are ignored here; reading the settings refuses them.
    """
    profiles: Any = content.get("profiles", [])
    services: Any = content.get("services", {})
    enabled = {
        str(name): service["enabled"]
        for name, service in (services.items() if isinstance(services, dict) else ())
        if isinstance(service, dict) and isinstance(service.get("enabled"), bool)
    }
    return Selection(tuple(map(str, profiles)) if isinstance(profiles, list) else (), enabled)


def _running(runs: bool) -> str:
    return tr("runs") if runs else tr("does not run")


def _words(text: str | None) -> list[str]:
    return shlex.split((text or "").replace(",", " "))
