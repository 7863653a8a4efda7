"""Says in sentences which services of a stack cannot be used as they are, and what would change that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cli.release.contracts import Concerns
from infra.settings import secrets
from messages import tr


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
