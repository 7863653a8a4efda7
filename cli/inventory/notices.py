"""Says in sentences which services of a stack cannot be used as they are, and what would change that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
