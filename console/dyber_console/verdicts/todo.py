"""Defines what the rules return: a thing to do or to wait for, and its grade."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Grade(IntEnum):
    """Says who acts, the worst first; `OFF` is unknown."""

    BAD = 0
    WARN = 1
    WAIT = 2
    OK = 3
    OFF = 4

    @property
    def icon(self) -> str:
        """Return the name of the grade in classes and icons."""
        return self.name.lower()


@dataclass(frozen=True)
class Todo:
    """Holds one thing to do or to wait for.

    Attributes:
        service: The service that it is about, or "".
        title: What is the matter, as a sentence.
        state: The same in few words, for the service's row.
        why: Cause and next step.
        commands: Commands to run where the deployment was made.
        page: The page with more: overview, service, tools, changes.
        part: The section of that page.
        button: Words of the link there, or "".
    """

    grade: Grade
    rule: str
    title: str
    state: str
    why: str
    service: str = ""
    commands: tuple[str, ...] = ()
    page: str = "service"
    part: str = ""
    button: str = ""
