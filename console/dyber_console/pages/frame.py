"""Gathers what the frame of every page shows: navigation with counts, services, gateway, language and theme."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dyber_console import gathering
from dyber_console.intake.live import STATUS_STALE
from dyber_console.language import language, tr, tr_plural
from dyber_console.pages.parts import wording
from dyber_console.state import Console
from dyber_console.verdicts.facts import Facts, ServiceFacts
from dyber_console.verdicts.rules import Grade, Todo, is_lost, service_grade, todos
from dyber_console.verdicts.times import ago, clock

#: From this many services on, the navigation shows only those that are not well.
_MANY = 12
_KEPT_SECONDS = 1.0
_PAGES = ("overview", "calls", "tools", "clients", "changes")


@dataclass(frozen=True)
class Entry:
    """Holds a service as lists of services show it."""

    facts: ServiceFacts
    grade: Grade
    state: str
    todos: tuple[Todo, ...]

    @property
    def name(self) -> str:
        """Return the service's name."""
        return self.facts.name

    @property
    def title(self) -> str:
        """Return the service's name for people."""
        return self.facts.title

    @property
    def short(self) -> str:
        """Return the service's name for narrow places."""
        return self.facts.short

    @property
    def tile(self) -> str:
        """Return the characters on the service's tile."""
        return wording.tile_text(self.facts.title)

    @property
    def tone(self) -> int:
        """Return the number of the tile's tone."""
        return wording.tone(self.facts.name)


@dataclass(frozen=True)
class Frame:
    """Holds the state of the deployment for one page.

    Attributes:
        entries: All services, the worst first.
        counts: Things to do, by page.
        grade: The worst grade of all; OFF while nothing is known.
        stamp: How old the data is, in words.
        stacks: The names of all stacks that this machine knows.
    """

    facts: Facts
    todos: tuple[Todo, ...]
    entries: tuple[Entry, ...]
    counts: dict[str, int]
    grade: Grade
    headline: str
    stamp: str
    is_stale: bool
    gateway: str
    version: str
    stacks: tuple[str, ...]

    @property
    def listed(self) -> tuple[Entry, ...]:
        """Return the services in the navigation: all, or of very many those that are not well."""
        if len(self.entries) < _MANY:
            return self.entries
        return tuple(entry for entry in self.entries if entry.grade not in (Grade.OK, Grade.OFF))

    @property
    def to_do(self) -> tuple[Todo, ...]:
        """Return what a person has to do."""
        return tuple(todo for todo in self.todos if todo.grade <= Grade.WARN)

    @property
    def is_lost(self) -> bool:
        """Return whether the gateway has been silent for too long."""
        return is_lost(self.facts)

    def entry(self, name: str) -> Entry | None:
        """Return a service by its name, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)


def frame(console: Console) -> Frame:
    """Return the frame of this moment; it is kept for a second, as many pages can be open."""
    key = (language(), console.store.version, console.live.status_at, console.live.lost_since)
    if console.kept is not None and console.kept[0] == key and time.monotonic() - console.kept[1] < _KEPT_SECONDS:
        kept: Frame = console.kept[2]
        return kept
    made = _frame(console)
    console.kept = (key, time.monotonic(), made)
    return made


def _frame(console: Console) -> Frame:
    facts = gathering.facts(console)
    found = todos(facts)
    entries = []
    for service in facts.services:
        grade, state = service_grade(facts, service, found)
        mine = tuple(todo for todo in found if todo.service == service.name)
        entries.append(Entry(service, grade, state, mine))
    entries.sort(key=lambda entry: (entry.grade if entry.grade is not Grade.OFF else Grade.WAIT, entry.title))
    to_do = [todo for todo in found if todo.grade <= Grade.WARN]
    stale = facts.status_age is None or facts.status_age > STATUS_STALE
    metrics = console.live.metrics.matching("dyber_gateway_build_info")
    labels = metrics[0][0] if metrics else {}
    deployed = console.files.deployment
    version = labels.get("version") or deployed.version
    nginx = f" · nginx {labels['nginx']}" if "nginx" in labels else ""
    return Frame(
        facts,
        tuple(found),
        tuple(entries),
        {page: len([todo for todo in to_do if _counts(todo, page)]) for page in _PAGES},
        _worst(found, stale, facts),
        headline(facts, found),
        _stamp(facts),
        stale,
        deployed.addresses[0].partition("//")[2] if deployed.addresses else "",
        f"{version}{nginx}" if version else "",
        tuple(gathering.stacks(console)),
    )


def _counts(todo: Todo, page: str) -> bool:
    return page == "overview" or todo.page == page


def _worst(found: list[Todo], stale: bool, facts: Facts) -> Grade:
    if is_lost(facts) or stale:
        return Grade.OFF
    worst = min((todo.grade for todo in found), default=Grade.OK)
    return Grade.OK if worst is Grade.WAIT else worst


def headline(facts: Facts, found: list[Todo]) -> str:
    """Return the sentence of the overview and the beginning of every page's title."""
    if is_lost(facts):
        return tr("The gateway's status cannot be read")
    if facts.status_age is None:
        return tr("Reading the status")
    count = len([todo for todo in found if todo.grade <= Grade.WARN])
    if count:
        return tr_plural("{count} thing for you to do", "{count} things for you to do", count)
    if not facts.services:
        return tr("No services yet")
    if facts.status_age > STATUS_STALE:
        return tr("Nothing new from the gateway")
    return tr("All is well")


def _stamp(facts: Facts) -> str:
    if facts.status_age is None:
        return tr("not checked yet")
    if facts.status_age <= STATUS_STALE:
        return tr("checked {ago}", ago=ago(facts.status_age))
    if facts.status_age < 3600:
        return tr("data from {ago}; reconnecting", ago=ago(facts.status_age))
    return tr("data from {time}; reconnecting", time=clock(facts.now - facts.status_age, facts.now))
