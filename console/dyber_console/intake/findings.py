"""Reads what the scan of a deployment found in the contracts: texts of tools that may mislead agents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from dyber_console.language import for_page, texts_by_language

Level = Literal["block", "warn", "info"]

_LEVELS: tuple[Level, ...] = ("block", "warn", "info")
_MOST = 200


@dataclass(frozen=True)
class Finding:
    """Holds one finding; its texts are by language.

    Attributes:
        level: `block` stops a deployment, `warn` is for a person to look at, `info` is a note.
        tool: The tool's name, or "" for the service as a whole.
        path: Where the text is within the tool.
        excerpt: The text, shortened.
    """

    code: str
    level: Level
    tool: str
    path: tuple[str, ...]
    excerpt: str
    titles: dict[str, str] = field(default_factory=dict)
    explanations: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return what was found, in the language of the page if it is known in it."""
        return for_page(self.titles)

    @property
    def explanation(self) -> str:
        """Return why it matters, in the language of the page if it is known in it."""
        return for_page(self.explanations)

    @property
    def is_grave(self) -> bool:
        """Return whether it would stop a deployment."""
        return self.level == "block"


def read_findings(text: str) -> list[Finding]:
    """Return the findings of a file, the worst first; raise ValueError, TypeError or KeyError for another document."""
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise TypeError("the document is no list")
    found = [_finding(entry) for entry in entries[:_MOST] if entry.get("level") in _LEVELS]
    return sorted(found, key=lambda finding: _LEVELS.index(finding.level))


def _finding(entry: dict[str, Any]) -> Finding:
    return Finding(
        str(entry["code"]),
        entry["level"],
        str(entry.get("tool") or ""),
        tuple(map(str, entry.get("path") or ())),
        str(entry.get("excerpt") or ""),
        texts_by_language(entry.get("title")),
        texts_by_language(entry.get("explanation")),
    )
