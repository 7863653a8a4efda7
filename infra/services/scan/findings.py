"""Defines a finding of the scan as data, the levels of findings, and which findings a person accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from infra.services.scan.codes import CODES
from infra.services.scan.normalising import shown
from infra.services.source import AcceptedFinding
from messages import mark, tr


class Level(IntEnum):
    """How much a finding weighs, the worst first: a block stops, a warning is shown, an info is for those who look."""

    BLOCK = 0
    WARN = 1
    INFO = 2

    @property
    def word(self) -> str:
        """The level in a word of the user's language."""
        return tr(LEVEL_WORDS[self])


LEVEL_WORDS = {Level.BLOCK: mark("stops"), Level.WARN: mark("warning"), Level.INFO: mark("note")}


@dataclass(frozen=True)
class Finding:
    """Something in the contract or in the package of a service that may mislead an agent.

    Attributes:
        code: A key of CODES, such as T01.
        level: How much the finding weighs here; a code may weigh more beside another.
        tool: The tool's name, or the name of a prompt or resource; empty for the service as a whole.
        path: Where the text is within the tool, such as ("inputSchema", "properties", "note", "description").
        excerpt: The text, shortened, with invisible characters written as U+200B.
        sha256: The hash of the tool in the lock file; for findings about a package, the hash of what was seen. Another
            text has another hash, so an acceptance ends when the text changes.
        details: What fills in the explanation, such as the name that a name looks like.
    """

    code: str
    level: Level
    tool: str
    path: tuple[str, ...]
    excerpt: str
    sha256: str
    details: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """What was found, in a few words of the user's language."""
        return tr(CODES[self.code].title)

    @property
    def explanation(self) -> str:
        """Why it matters, in the user's language."""
        return tr(CODES[self.code].explanation)

    @property
    def advice(self) -> str:
        """What to do now, in the user's language."""
        return tr(CODES[self.code].advice)

    @property
    def place(self) -> str:
        """Where it is, such as `maps_geo.inputSchema.properties.city.description`; empty for the whole service."""
        return ".".join(shown(part, 60) for part in (self.tool, *self.path) if part)

    def lines(self) -> list[str]:
        """Return the finding as lines of plain text, in the user's language."""
        place = f" {self.place}" if self.place else ""
        lines = [f"  {SIGNS[self.level]} {self.code} {self.level.word}{place}: {self.title}"]
        if self.excerpt:
            lines.append(f"      {self.excerpt}")
        lines += [f"      {name}: {value}" for name, value in self.details.items()]
        if self.level is not Level.INFO:
            lines += [f"      {self.explanation}", f"      {self.advice}"]
        if self.level is Level.BLOCK:
            lines.append(f"      sha256: {self.sha256}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the finding as values that JSON has."""
        return {
            "code": self.code,
            "level": self.level.name.lower(),
            "tool": self.tool,
            "path": list(self.path),
            "excerpt": self.excerpt,
            "sha256": self.sha256,
            "details": dict(self.details),
            "title": self.title,
            "explanation": self.explanation,
            "advice": self.advice,
        }


#: The mark of each level in lists of findings.
SIGNS = {Level.BLOCK: "✗", Level.WARN: "!", Level.INFO: "·"}


def covers(accepted: AcceptedFinding, finding: Finding) -> bool:
    """Tell whether a person accepted `finding`: code, tool and hash are the same."""
    return (accepted.code, accepted.tool, accepted.sha256) == (finding.code, finding.tool, finding.sha256)


def open_findings(findings: Iterable[Finding], accepted: Collection[AcceptedFinding]) -> tuple[Finding, ...]:
    """Return the findings that nobody has accepted."""
    return tuple(finding for finding in findings if not any(covers(entry, finding) for entry in accepted))


def outdated(findings: Iterable[Finding], accepted: Iterable[AcceptedFinding]) -> tuple[AcceptedFinding, ...]:
    """Return the acceptances that accept nothing, as the text they were written for is gone."""
    present = tuple(findings)
    return tuple(entry for entry in accepted if not any(covers(entry, finding) for finding in present))


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that stop a service from being added or deployed."""
    return tuple(finding for finding in findings if finding.level is Level.BLOCK)
