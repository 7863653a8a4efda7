"""Tells which sources of services have newer versions; this asks registries, so it is done only when a user asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cli.services.adding.updating import newest
from cli.system.errors import StackError
from cli.terminal.console import Activities
from infra.services.catalog import ServiceSpec
from toolchain.home import DyberHome


@dataclass(frozen=True)
class SourceState:
    """The source of a service: its locked version and the newest one, or why the newest one is not known."""

    service: str
    kind: str
    reference: str
    locked: str
    newest: str = ""
    problem: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether there is a newer version than the locked one."""
        return bool(self.newest) and self.newest != self.locked

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "service": self.service,
            "kind": self.kind,
            "reference": self.reference,
            "locked": self.locked,
            "newest": self.newest or None,
            "outdated": self.is_outdated,
            "problem": self.problem or None,
        }


def states(specs: Iterable[ServiceSpec], home: DyberHome, display: Activities) -> list[SourceState]:
    """Return the state of each service with a source; a registry that does not answer is told in the state."""
    result = []
    for spec in specs:
        if spec.source is None:
            continue
        source = spec.source
        known = (spec.name, source.kind, source.reference, source.version)
        if source.kind == "url":
            result.append(SourceState(*known))
            continue
        try:
            result.append(SourceState(*known, newest=newest(source, "", home, display).version))
        except StackError as error:
            result.append(SourceState(*known, problem=error.message.partition("\n")[0]))
    return result
