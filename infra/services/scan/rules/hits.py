"""Defines what a rule yields: a hit, which becomes a finding once tool and place are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.services.scan.findings import Level


@dataclass(frozen=True)
class Hit:
    """What a rule saw in a text: its code and level, the words, and details such as the name that a name looks like."""

    code: str
    level: Level
    words: str
    details: Mapping[str, str] = field(default_factory=dict)
