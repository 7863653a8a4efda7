"""Gathers the facts for the rules from the records, the newest states, and the files of deployments."""

from __future__ import annotations

from dataclasses import replace

from dyber_console.intake.deployment import Deployment
from dyber_console.intake.files import Event
from dyber_console.records import changes, usage
from dyber_console.records.changes import StateChange
from dyber_console.records.failures import UNANSWERED, Failure, failures
from dyber_console.state import Console
from dyber_console.tools import contracts
from dyber_console.verdicts.facts import Account, End, Facts, ServiceFacts

#: The usual order of stacks; others come before them.
_ORDER = ("dev", "test", "prod")


def facts(console: Console) -> Facts:
    """Return the facts of this moment."""
    now = console.live.clock()
    names = sorted({*console.live.services, *console.files.deployment.services})
    ends = {name: _end(event) for name, event in console.files.ends().items()}
    backup, drift = console.files.newest("backup"), console.files.newest("drift")
    return Facts(
        now=now,
        stack=console.settings.stack,
        services=tuple(_service(console, name, ends.get(name)) for name in names),
        status_age=console.live.status_age(),
        lost_since=console.live.lost_since,
        certificate_end=console.live.metrics.value("dyber_gateway_certificate_end_seconds"),
        backup_at=backup.at if backup else None,
        drift=len(drift.content.get("differences") or ()) if drift else None,
        drift_at=drift.at if drift else None,
        hub=console.live.hub,
        export=console.export.state if console.export else None,
        part_ends={name: end for name, end in ends.items() if name not in names},
        counted_since=usage.first_known(console.store),
    )


def title(console: Console, name: str) -> str:
    """Return the name of a service for people."""
    deployed = console.files.deployment.services.get(name)
    return deployed.title if deployed else name


def stacks(console: Console) -> dict[str, Deployment]:
    """Return all stacks that this machine knows by name, in the order in which changes go through them."""
    here = console.settings.stack
    known = {**console.files.stacks(), here: console.files.deployment}
    return {name: known[name] for name in sorted(known, key=_place)}


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else -1, name)


def _service(console: Console, name: str, end: End | None) -> ServiceFacts:
    deployed = console.files.deployment.services.get(name)
    status = console.live.services.get(name)
    last = changes.last_state(console.store, name)
    accounts = tuple(account(console, name, each) for each in changes.accounts(console.store, name))
    found = [_judged(failure, last, accounts) for failure in failures(console.store, name)]
    ranked = sorted(found, key=lambda failure: failure.is_over)
    return ServiceFacts(
        name=name,
        title=deployed.title if deployed else name,
        status=status,
        down_since=last.at if last and last.state == "down" else None,
        failure=ranked[0] if ranked else None,
        other_failures=tuple(failure for failure in ranked[1:] if not failure.is_over),
        accounts=accounts,
        qr_login=console.logins.login_tools(name) is not None,
        secrets=deployed.secrets if deployed else (),
        missing_secrets=deployed.missing_secrets if deployed else (),
        changed_tools=changed_tools(console, name),
        grave_findings=sum(finding.is_grave for finding in console.files.findings().get(name, ())),
        is_foreign=deployed.is_foreign if deployed else False,
        memory_mib=deployed.memory_mib if deployed else None,
        digest=deployed.digest if deployed else None,
        end=end,
    )


def _judged(failure: Failure, last: StateChange | None, accounts: tuple[Account, ...]) -> Failure:
    """Return a failure, which is over also if the service answers again, or its account was logged in, since then."""
    outcome, at = failure.call.outcome, failure.call.at
    was_away = outcome in (*UNANSWERED, "service_timeout")
    came_up = was_away and last is not None and last.state == "up" and last.at > at
    logged_in = outcome.startswith("LOGIN_") and any(each.logged_in and (each.since or 0) > at for each in accounts)
    return replace(failure, is_over=True) if came_up or logged_in else failure


def _end(event: Event) -> End:
    memory = event.content.get("memory_mib")
    out_of_memory = event.content.get("reason") == "out_of_memory"
    return End(event.at, out_of_memory, memory if isinstance(memory, int) else None)


def changed_tools(console: Console, name: str) -> int | None:
    """Return how many of a service's tools differ from its contract; None when either is not known."""
    locked, listing = console.files.contracts().get(name), console.tools.listings.get(name)
    if locked is None or listing is None:
        return None
    return len({change.tool for change in contracts.differences(locked, listing.tools)})


def account(console: Console, service: str, name: str) -> Account:
    """Return what the records say about an account's login."""
    known = changes.logins(console.store, service, name)
    if not known:
        return Account(name, None)
    newest = known[0]
    gained = [change for change in known if change.logged_in]
    lasted = newest.at - gained[0].at if gained and not newest.logged_in else None
    return Account(name, newest.logged_in, newest.at, lasted, bool(gained))
