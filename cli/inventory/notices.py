"""Says in sentences which services of a stack cannot be used as they are, and what would change that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.services.catalog import SPEC_FILE, ServiceSpec
from infra.services.hidden_tools import READ_ONLY
from infra.settings import secrets
from infra.settings.stack import StackSettings
from messages import tr


@dataclass(frozen=True)
class Concerns:
    """What is the matter with the server behind a service that answers; texts, empty where nothing is.

    `differs` names what it lists unlike the lock; `unreachable` says why it could not be asked.
    """

    differs: str = ""
    unreachable: str = ""


def missing_secrets(stack: str, lacking: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a line for each secret that a service requires and the stack does not give, with the command that sets it.

    `lacking` are the missing secrets by service.
    """
    for service, names in lacking.items():
        for name in names:
            yield tr(
                "{service} refuses all calls until its secret {name} is set and deployed: {command}",
                service=service,
                name=name,
                command=secrets.command(stack, service, name),
            )


def wholly_hidden(settings: StackSettings, specs: Iterable[ServiceSpec]) -> Iterator[str]:
    """Yield a line for each service of others of which agents see no tool, as all of them count as writing."""
    for spec in specs:
        hidden = settings.hidden_tools(spec) if spec.source else ()
        if hidden and len(hidden) == len(settings.with_stack_values(spec).tools):
            path = f"services.{spec.name}.environment.{READ_ONLY}"
            yield tr(
                "{service}: all of its {count} tools count as writing, so agents see none. If a tool only reads, write it "
                "below source.tools in {file}, such as {tool}: read, and deploy again; if writing is wanted: {command}",
                service=spec.name,
                count=len(hidden),
                file=f"mcp-servers/{spec.name}/{SPEC_FILE}",
                tool=hidden[0],
                command=f"./deploy.sh config set {path} false -s {settings.stack}",
            )


def in_short(concerns: Concerns) -> str:
    """Return in few words what is the matter with the server behind a service."""
    return tr("the server behind it cannot be reached") if concerns.unreachable else tr("its tools differ")


def behind(stack: str, found: Mapping[str, Concerns]) -> Iterator[str]:
    """Yield a line for everything that is the matter with the servers behind services, with the next step."""
    for service, concerns in found.items():
        if concerns.unreachable:
            yield tr(
                "{service}: the server behind it cannot be reached: {reason}",
                service=service,
                reason=concerns.unreachable,
            )
        if concerns.differs:
            yield tr(
                "{service}: the server behind it lists other tools than the contract has ({names}); see: {command}",
                service=service,
                names=concerns.differs,
                command=f"./deploy.sh tools diff {service} -s {stack}",
            )
