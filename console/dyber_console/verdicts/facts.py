"""Gathers what the rules judge: one plain object per service, and one for the deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dyber_console.intake.live import ServiceStatus
from dyber_console.intake.otlp_export import ExportState
from dyber_console.records.failures import Failure

_ADDITION = re.compile(r"[（(][^（(]*[)）]\s*$")
_SHORT = 28


@dataclass(frozen=True)
class Account:
    """Says whether an account of a service is logged in, since when, and how long earlier logins lasted.

    Attributes:
        logged_in: None while it is unknown.
        since: When that began, in seconds since 1970.
        lasted: How long the login lasted that was lost last, in seconds.
        was_in: Whether the account was ever seen logged in.
    """

    name: str
    logged_in: bool | None
    since: float | None = None
    lasted: float | None = None
    was_in: bool = False


@dataclass(frozen=True)
class End:
    """Says why a container ended by itself; the engine started it again.

    Attributes:
        at: When, in seconds since 1970.
        out_of_memory: Whether the engine killed it at its limit.
        memory_mib: The limit that it had; None when that is unknown.
    """

    at: float
    out_of_memory: bool
    memory_mib: int | None = None


@dataclass(frozen=True)
class ServiceFacts:
    """Holds the facts about a service.

    Attributes:
        title: Its name for people.
        status: What the gateway said last; None for a service that it does not know.
        down_since: Since when no replica is ready, or None.
        failure: The newest failure of its calls that still holds; without one, the newest that is over.
        other_failures: Failures of other kinds that still hold, the newest first.
        qr_login: Whether it has tools for a login by QR code.
        secrets: The secrets that it declares.
        missing_secrets: Those that it requires and that its deployment did not give.
        changed_tools: How many of its running tools differ from the locked contract; None when that is unknown.
        grave_findings: How many texts of its contract would stop a deployment.
        memory_mib: Its limit of memory.
        digest: Digest of its image.
        end: The newest end of a container by itself, as the engine told the command.
    """

    name: str
    title: str
    status: ServiceStatus | None = None
    down_since: float | None = None
    failure: Failure | None = None
    other_failures: tuple[Failure, ...] = ()
    accounts: tuple[Account, ...] = ()
    qr_login: bool = False
    secrets: tuple[str, ...] = ()
    missing_secrets: tuple[str, ...] = ()
    changed_tools: int | None = None
    grave_findings: int = 0
    is_foreign: bool = False
    memory_mib: int | None = None
    digest: str | None = None
    end: End | None = None

    @property
    def short(self) -> str:
        """Return its name for sentences and narrow places: without an addition in brackets."""
        return _ADDITION.sub("", self.title).strip()[:_SHORT] or self.title


@dataclass(frozen=True)
class Facts:
    """Holds the facts about the deployment.

    Attributes:
        now: Seconds since 1970.
        status_age: Age of the gateway's status in seconds; None before the first.
        lost_since: Since when the gateway has not answered.
        certificate_end: When the gateway's certificate ends, in seconds since 1970.
        backup_at: When the last backup was made.
        drift: How many differences the last search for drift found; None when none was made.
        drift_at: When that was.
        hub: What the gateway said last about the hub; None without a hub.
        export: How passing spans on to the user's collector goes; None without a collector.
        part_ends: The newest end of a container by itself, by part that is no service, such as the hub.
    """

    now: float
    stack: str
    services: tuple[ServiceFacts, ...] = ()
    status_age: float | None = None
    lost_since: float | None = None
    certificate_end: float | None = None
    backup_at: float | None = None
    drift: int | None = None
    drift_at: float | None = None
    hub: ServiceStatus | None = None
    part_ends: Mapping[str, End] = field(default_factory=dict)
    counted_since: float | None = field(default=None)
    export: ExportState | None = None
