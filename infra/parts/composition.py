"""Decides which services and data volumes a stack has, and refuses bad settings before anything is created."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.parts import data_volumes, image_interface
from infra.rendering.gateway import inputs as gateway_inputs
from infra.rendering.hub import logins
from infra.rendering.hub.content import HubContent, hub_content
from infra.rendering.hub.for_gateway import gateway_hub
from infra.schema.problems import ConfigurationError, Problem
from infra.services import catalog
from infra.services.catalog import ServiceSpec
from infra.services.scan.review import refuse_poisoned_tools
from infra.settings.profiles import MONITORING
from infra.settings.selection import enabled
from infra.settings.stack import StackSettings


@dataclass(frozen=True)
class Composition:
    """The settings of a stack, its `services` with the stack's values, the names of its data volumes by service, and
    what its `hub` offers, None without a hub."""

    settings: StackSettings
    services: list[ServiceSpec]
    data_volumes: Mapping[str, str]
    hub: HubContent | None = None


def compose(
    settings: StackSettings, root: Path, list_volumes: Callable[[], Collection[Mapping[str, Any]]]
) -> Composition:
    """Decide what the stack is made of; `root` is the repository, `list_volumes` asks the engine which volumes it has.

    The engine is asked last, when the settings are known to be right. Raises ConfigurationError for what cannot work.
    """
    services, hub = checked_services(settings, catalog.load_catalog(root / "mcp-servers"))
    present = data_volumes.present_for(settings.stack, list_volumes())
    names = data_volumes.declared(settings.stack, settings.with_data(services), present)
    return Composition(settings, services, names, hub)


def checked_services(
    settings: StackSettings, all_services: Mapping[str, ServiceSpec]
) -> tuple[list[ServiceSpec], HubContent | None]:
    """Return the services of a stack with the stack's values, and what its hub offers; no engine is asked.

    Raises ConfigurationError for everything that the program refuses.
    """
    services, hub = checked_settings(settings, all_services)
    gateway_inputs.tls_files(settings)
    logins.authorities(settings)
    return services, hub


def checked_settings(
    settings: StackSettings, all_services: Mapping[str, ServiceSpec]
) -> tuple[list[ServiceSpec], HubContent | None]:
    """Return what `checked_services` returns, without a look at the files that settings name.

    Raises ConfigurationError with all problems together, so that a change that corrects one of them shows no others.
    """
    problems: list[Problem] = []
    services, hub = enabled(settings, all_services), None
    with _collected(problems):
        settings.select(all_services)
    with _collected(problems):
        refuse_poisoned_tools(services, all_services)
    if settings.has(MONITORING) and settings.monitoring.alerts:
        problems += settings.monitoring.alerts.problems(settings.stack)
    with _collected(problems):
        image_interface.refuse_incompatible_images(settings)
    if services:
        with _collected(problems):
            hub = hub_content(settings, services, all_services)
    if problems:
        raise ConfigurationError(*problems)
    gateway_inputs.check(settings, services, gateway_hub(settings, hub) if hub else None)
    return services, hub


@contextmanager
def _collected(problems: list[Problem]) -> Iterator[None]:
    """Append the problems of a ConfigurationError to `problems`, instead of raising it."""
    try:
        yield
    except ConfigurationError as error:
        problems += error.problems
