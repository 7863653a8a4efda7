"""Makes the inputs of the gateway's configuration from a stack's settings and services."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayHub, GatewayNetworks, GatewayService
from infra.schema.problems import ConfigurationError, Problem, UnusableValue
from infra.services.catalog import ServiceSpec
from infra.settings.names import stack_file
from infra.settings.stack import StackSettings

#: Paths in a stack's file are relative to the folder that holds it.
REPOSITORY = Path(__file__).resolve().parents[3]


def configuration(
    settings: StackSettings,
    specs: Sequence[ServiceSpec],
    hashes: Mapping[str, Sequence[str]],
    networks: GatewayNetworks = GatewayNetworks(),
    hub: GatewayHub | None = None,
) -> dict[str, str]:
    """Return the gateway's rendered configuration, by relative path. `hashes` are the SHA-256 of each client's tokens.

    Raises ConfigurationError for settings that the gateway cannot use.
    """
    try:
        services = [_service(settings, spec) for spec in specs]
        clients = [
            GatewayClient(
                client,
                tuple(values),
                settings.clients[client].services,
                accounts=settings.clients[client].accounts or {},
            )
            for client, values in hashes.items()
        ]
        return render(settings.gateway, services, clients, networks, hub=hub)
    except UnusableValue as error:
        client = error.parameters.get("client")
        path = ("clients", str(client)) if client in settings.clients else ("gateway",)
        problem = Problem(error.message, stack_file(settings.stack), path, parameters=error.parameters)
        raise ConfigurationError(problem) from error


def check(settings: StackSettings, specs: Sequence[ServiceSpec], hub: GatewayHub | None) -> None:
    """Raise ConfigurationError for settings that the gateway cannot use, before there are any tokens."""
    hashes = {client: [hashlib.sha256(client.encode()).hexdigest()] for client in settings.clients}
    configuration(settings, specs, hashes, hub=hub)


def tls_files(settings: StackSettings) -> dict[str, str]:
    """Return the text of the files that gateway.tls names, by key: certificateFile and keyFile, or acmeCaFile.

    Raises ConfigurationError naming a file that cannot be read.
    """
    tls = settings.gateway.tls
    paths = {"certificateFile": tls.certificate_file, "keyFile": tls.key_file, "acmeCaFile": tls.acme_ca_file}
    texts = {}
    for key, path in paths.items():
        if path is None:
            continue
        try:
            texts[key] = (REPOSITORY / Path(path).expanduser()).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not PEM"
            problem = Problem(
                "not_readable", stack_file(settings.stack), ("gateway", "tls", key), path, {"reason": reason}
            )
            raise ConfigurationError(problem) from None
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
        enforces_scopes=spec.enforces_scopes,
        accounts=spec.accounts,
    )
