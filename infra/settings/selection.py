"""Chooses the services that a stack runs, and checks that its file fits the services of the repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.schema.corrections import yaml_lines
from infra.schema.messages import listed
from infra.schema.problems import ConfigurationError, Problem
from infra.services.catalog import ServiceSpec
from infra.services.contract import LOCK_FILE
from infra.services.source import is_private_host
from infra.settings.names import CONSOLE_IMAGE, HUB_IMAGE, NAMESPACE, promotion, stack_file
from infra.settings.oauth import WHOLE, IssuerSettings, is_loopback
from infra.settings.profiles import BUILT_IN_PROFILES, CACHE
from infra.settings.secrets import secret_problems

if TYPE_CHECKING:
    from infra.settings.stack import StackSettings

PINNED, ENFORCED = "pinned", "enforced"
#: The messages about a missing image of parts that a stack can do without, by key.
_MISSING_IMAGE = {HUB_IMAGE: "pinned_hub_image_missing", CONSOLE_IMAGE: "pinned_console_image_missing"}


def select(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> list[ServiceSpec]:
    """Return the services that the stack runs, with the stack's values, in the order of `catalog`.

    Raises ConfigurationError with everything in the stack's file that does not fit the services of the repository.
    """
    selected = enabled(settings, catalog)
    problems = list(_unknown_names(settings, with_stack_values(settings, catalog)))
    for spec in selected:
        problems += _service_problems(settings, spec)
    problems += _missing_part_images(settings)
    problems += _needs_of_the_hub(settings)
    if not selected:
        problems.append(Problem("no_service_enabled", stack_file(settings.stack)))
    if problems:
        raise ConfigurationError(*problems)
    return selected


def enabled(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> list[ServiceSpec]:
    """Return the services that the stack runs, as `select` does, without checking whether its file fits them."""
    return [spec for spec in with_stack_values(settings, catalog).values() if _is_enabled(settings, spec)]


def with_stack_values(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> dict[str, ServiceSpec]:
    """Return all services of the repository, with the values that the stack overrides."""
    return {name: settings.with_stack_values(spec) for name, spec in catalog.items()}


def _needs_of_the_hub(settings: StackSettings) -> Iterator[Problem]:
    """Yield a problem for each setting that has no effect without the hub, in a stack that does without it."""
    if settings.hub.enabled:
        return
    users = {
        ("groups",): bool(settings.groups),
        ("gateway", "oauth"): settings.gateway.oauth is not None,
        ("hub", "search"): settings.hub.search,
    }
    with_hub = yaml_lines(("hub", "enabled"), True, prefix=f"{NAMESPACE}:")
    for path, is_used in users.items():
        if is_used:
            parameters = {"key": ".".join(path)}
            yield Problem(
                "hub_is_off", stack_file(settings.stack), path, parameters=parameters, instead=tuple(with_hub)
            )


def _missing_part_images(settings: StackSettings) -> Iterator[Problem]:
    """Yield a problem for each image of a part that a stack with images by digest lacks."""
    if settings.images != PINNED:
        return
    parameters = {"promote": promotion(settings.stack), "stack": settings.stack}
    for key, image in settings.part_images().items():
        if not image:
            yield Problem(
                _MISSING_IMAGE.get(key, "pinned_image_missing"),
                stack_file(settings.stack),
                (key,),
                parameters=parameters,
            )


def _is_enabled(settings: StackSettings, spec: ServiceSpec) -> bool:
    service = settings.services.get(spec.name)
    if service and service.enabled is not None:
        return service.enabled
    return spec.profile is None or spec.profile in settings.profiles


def _unknown_names(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> Iterator[Problem]:
    """Yield a problem for each service, profile, client and tool that the stack's file names but that does not exist.

    `catalog` has the stack's values, so the scopes of clients are checked against the contract that was promoted into
    the stack, which may be older than the lock files.
    """
    file = stack_file(settings.stack)
    for name in settings.services:
        if name not in catalog:
            yield Problem("no_such_service", file, ("services", name), parameters={"known": listed(catalog)})
    service_profiles = (spec.profile for spec in catalog.values() if spec.profile)
    profiles = sorted({*BUILT_IN_PROFILES, *service_profiles})
    for profile in settings.profiles:
        if profile not in profiles:
            parameters = {"profile": profile, "known": listed(profiles)}
            yield Problem("no_such_profile", file, ("profiles",), parameters=parameters)
    for name, client in settings.clients.items():
        yield from client.unknown_scopes(file, name, catalog)
    yield from _unknown_names_of_logins(settings, catalog)
    for name in settings.tokens:
        if name not in settings.clients:
            path, parameters = ("tokens", name), {"known": listed(settings.clients)}
            yield Problem("no_such_client", file, path, parameters=parameters)


def _unknown_names_of_logins(settings: StackSettings, catalog: Mapping[str, ServiceSpec]) -> Iterator[Problem]:
    """Yield a problem for each client and service that the settings of logins name but that does not exist."""
    oauth, file, path = settings.gateway.oauth, stack_file(settings.stack), ("gateway", "oauth")
    if oauth is None:
        return
    for alias, name, *keys in oauth.clients():
        if name not in settings.clients:
            parameters = {"known": listed(settings.clients)}
            yield Problem("no_such_client", file, (*path, "issuers", alias, *keys), name, parameters)
    for alias, issuer in oauth.issuers.items():
        yield from _unreachable(file, (*path, "issuers", alias), issuer)
    for scope in oauth.scopes:
        if scope.partition(":")[0] not in (WHOLE, *catalog):
            parameters = {"scope": scope, "known": listed(catalog)}
            yield Problem("oauth_scope_service", file, (*path, "scopes"), parameters=parameters)


def _unreachable(file: str, path: tuple[str, ...], issuer: IssuerSettings) -> Iterator[Problem]:
    """Yield a problem for each address of an identity provider that the hub, which is in a container, cannot fetch."""
    for keys, address in issuer.fetched():
        host = urlsplit(address).hostname or ""
        # A name below localhost can be that of a container.
        if is_loopback(host) and not host.endswith(".localhost"):
            message = "oauth_url_of_the_container" if keys == ("url",) else "oauth_address_of_the_container"
            yield Problem(message, file, (*path, *keys), address)
        elif is_private_host(host) and not issuer.private_addresses:
            allowed = yaml_lines((*path, "privateAddresses"), True, prefix=f"{NAMESPACE}:")
            yield Problem(
                "oauth_private_address", file, (*path, *keys), address, {"host": host}, instead=tuple(allowed)
            )


def _service_problems(settings: StackSettings, spec: ServiceSpec) -> Iterator[Problem]:
    """Yield what is wrong in the stack's file with a service that runs."""
    file, path = stack_file(settings.stack), ("services", spec.name)
    service = settings.services.get(spec.name)
    if settings.images == PINNED and not (service and service.image):
        parameters = {"promote": promotion(settings.stack)}
        yield Problem("pinned_image_missing", file, (*path, "image"), parameters=parameters)
    yield from secret_problems(
        file, settings.stack, spec, settings.secrets(spec.name), runs_without=settings.runs_without_secrets(spec)
    )
    replicas = (*path, "replicas")
    if spec.replicas > spec.max_replicas:
        yield Problem(
            "too_many_replicas",
            file,
            replicas,
            spec.replicas,
            {"most": spec.max_replicas, "service": spec.name},
            instead=tuple(yaml_lines(replicas, spec.max_replicas, prefix=f"{NAMESPACE}:")),
        )
    elif spec.replicas > 1 and spec.account_limits and not (spec.cache and settings.has(CACHE)):
        code = "replicas_without_redis" if spec.cache else "replicas_without_cache"
        with_cache = yaml_lines(("profiles",), [*settings.profiles, CACHE], prefix=f"{NAMESPACE}:")
        single = yaml_lines(replicas, 1, prefix=f"{NAMESPACE}:")
        yield Problem(
            code,
            file,
            replicas,
            spec.replicas,
            {"service": spec.name},
            instead=tuple(with_cache if spec.cache else single),
        )
    if settings.contracts == ENFORCED and not spec.contract_sha256:
        lock_file = f"mcp-servers/{spec.name}/{LOCK_FILE}"
        yield Problem("contract_missing", lock_file, parameters={"service": spec.name})
