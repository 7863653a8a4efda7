"""What `deploy`'s options change in the stack's file: written there, so that a later `pulumi up` means the same."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from stack.catalog import ServiceSpec
from stack.env_file import file_name
from stack.settings import StackSettings

from cli.console import err
from cli.selection import FEATURES, Selection, changes, with_profiles, with_services
from cli.stack import Deployment, StackError
from cli.stack_file import StackFile
from toolchain.language import tr


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
    """Write `choices` into the stack's file, saying what changes; returns what puts the file back as it was.

    Raises SelectionError, and StackError where images are pinned and so never built.
    """
    file = StackFile(deployment.file)
    before = selection(file)
    after = choices.select(before, catalog)
    lines = changes(before, after)
    if before.profiles != after.profiles:
        file.set("profiles", list(after.profiles) or None)
    for name in {*before.enabled, *after.enabled}:
        if before.enabled.get(name) != after.enabled.get(name):
            file.set_in("services", [name, "enabled"], after.enabled.get(name))
    if choices.no_cache:
        if deployment.settings.images == "pinned":
            raise StackError(
                tr("这个栈的镜像由摘要固定，不在这里构建", "this stack's images are pinned by digest, not built here"),
                tr("去掉 --no-cache", "leave --no-cache out"),
            )
        # The time, as a number that was used before would find its layers in a cache.
        generation = int(time.time())
        file.set_in("build", ["generation"], generation)
        lines.append(f"build.generation: {deployment.settings.build.generation} → {generation}")
    if lines:
        file.save()
        for line in lines:
            err.print(Text(f"• {deployment.file.name}: {line}"))
    return file.restore


def overruled(settings: StackSettings, file: StackFile, catalog: Mapping[str, ServiceSpec]) -> list[str]:
    """What `.env` decides otherwise than the stack's file does, one line each."""
    said = selection(file)
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
    source = file_name(settings.stack)
    return [f"{source} → {line}" for line in lines]


def selection(file: StackFile) -> Selection:
    """What a stack's file says of what runs; values of another form are left to the settings to refuse."""
    profiles: Any = file.get("profiles", [])
    services: Any = file.get("services", {})
    enabled = {
        str(name): own["enabled"]
        for name, own in (services.items() if isinstance(services, dict) else ())
        if isinstance(own, dict) and isinstance(own.get("enabled"), bool)
    }
    return Selection(tuple(map(str, profiles)) if isinstance(profiles, list) else (), enabled)


def _running(runs: bool) -> str:
    return tr("运行", "runs") if runs else tr("不运行", "does not run")


def _words(text: str | None) -> list[str]:
    return shlex.split((text or "").replace(",", " "))
