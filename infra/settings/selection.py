"""Chooses the services that a stack runs, and finds what in its file does not fit the services that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from infra.schema.corrections import yaml_lines
from infra.schema.messages import listed
from infra.schema.problems import ConfigurationError, Problem
from infra.services.catalog import ServiceSpec
from infra.services.contract import LOCK_FILE
from infra.settings.names import NAMESPACE, stack_file
from infra.settings.profiles import BUILT_IN_PROFILES
from infra.settings.secrets import unfit_secrets

if TYPE_CHECKING:
    from infra.settings.stack import StackSettings

PINNED, ENFORCED = "pinned", "enforced"


def select(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> list[ServiceSpec]:
    """Return the services that the stack runs, with the stack's values, in the order of `catalog`.

    Raises ConfigurationError with everything in the stack's file that does not fit the services that there are.
    """
    with_values = {name: settings.with_stack_values(spec) for name, spec in catalog.items()}
    selected = [spec for spec in with_values.values() if _is_enabled(settings, spec)]
    problems = list(_unknown_names(settings, with_values))
    for spec in selected:
        problems += _unfit_service(settings, spec)
    problems += [
        Problem("pinned_part_image_missing", stack_file(settings.stack), (key,))
        for key, image in settings.part_images().items()
        if settings.images == PINNED and not image
    ]
    if not selected:
        problems.append(Problem("no_service_enabled", stack_file(settings.stack)))
    if problems:
        raise ConfigurationError(*problems)
    return selected


def _is_enabled(settings: StackSettings, spec: ServiceSpec) -> bool:
    own = settings.services.get(spec.name)
    if own and own.enabled is not None:
        return own.enabled
    return spec.profile is None or spec.profile in settings.profiles


def _unknown_names(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> Iterator[Problem]:
    """Yield a problem for each service, profile, client and tool that the stack's file names and that there is not.

    What a client may call is judged by the contract that the stack has, which may be older than the lock files:
    `catalog` has the stack's values.
    """
    file = stack_file(settings.stack)
    for name in settings.services:
        if name not in catalog:
            yield Problem("no_such_service", file, ("services", name), parameters={"known": listed(catalog)})
    of_services = (spec.profile for spec in catalog.values() if spec.profile)
    profiles = sorted({*BUILT_IN_PROFILES, *of_services})
    for profile in settings.profiles:
        if profile not in profiles:
            parameters = {"profile": profile, "known": listed(profiles)}
            yield Problem("no_such_profile", file, ("profiles",), parameters=parameters)
    for client, own in settings.clients.items():
        yield from own.unknown_scopes(file, client, catalog)
    for client in settings.tokens:
        if client not in settings.clients:
            path, parameters = ("tokens", client), {"known": listed(settings.clients)}
            yield Problem("no_such_client", file, path, parameters=parameters)


def _unfit_service(settings: StackSettings, spec: ServiceSpec) -> Iterator[Problem]:
    """Yield what the stack's file says of a service that runs, and that cannot be."""
    file, path = stack_file(settings.stack), ("services", spec.name)
    own = settings.services.get(spec.name)
    if settings.images == PINNED and not (own and own.image):
        yield Problem("pinned_image_missing", file, (*path, "image"))
    yield from unfit_secrets(file, settings.stack, spec, settings.secrets(spec.name))
    if spec.replicas > spec.max_replicas:
        replicas = (*path, "replicas")
        yield Problem(
            "too_many_replicas",
            file,
            replicas,
            spec.replicas,
            {"most": spec.max_replicas, "service": spec.name},
            instead=tuple(yaml_lines(replicas, spec.max_replicas, prefix=f"{NAMESPACE}:")),
        )
    if settings.contracts == ENFORCED and not spec.contract_sha256:
        lock_file = f"mcp-servers/{spec.name}/{LOCK_FILE}"
        yield Problem("contract_missing", lock_file, parameters={"service": spec.name})
