"""Asks the Docker engine for containers, networks, volumes and images, and removes what a killed run left behind.

Only containers and networks with our labels are ever changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.engine.errors import EngineError, NotOnEngine

if TYPE_CHECKING:
    from infra.engine.connection import Client

__all__ = ["EngineError", "NotOnEngine"]


def asking(seconds: float | None = None) -> AbstractContextManager[Client]:
    """Give the client of Docker's SDK for the engine, which has `seconds` for each answer.

    Whatever fails inside is an EngineError (see cli.engine.client).
    """
    from cli.engine import client

    return client.asking(seconds)


def containers(*filters: str, all_states: bool = True) -> list[dict[str, Any]]:
    """Return the engine's descriptions of the containers that match `filters`, such as `label=dyber.stack=dev`."""
    described = []
    for item in listed_containers(*filters, all_states=all_states):
        # A container may be removed after it was listed.
        with suppress(NotOnEngine), asking() as client:
            described.append(dict(client.inspect_container(item["Id"])))
    return described


def listed_containers(*filters: str, all_states: bool = True) -> list[dict[str, Any]]:
    """Return the engine's list of the containers that match `filters`: `Id`, `Names`, `Labels`, `Mounts`, `State`."""
    with asking() as client:
        return list(client.containers(all=all_states, filters=_by_kind(filters)))


def labelled_networks(*filters: str) -> list[tuple[str, str, str]]:
    """Return (deployment, id, name) of the networks that match `filters`; one of these has to be a label of ours."""
    with asking() as client:
        listed = client.networks(filters=_by_kind(filters))
    return [(item["Labels"].get("dyber.deployment", ""), item["Id"], item["Name"]) for item in listed]


def volumes(*filters: str) -> list[dict[str, Any]]:
    """Return the volumes that match `filters`, each with `Name`, `Labels`, `CreatedAt`."""
    with asking() as client:
        return list(client.volumes(filters=_by_kind(filters))["Volumes"] or [])


def volume_labels(name: str) -> dict[str, str]:
    """Return the labels of a volume. Raises NotOnEngine, EngineError."""
    with asking() as client:
        return dict(client.inspect_volume(name)["Labels"] or {})


def volume_sizes() -> dict[str, int]:
    """Return the bytes in each volume whose size the engine knows."""
    with asking() as client:
        listed = client.df()["Volumes"] or []
    sizes = {item["Name"]: (item.get("UsageData") or {}).get("Size", -1) for item in listed}
    return {name: size for name, size in sizes.items() if size >= 0}


def images() -> dict[str, str]:
    """Return the ids of all images by their names with tags."""
    with asking() as client:
        return {name: item["Id"] for item in client.images() for name in item["RepoTags"] or ()}


def published(container: dict[str, Any]) -> set[tuple[str, int]]:
    """Return (address, port) of the TCP ports of the host that a container publishes; '' is every address.

    Of a running container they are the real ports, also where it let the engine choose one.
    """
    real = container.get("NetworkSettings", {}).get("Ports")
    bindings = real or container.get("HostConfig", {}).get("PortBindings") or {}
    return {
        (item.get("HostIp", ""), int(item["HostPort"]))
        for port, items in bindings.items()
        for item in items or []
        if not port.endswith(("/udp", "/sctp")) and str(item.get("HostPort", "")).isdigit()
    }


def deployment_filter(deployment: str) -> str:
    """Return the filter for what one stack's state owns (infra.components.docker.defaults.StackIdentity)."""
    return f"label=dyber.deployment={deployment}"


@dataclass(frozen=True)
class Leftovers:
    """Containers and networks of a deployment that its state does not know: names by id."""

    containers: Mapping[str, str]
    networks: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks)


def leftovers(deployment: str, known_ids: set[str]) -> Leftovers:
    """Return the containers and networks of `deployment` that are not among `known_ids`; a killed run leaves such."""
    label = deployment_filter(deployment)
    containers = {item["Id"]: item["Names"][0].lstrip("/") for item in listed_containers(label)}
    networks = {identity: name for _, identity, name in labelled_networks(label)}
    return Leftovers(
        {identity: name for identity, name in containers.items() if identity not in known_ids},
        {identity: name for identity, name in networks.items() if identity not in known_ids},
    )


def sweep(deployment: str, known_ids: set[str]) -> list[str]:
    """Remove the leftovers of `deployment`, and return their names. Volumes are never removed."""
    unknown = leftovers(deployment, known_ids)
    for container in unknown.containers:
        with suppress(NotOnEngine), asking() as client:
            client.remove_container(container, force=True)
    for network in unknown.networks:
        with suppress(NotOnEngine), asking() as client:
            client.remove_network(network)
    return [*unknown.containers.values(), *unknown.networks.values()]


def log_tail(container: str, lines: int) -> str:
    """Return the last lines that a container wrote to its standard output and its error output. Raises EngineError."""
    with asking() as client:
        return bytes(client.logs(container, tail=lines)).decode("utf-8", errors="replace")


def _by_kind(filters: Iterable[str]) -> dict[str, list[str]]:
    """Return filters such as `label=a=b` in the form of the engine's interface."""
    by_kind: dict[str, list[str]] = {}
    for item in filters:
        kind, _, value = item.partition("=")
        by_kind.setdefault(kind, []).append(value)
    return by_kind
