"""From a stack's settings and services to what the gateway's configuration is rendered from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.rendering import gateway_config
from infra.rendering.gateway_model import GatewayClient, GatewayService, GatewaySettings
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec
from infra.services.ports import MONITORING_PORT
from infra.settings.addresses import IPV4_LOOPBACK
from infra.settings.profiles import CACHE, MONITORING
from infra.settings.stack import StackSettings, stack_file

#: Paths in a stack's file are relative to the folder that holds it.
REPOSITORY = Path(__file__).resolve().parents[2]
HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT = 80, 443, 8080
REDIS_PORT = 6379
DAY_SECONDS = 86_400


def configuration(
    settings: StackSettings,
    specs: Sequence[ServiceSpec],
    hashes: Mapping[str, Sequence[str]],
    trusted_proxies: Sequence[str] = (),
    monitoring_networks: Sequence[str] = (),
) -> dict[str, str]:
    """The gateway's rendered configuration, by relative path.

    `hashes` are the SHA-256 of each client's tokens, `trusted_proxies` the networks of the fronts,
    `monitoring_networks` those of what may read metrics.
    Raises ConfigurationError for what the gateway cannot take.
    """
    try:
        return gateway_config.render(
            gateway_settings(settings, trusted_proxies, monitoring_networks),
            [_service(settings, spec) for spec in specs],
            [
                GatewayClient(client, tuple(values), settings.clients[client].services)
                for client, values in hashes.items()
            ],
        )
    except ValueError as error:
        raise ConfigurationError(f"{stack_file(settings.stack)}: gateway: {error}") from error


def gateway_settings(
    settings: StackSettings, trusted_proxies: Sequence[str] = (), monitoring_networks: Sequence[str] = ()
) -> GatewaySettings:
    """What the gateway as a whole needs to know. Raises ValueError for unusable values."""
    own = settings.gateway
    return GatewaySettings(
        server_names=(*own.server_names, *own.own_names),
        any_address=own.on_every_address,
        # A page that came through a proxy with TLS names an origin that the gateway could not know.
        allowed_origins=(*own.allowed_origins, *([own.public_url] if own.public_url else [])),
        max_body_mib=own.max_body_mib,
        body_memory_mib=own.body_memory_mib,
        burst=own.limits.burst,
        streams_per_client=own.limits.streams_per_client,
        refused_per_minute=own.limits.refused_per_minute,
        breaker_failures=own.breaker.failures,
        breaker_seconds=own.breaker.seconds,
        https_redirect=own.public(HTTPS_PORT) if own.https_redirect else None,
        hsts_seconds=own.tls.hsts_days * DAY_SECONDS,
        open_docs=own.open_docs,
        certificate=own.tls.source,
        trusted_proxies=tuple(trusted_proxies),
        debug=own.debug,
        monitoring_networks=tuple(monitoring_networks),
    )


#: Port on the host, and the host's addresses on which it is published.
Published = tuple[int, tuple[str, ...]]


def published_ports(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[int, Published]:
    """Return where everything that the stack publishes is on the host, by the port inside."""
    port, address = redis_port(settings)
    redis: dict[int, Published] = {REDIS_PORT: (port, (address,))} if settings.has(CACHE) else {}
    return {**gateway_ports(settings, specs), **redis}


def published_addresses(settings: StackSettings, specs: Sequence[ServiceSpec]) -> list[tuple[str, int]]:
    """Every (address, port) of the host that the stack publishes something on."""
    ports = published_ports(settings, specs).values()
    return [(address, port) for port, addresses in ports for address in addresses]


def redis_port(settings: StackSettings) -> tuple[int, str]:
    """Return (port on the host, address) of Redis, which no front holds, so that it has one address."""
    return settings.gateway.public(REDIS_PORT), IPV4_LOOPBACK


def on_loopback(settings: StackSettings, port: int) -> Published:
    """Return where a port is that stays on this machine, whatever address the gateway is bound to."""
    return settings.gateway.public(port), settings.gateway.loopback


def gateway_ports(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[int, Published]:
    """Return where everything behind the gateway is on the host, by the gateway's own port.

    The old direct ports stay on loopback whatever address the gateway is bound to; so does the plain development
    port where plain HTTP is sent to HTTPS.
    """
    own = settings.gateway
    development = own.loopback if own.https_redirect else own.addresses
    ports = {
        HTTP_PORT: (own.public(HTTP_PORT), own.addresses),
        HTTPS_PORT: (own.public(HTTPS_PORT), own.addresses),
        DEVELOPMENT_PORT: (own.public(DEVELOPMENT_PORT), development),
    }
    if settings.has(MONITORING):
        ports[MONITORING_PORT] = on_loopback(settings, MONITORING_PORT)
    return {**ports, **{spec.port: on_loopback(settings, spec.port) for spec in specs}}


def tls_files(settings: StackSettings) -> dict[str, str]:
    """Text of the files that gateway.tls names, by key: certificateFile and keyFile, or acmeCaFile; {} for neither.

    Raises ConfigurationError naming a file that cannot be read.
    """
    own = settings.gateway.tls
    named = {"certificateFile": own.certificate_file, "keyFile": own.key_file, "acmeCaFile": own.acme_ca_file}
    texts = {}
    for key, path in named.items():
        if path is None:
            continue
        try:
            texts[key] = (REPOSITORY / Path(path).expanduser()).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not PEM"
            raise ConfigurationError(
                f"{stack_file(settings.stack)}: gateway.tls.{key} = {path!r}: 读不了这个文件 / cannot be read: {reason}"
            ) from None
    return texts


def _service(settings: StackSettings, spec: ServiceSpec) -> GatewayService:
    return GatewayService(
        name=spec.name,
        port=spec.port,
        title=spec.title,
        max_call_seconds=spec.max_call_seconds,
        replicas=spec.replicas,
        read_tools=tuple(name for name, reads in spec.tools.items() if reads),
        write_tools=tuple(name for name, reads in spec.tools.items() if not reads),
        once_tools=spec.once_tools,
        requests_per_second=settings.requests_per_second(spec.name),
    )
