"""Checks name, port and title of a new service, and derives identifiers from its name."""

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
    """The identifiers of a service, whose `name` has lower-case letters, digits and hyphens."""

    name: str

    @property
    def snake(self) -> str:
        """The prefix of its tools' names."""
        return self.name.replace("-", "_")

    @property
    def package(self) -> str:
        """The name of its Python package."""
        return f"{self.snake}_server"

    @property
    def upper(self) -> str:
        """The prefix of its environment variables."""
        return self.snake.upper()

    @property
    def camel(self) -> str:
        """Its name in class names and prose."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def checked_name(text: str, folders: set[str]) -> str:
    """Return `text` as the name of a new service; `folders` are the names of all folders in mcp-servers/.

    Raises typer.TyperException that says what to write instead.
    """
    name = text.strip()
    if not name:
        raise typer.TyperException(tr("the service needs a name, such as weibo"))
    if not NAME_PATTERN.fullmatch(name) or name.endswith("-") or "--" in name:
        near = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"^[^a-z]+", "", name.lower())))[:31].rstrip("-")
        instead = tr(", such as {near}", near=near) if near else ""
        raise typer.TyperException(
            tr(
                "service name {name!r} cannot be used: use lower-case letters, digits and single hyphens, a "
                "letter first, at most 31 characters{instead}",
                name=name,
                instead=instead,
            )
        )
    if name == "dyber" or name.startswith("dyber-"):
        raise typer.TyperException(
            tr(
                "service name {name!r} cannot be used: its variables would begin with DYBER_, as the kit's do",
                name=name,
            )
        )
    if reason := reserved_names.problem_of_a_new_service(name):
        raise typer.TyperException(reason.text())
    if name in {folder.lower() for folder in folders}:
        raise typer.TyperException(tr("mcp-servers/{name} already exists; choose another name", name=name))
    return name


def checked_port(text: str, catalog: Mapping[str, ServiceSpec]) -> int:
    """Return `text` as the port of a new service besides those of `catalog`; '' means the lowest free port from 8003.

    Raises typer.TyperException that says what to write instead.
    """
    text = text.strip()
    taken = {spec.port: name for name, spec in catalog.items()}
    free = lowest_free_port(taken)
    if not text:
        return free
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) not in SERVICE_PORTS:
        raise typer.TyperException(
            tr(
                "port {text!r} cannot be used: it must be a number from {lowest} to {highest}, such as {free}",
                text=text,
                lowest=SERVICE_PORTS.start,
                highest=SERVICE_PORTS[-1],
                free=free,
            )
        )
    port = int(text)
    if port in GATEWAY_PORTS:
        raise typer.TyperException(tr("port {port} is used by the gateway; {free} is free", port=port, free=free))
    if port in taken:
        raise typer.TyperException(
            tr("port {port} is used by {service}; {free} is free", port=port, service=taken[port], free=free)
        )
    return port


def checked_title(text: str) -> str:
    """Return `text` as the title that users see: one line of 1 to 60 characters. Raises typer.TyperException."""
    title = text.strip()
    if not 1 <= len(title) <= 60 or not title.isprintable():
        raise typer.TyperException(
            tr("title {text!r} cannot be used: it must be one line of 1 to 60 characters", text=text)
        )
    return title
