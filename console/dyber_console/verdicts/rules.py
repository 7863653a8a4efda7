"""Turns facts into the list of what is to be done, the worst first, with causes and next steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from dyber_console.intake.live import STATUS_STALE
from dyber_console.language import tr, tr_plural
from dyber_console.verdicts.codes import meaning
from dyber_console.verdicts.facts import Facts, ServiceFacts
from dyber_console.verdicts.memory import lacks_memory, out_of_memory
from dyber_console.verdicts.times import clock
from dyber_console.verdicts.todo import Grade as Grade
from dyber_console.verdicts.todo import Todo as Todo

_DAY = 86_400.0
#: Failures of the same kind in a row from which they are somebody's task.
_REPEATED = 3
#: How long after the last refusal a service still waits for its platform.
_WAITING_SECONDS = 900.0
_CERTIFICATE_DAYS = 14
_BACKUP_DAYS = 7
#: How long a collector may be away before it is somebody's task; it may be restarting.
_EXPORT_SECONDS = 60.0
#: How long before a service was seen down its container may have ended for it.
_BEFORE_DOWN_SECONDS = 900.0


def todos(facts: Facts) -> list[Todo]:
    """Return everything to do or to wait for, the worst first; nothing but the gateway while it is silent."""
    if is_lost(facts):
        return [_gateway_silent(facts)]
    found = [todo for service in facts.services for todo in _service_todos(facts, service)]
    found += _deployment_todos(facts)
    order = {rule: index for index, rule in enumerate(_ORDER)}
    return sorted(found, key=lambda todo: (todo.grade, order[todo.rule]))


def is_lost(facts: Facts) -> bool:
    """Return whether the gateway has been silent for so long that nothing is known."""
    if facts.lost_since is None:
        return False
    return facts.status_age is None or facts.now - facts.lost_since > STATUS_STALE


_ORDER = (
    "gateway", "hub", "down", "memory", "finding", "tools", "login", "captcha", "setting", "upstream", "failing",
    "replicas", "certificate", "backup", "drift", "export", "breaker", "waiting",
)  # fmt: skip


def _gateway_silent(facts: Facts) -> Todo:
    return Todo(
        Grade.BAD,
        "gateway",
        tr("The gateway's status cannot be read"),
        tr("unknown"),
        tr("See whether its container is there; if not, deploy again:"),
        commands=(f"./deploy.sh status -s {facts.stack}", f"./deploy.sh -s {facts.stack}"),
        page="overview",
    )


def _service_todos(facts: Facts, service: ServiceFacts) -> Iterator[Todo]:
    """Yield what is the matter with a service: that it is down, or everything else."""
    status = service.status
    if status is not None and status.total and status.ready == 0 and status.state != "unknown":
        yield _secrets(facts, service) if service.missing_secrets else _down(facts, service)
        return
    if service.end is not None and lacks_memory(facts, service.end, service.memory_mib):
        yield out_of_memory(facts, service.end, service.short, Grade.WARN, service.name)
    if service.grave_findings:
        yield _grave_findings(service)
    if service.changed_tools:
        yield _changed_tools(service)
    lost = [account for account in service.accounts if account.logged_in is False and account.was_in]
    found = [_login(facts, service)] if lost else _failure_todos(facts, service)
    if found:
        yield min(found, key=lambda todo: todo.grade)
    if status is not None and 0 < status.ready < status.total:
        yield Todo(
            Grade.WARN,
            "replicas",
            tr("{service} has fewer replicas than it should", service=service.short),
            tr("{ready} of {total} replicas", ready=status.ready, total=status.total),
            tr(
                "{ready} of {total} replicas answer. Look at what the others say:",
                ready=status.ready,
                total=status.total,
            ),
            service.name,
            (f"./deploy.sh logs {service.name} --tail 50 -s {facts.stack}",),
        )
    if status is not None and status.ready and status.breaker != "closed":
        yield Todo(
            Grade.WAIT,
            "breaker",
            tr("{service} is tried again by the gateway", service=service.short),
            tr("breaker open"),
            tr("It did not answer several calls in a row. The gateway tries again every few seconds; nothing to do."),
            service.name,
        )


def _failure_todos(facts: Facts, service: ServiceFacts) -> list[Todo]:
    """Return what follows from the failures of a service that still hold, the newest first."""
    known = [service.failure, *service.other_failures]
    lasting = [failure for failure in known if failure is not None and not failure.is_over]
    found = [
        _BY_CODE[failure.call.outcome](facts, replace(service, failure=failure))
        for failure in lasting
        if failure.call.outcome in _BY_CODE
    ]
    return [todo for todo in found if todo is not None]


def _down(facts: Facts, service: ServiceFacts) -> Todo:
    end = service.end
    if end is not None and lacks_memory(facts, end, service.memory_mib):
        if service.down_since is None or end.at >= service.down_since - _BEFORE_DOWN_SECONDS:
            return out_of_memory(facts, end, service.short, Grade.BAD, service.name)
    since = tr("since {time}, ", time=clock(service.down_since, facts.now)) if service.down_since else ""
    return Todo(
        Grade.BAD,
        "down",
        tr("{service} has stopped", service=service.short),
        tr("stopped"),
        tr("{since}no replica answers, so that its calls fail. Start it again, then see what it said:", since=since),
        service.name,
        _again(facts, service.name),
    )


def _again(facts: Facts, name: str) -> tuple[str, ...]:
    """Return the commands that start a part, also one that hangs, and show what it said."""
    return (f"./deploy.sh restart {name} -s {facts.stack}", f"./deploy.sh logs {name} --tail 50 -s {facts.stack}")


def _grave_findings(service: ServiceFacts) -> Todo:
    return Todo(
        Grade.WARN,
        "finding",
        tr("The tools of {service} may mislead agents", service=service.short),
        tr("suspicious tools"),
        tr_plural(
            "{count} grave finding in its contract. Review it; until then it is better switched off.",
            "{count} grave findings in its contract. Review them; until then it is better switched off.",
            service.grave_findings,
        ),
        service.name,
        page="tools",
        part="findings",
        button=tr("Show the findings"),
    )


def _changed_tools(service: ServiceFacts) -> Todo:
    count = service.changed_tools or 0
    return Todo(
        Grade.WARN,
        "tools",
        tr("The tools of {service} have changed", service=service.short),
        tr("tools changed"),
        tr_plural(
            "{count} running tool differs from the locked contract. Review it before agents use it.",
            "{count} running tools differ from the locked contract. Review them before agents use them.",
            count,
        ),
        service.name,
        page="tools",
        part=service.name,
        button=tr("Show the difference"),
    )


def _login(facts: Facts, service: ServiceFacts) -> Todo:
    failure = service.failure if service.failure and not service.failure.is_over else None
    lost = next((account for account in service.accounts if account.logged_in is False), None)
    sentences = []
    if lost is not None and lost.since is not None and lost.was_in:
        sentences.append(tr("The login expired at {time}.", time=clock(lost.since, facts.now)))
    if failure is not None and failure.call.outcome.startswith("LOGIN_"):
        sentences.append(
            tr_plural(
                "{count} call got {code} since.", "{count} calls got {code} since.", failure.count,
                code=failure.call.outcome,
            )
        )  # fmt: skip
    if service.qr_login:
        sentences.append(tr("Scan a code with the phone's app; it takes about a minute."))
    else:
        sentences.append(tr("Log in as the service's README says."))
    return Todo(
        Grade.WARN,
        "login",
        tr("{service} needs a new login", service=service.short),
        tr("login needed"),
        " ".join(sentences) if _spaces() else "".join(sentences),
        service.name,
        part="login" if service.qr_login else "",
        button=tr("Scan to log in") if service.qr_login else "",
    )


def _captcha(facts: Facts, service: ServiceFacts) -> Todo:
    return Todo(
        Grade.WARN,
        "captcha",
        tr("{service} needs a human verification", service=service.short),
        tr("verification needed"),
        tr(
            "The platform asks for it since {time}. Open the platform in your own browser and complete it; until then "
            "calls would make it worse.",
            time=clock(service.failure.since if service.failure else facts.now, facts.now),
        ),
        service.name,
    )


def _secrets(facts: Facts, service: ServiceFacts) -> Todo:
    missing = ", ".join(service.missing_secrets)
    return Todo(
        Grade.WARN,
        "setting",
        tr("{service} lacks the secret {names}", service=service.short, names=missing),
        tr("secret missing: {names}", names=missing),
        tr("It runs, but refuses all calls until the secret is set. Set it, then deploy again:"),
        service.name,
        (*_set_secrets(facts, service.name, service.missing_secrets), f"./deploy.sh -s {facts.stack}"),
    )


def _set_secrets(facts: Facts, service: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        f"./deploy.sh config set services.{service}.secrets.{name} --secret -s {facts.stack}" for name in names
    )


def _setting(facts: Facts, service: ServiceFacts) -> Todo:
    lacking = service.failure.settings if service.failure else ()
    commands = tuple(
        command
        for name in lacking or service.secrets
        for command in (
            _set_secrets(facts, service.name, [name])
            if name in service.secrets
            else [f"./deploy.sh config set services.{service.name}.environment.{name} <{tr('VALUE')}> -s {facts.stack}"]
        )
    )
    return Todo(
        Grade.WARN,
        "setting",
        tr("{service} lacks a setting", service=service.short),
        tr("setting missing"),
        tr("Set it, then deploy again; the service's README says where the value comes from."),
        service.name,
        (*commands, f"./deploy.sh -s {facts.stack}"),
    )


def _upstream(facts: Facts, service: ServiceFacts) -> Todo | None:
    if service.failure is None or service.failure.count < _REPEATED:
        return None
    return Todo(
        Grade.WARN,
        "upstream",
        tr("{service} cannot read the platform's pages", service=service.short),
        tr("pages changed"),
        tr("The platform has changed them. Update the service; if it is up to date, report the problem."),
        service.name,
        ("git pull", f"./deploy.sh -s {facts.stack}"),
    )


def _failing(facts: Facts, service: ServiceFacts) -> Todo | None:
    if service.failure is None or service.failure.count < _REPEATED:
        return None
    return Todo(
        Grade.WARN,
        "failing",
        tr("{service} fails again and again", service=service.short),
        tr("failing"),
        tr_plural(
            "{sentence}: {count} call since {time}. See what the service says:",
            "{sentence}: {count} calls since {time}. See what the service says:",
            service.failure.count,
            sentence=meaning(service.failure.call.outcome).sentence,
            time=clock(service.failure.since, facts.now),
        ),
        service.name,
        (f"./deploy.sh logs {service.name} --tail 50 -s {facts.stack}",),
    )


def _waiting(facts: Facts, service: ServiceFacts) -> Todo | None:
    if service.failure is None or facts.now - service.failure.call.at > _WAITING_SECONDS:
        return None
    return Todo(
        Grade.WAIT,
        "waiting",
        tr("{service} waits for its platform", service=service.short),
        tr("waiting"),
        tr(
            "{sentence}. It tries again by itself; nothing to do.",
            sentence=meaning(service.failure.call.outcome).sentence,
        ),
        service.name,
    )


_BY_CODE: dict[str, Callable[[Facts, ServiceFacts], Todo | None]] = {
    "LOGIN_REQUIRED": _login,
    "LOGIN_EXPIRED": _login,
    "CAPTCHA_REQUIRED": _captcha,
    "NOT_CONFIGURED": _setting,
    "UPSTREAM_CHANGED": _upstream,
    "RATE_LIMITED": _waiting,
    "QUOTA_EXHAUSTED": _waiting,
    "BUSY": _waiting,
    **dict.fromkeys(("INTERNAL", "TIMEOUT", "UPSTREAM_UNREACHABLE", "service_down", "service_timeout"), _failing),
}


def part_titles() -> dict[str, str]:
    """Return the names of the parts beside the services, as they begin a sentence."""
    return {
        "hub": tr("The hub"),
        "gateway": tr("The gateway"),
        "cache": tr("The cache"),
        "monitoring": tr("Monitoring"),
        "console": tr("The console"),
    }


def _deployment_todos(facts: Facts) -> Iterator[Todo]:
    if facts.hub is not None and facts.hub.total and facts.hub.ready == 0 and facts.hub.state != "unknown":
        yield Todo(
            Grade.BAD,
            "hub",
            tr("The hub has stopped"),
            "",
            tr("Clients that use one address for all tools get no lists. Start it again, then see what it said:"),
            commands=_again(facts, "hub"),
            page="overview",
        )
    titles = part_titles()
    for part, end in facts.part_ends.items():
        if part in titles and lacks_memory(facts, end, None):
            yield out_of_memory(facts, end, titles[part], Grade.WARN, part=part)
    if facts.certificate_end is not None and facts.certificate_end - facts.now < _CERTIFICATE_DAYS * _DAY:
        days = max(0, int((facts.certificate_end - facts.now) // _DAY))
        yield Todo(
            Grade.WARN,
            "certificate",
            tr("The certificate ends soon"),
            "",
            tr_plural(
                "It is valid for {count} more day and was not renewed by itself. See why:",
                "It is valid for {count} more days and was not renewed by itself. See why:",
                days,
            ),
            commands=(f"./deploy.sh doctor -s {facts.stack}",),
            page="overview",
        )
    if facts.backup_at is not None and facts.now - facts.backup_at > _BACKUP_DAYS * _DAY:
        yield Todo(
            Grade.WARN,
            "backup",
            tr("The last backup is old"),
            "",
            tr_plural(
                "It was made {count} day ago. Make another:",
                "It was made {count} days ago. Make another:",
                int((facts.now - facts.backup_at) // _DAY),
            ),
            commands=(f"./deploy.sh backup {facts.stack}.tar.age -s {facts.stack}",),
            page="overview",
        )
    if facts.drift:
        yield Todo(
            Grade.WARN,
            "drift",
            tr("The engine differs from what was deployed"),
            "",
            tr_plural("{count} difference.", "{count} differences.", facts.drift),
            page="changes",
            part="drift",
            button=tr("Show the difference"),
        )
    export = facts.export
    if export is not None and export.failing_since is not None and facts.now - export.failing_since > _EXPORT_SECONDS:
        lost = tr_plural("{count} span was lost.", "{count} spans were lost.", export.dropped)
        yield Todo(
            Grade.WARN,
            "export",
            tr("The collector of spans takes nothing"),
            "",
            tr(
                "{host} has taken no spans since {time} ({reason}). {lost} Check the address and the headers:",
                host=export.host,
                time=clock(export.failing_since, facts.now),
                reason=export.reason,
                lost=lost,
            ),
            commands=(f"./deploy.sh config get console.export -s {facts.stack}",),
            page="calls",
        )


def _spaces() -> bool:
    """Return whether sentences are separated by spaces in the language of the page."""
    return tr("; ") == "; "


def service_grade(facts: Facts, service: ServiceFacts, found: list[Todo]) -> tuple[Grade, str]:
    """Return the grade of a service and its state in few words; nothing is well on old data."""
    mine = [todo for todo in found if todo.service == service.name]
    if mine:
        return mine[0].grade, mine[0].state
    if is_lost(facts) or facts.status_age is None or facts.status_age > STATUS_STALE:
        return Grade.OFF, tr("unknown")
    if service.status is None:
        return Grade.OFF, tr("not running")
    if service.status.state == "unknown":
        return Grade.OFF, tr("starting")
    return Grade.OK, tr("well")
