"""Makes the inputs of the gateway's configuration from a stack's settings and services."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.rendering.console.scope import console_client
from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayConsole, GatewayHub, GatewayNetworks, GatewayService
from infra.schema.problems import ConfigurationError, Problem, UnusableValue
from infra.schema.system_errors import reason
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
    console_token: str | None = None,
) -> dict[str, str]:
    """Return the gateway's rendered configuration, by relative path. `hashes` are the SHA-256 of each client's tokens,
    `console_token` that of the console's token, None for a stack without the console.

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
        console = None
        if console_token:
            clients.append(console_client(specs, console_token))
            console = GatewayConsole(settings.sends_traces)
        return render(settings.gateway, services, clients, networks, hub=hub, console=console)
    except UnusableValue as error:
        client = error.parameters.get("client")
        path = ("clients", str(client)) if client in settings.clients else ("gateway",)
        problem = Problem(error.message, stack_file(settings.stack), path, parameters=error.parameters)
        raise ConfigurationError(problem) from error


def check(settings: StackSettings, specs: Sequence[ServiceSpec], hub: GatewayHub | None) -> None:
    """Raise ConfigurationError for settings that the gateway cannot use, before there are any tokens."""
    hashes = {client: [hashlib.sha256(client.encode()).hexdigest()] for client in settings.clients}
    console = hashlib.sha256(b"the console").hexdigest() if settings.has_console else None
    configuration(settings, specs, hashes, hub=hub, console_token=console)


def tls_files(settings: StackSettings) -> dict[str, str]:
    """Return the text of the files that gateway.tls names, by key: certificateFile and keyFile, or acmeCaFile.

    Raises ConfigurationError naming a file that cannot be used.
    """
    tls = settings.gateway.tls
    paths = {"certificateFile": tls.certificate_file, "keyFile": tls.key_file, "acmeCaFile": tls.acme_ca_file}
    texts = {}
    for key, path in paths.items():
        if path is not None:
            keys = ("gateway", "tls", key)
            texts[key] = pem_file(settings, keys, path, is_authority=key == "acmeCaFile")
    return texts


def pem_file(settings: StackSettings, keys: tuple[str, ...], path: str, *, is_authority: bool) -> str:
    """Return the text of a PEM file to which the stack's setting `keys` refers; `path` is relative to the repository.

    `is_authority` says that it must have certificates. Raises ConfigurationError naming the file.
    """
    try:
        file = REPOSITORY / Path(path).expanduser()
    except RuntimeError:
        # There is no user of the name after ~.
        file = REPOSITORY / path
    parameters = {"path": str(file)}
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        message = next((message for kind, message in _UNREADABLE.items() if isinstance(error, kind)), "not_readable")
        parameters["reason"] = reason(error)
        raise ConfigurationError(Problem(message, stack_file(settings.stack), keys, path, parameters)) from None
    if is_authority:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError):
            problem = Problem("file_without_certificate", stack_file(settings.stack), keys, path, parameters)
            raise ConfigurationError(problem) from None
    return text


#: By the error of reading a file, the message about it; any other error is told in its words.
_UNREADABLE: Mapping[type[Exception], str] = {
    FileNotFoundError: "no_file",
    IsADirectoryError: "file_is_folder",
    PermissionError: "file_forbidden",
    UnicodeDecodeError: "file_not_pem",
}


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
