"""What a new service may be called, which port it may have, and the identifiers that follow from its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import typer

from infra.services import reserved_names
from infra.services.catalog import NAME_PATTERN, SERVICE_PORTS, ServiceSpec, lowest_free_port
from infra.services.ports import GATEWAY_PORTS
from messages import tr


@dataclass(frozen=True)
class Identifiers:
    """What a service called `name` (lower-case letters, digits, hyphens) is called where hyphens cannot be."""

    name: str

    @property
    def snake(self) -> str:
        """First part of its tools' names."""
        return self.name.replace("-", "_")

    @property
    def package(self) -> str:
        """Its Python package."""
        return f"{self.snake}_server"

    @property
    def upper(self) -> str:
        """First part of its environment variables."""
        return self.snake.upper()

    @property
    def camel(self) -> str:
        """In class names and prose."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def checked_name(text: str, folders: set[str]) -> str:
    """`text` as the name of a new service; `folders` are those in mcp-servers/, whatever is in them.

    Raises typer.TyperException saying what to write instead.
    """
    name = text.strip()
    if not name:
        raise typer.TyperException(tr("the service needs a name, such as weibo"))
    if not NAME_PATTERN.fullmatch(name) or name.endswith("-") or "--" in name:
        near = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"^[^a-z]+", "", name.lower())))[:31].rstrip("-")
        instead = tr(", such as {near}", near=near) if near else ""
        raise typer.TyperException(
            tr(
                "service name {name!r} cannot be used: lower-case letters, digits and single hyphens, a letter "
                "first, at most 31 characters{instead}",
                name=name,
                instead=instead,
            )
        )
    if reason := reserved_names.problem_of_a_new_service(name):
        raise typer.TyperException(reason.text())
    if name in {folder.lower() for folder in folders}:
        raise typer.TyperException(tr("mcp-servers/{name} is there already; choose another name", name=name))
    return name


def checked_port(text: str, catalog: Mapping[str, ServiceSpec]) -> int:
    """`text` as the port of a new service beside those of `catalog`; empty is the lowest free one from 8003.

    Raises typer.TyperException saying what to write instead.
    """
    text = text.strip()
    taken = {spec.port: name for name, spec in catalog.items()}
    free = lowest_free_port(taken)
    if not text:
        return free
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) not in SERVICE_PORTS:
        raise typer.TyperException(
            tr(
                "port {text!r} cannot be used: a number from {start} to {service_ports}, such as {free}",
                text=text,
                start=SERVICE_PORTS.start,
                service_ports=SERVICE_PORTS[-1],
                free=free,
            )
        )
    port = int(text)
    if port in GATEWAY_PORTS:
        raise typer.TyperException(tr("port {port} is the gateway's own; {free} is free", port=port, free=free))
    if port in taken:
        raise typer.TyperException(
            tr("port {port} is taken by {taken}; {free} is free", port=port, taken=taken[port], free=free)
        )
    return port


def checked_title(text: str) -> str:
    """`text` as the title shown to people, 1 to 60 characters on one line. Raises typer.TyperException."""
    title = text.strip()
    if not 1 <= len(title) <= 60 or not title.isprintable():
        raise typer.TyperException(tr("title {text!r} cannot be used: one line, 1 to 60 characters", text=text))
    return title
