"""Judges containers that the engine ended at their limit of memory."""

from __future__ import annotations

from dyber_console.language import tr
from dyber_console.verdicts.facts import End, Facts
from dyber_console.verdicts.times import clock
from dyber_console.verdicts.todo import Grade, Todo

#: How long somebody should act on it, although the container runs again.
_ACTING_SECONDS = 86_400.0


def lacks_memory(facts: Facts, end: End, present_mib: int | None) -> bool:
    """Return whether a container was killed at its limit of memory not long ago, and the limit is still the same."""
    was_raised = present_mib is not None and end.memory_mib is not None and present_mib > end.memory_mib
    return end.out_of_memory and facts.now - end.at < _ACTING_SECONDS and not was_raised


def out_of_memory(facts: Facts, end: End, title: str, grade: Grade, service: str = "", part: str = "") -> Todo:
    """Return what to do for a service, or another part, whose container was killed at its limit of memory."""
    path = f"services.{service}" if service else part
    time = clock(end.at, facts.now)
    commands: tuple[str, ...]
    if end.memory_mib is None:
        why = tr(
            "The engine ended it at {time}, because it reached its limit of memory. See what it said last:", time=time
        )
        commands = (f"./deploy.sh logs {service or part} --tail 50 -s {facts.stack}",)
    else:
        why = tr(
            "The engine ended it at {time}, because it reached its limit of {limit} MiB. Give it more, then deploy:",
            time=time,
            limit=end.memory_mib,
        )
        commands = (
            f"./deploy.sh config set {path}.memoryMib {2 * end.memory_mib} -s {facts.stack}",
            f"./deploy.sh -s {facts.stack}",
        )
    return Todo(
        grade,
        "memory",
        tr("{service} ran out of memory", service=title),
        tr("out of memory"),
        why,
        service,
        commands,
        page="service" if service else "overview",
    )
