"""Classifies the outcome of each call under a fault, and makes the table. Nothing here uses the network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

HEADER = "| fault | calls | ok | refused (codes) | lost | doubled | seconds until recovered | problems afterwards |"
RULER = "|---|---|---|---|---|---|---|---|"
#: Code of a call that nothing listened for, so the caller knows that nothing was done.
NO_LISTENER = "no listener"
SHOWN_CODES = 6


class Outcome(StrEnum):
    """How a call ended for its caller."""

    OK = "ok"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True)
class Call:
    """A call. `begun` and `ended` are in seconds of the monotonic clock; `code` says why it was refused or lost."""

    identity: str
    kind: str
    begun: float
    ended: float
    outcome: Outcome
    code: str = ""


@dataclass(frozen=True)
class Window:
    """The time from killing `container` until the engine reported its death."""

    begun: float
    ended: float
    container: str = ""

    def overlaps(self, call: Call) -> bool:
        """Tell whether the call was in flight during this time."""
        return call.begun <= self.ended and call.ended >= self.begun


def classify(status: int, text: str, expected: str) -> tuple[Outcome, str]:
    """Return the outcome and code of a response.

    It is right if it is a result that contains `expected`, refused if it gives a reason that programs can read, else
    lost.
    """
    content = _content(text)
    if status == 200:
        if code := _tool_error(content):
            return Outcome.REFUSED, code
        return (Outcome.OK, "") if expected in text else (Outcome.LOST, f"wrong answer: {text[:120]!r}")
    if isinstance(content, dict) and content.get("error"):
        error = content["error"]
        code = content.get("code") or (error.get("code") if isinstance(error, dict) else error)
        return Outcome.REFUSED, str(code)
    return Outcome.LOST, f"{status} without a reason"


def _content(text: str) -> object:
    """Return the JSON of a response, or of the last event of a stream; None if there is none."""
    events = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    try:
        return json.loads(events[-1] if events else text)
    except ValueError:
        return None


def _tool_error(content: object) -> str:
    """Return the code of a tool's error or of a JSON-RPC error; empty for a result."""
    if not isinstance(content, dict):
        return ""
    if isinstance(error := content.get("error"), dict):
        return f"JSON-RPC {error.get('code')}"
    result = content.get("result")
    if not isinstance(result, dict) or not result.get("isError"):
        return ""
    texts = [part.get("text", "") for part in result.get("content") or [] if isinstance(part, dict)]
    return next((text.partition("：")[0][:40] for text in texts if text), "tool error")


@dataclass
class Row:
    """A fault and its effects.

    `killed`: when containers were killed. `runs`: how often each write was done. `recovery_seconds`: None if the stack
    did not recover. `recovered_last`: what recovered last. `streams_cut`: number of legacy streams that broke off.
    `notes`: remarks that are no problems.
    """

    fault: str
    calls: Sequence[Call]
    killed: Sequence[Window] = ()
    runs: Counter[str] = field(default_factory=Counter)
    recovery_seconds: float | None = 0.0
    recovered_last: str = ""
    streams_cut: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def lost(self) -> list[Call]:
        """Calls whose callers cannot know whether they were done."""
        return [call for call in self.calls if call.outcome is Outcome.LOST]

    @property
    def unexcused(self) -> list[Call]:
        """Lost calls that were not in flight at a container when it was killed."""
        return [call for call in self.lost if not any(window.overlaps(call) for window in self.killed)]

    def description(self, call: Call) -> str:
        """Describe a lost call, with the last kill before it ended."""
        before = [window for window in self.killed if window.begun <= call.ended]
        if not before:
            return f"{call.kind}: {call.code}"
        last = max(before, key=lambda window: window.begun)
        return f"{call.kind}, {call.begun - last.ended:.2f} s after {last.container} was dead: {call.code}"

    @property
    def doubled(self) -> list[str]:
        """Writes that were done more than once."""
        return [call.identity for call in self.calls if self.runs[call.identity] > 1]

    @property
    def missing_writes(self) -> list[str]:
        """Writes that were answered as done but are missing."""
        return [
            call.identity
            for call in self.calls
            if call.kind == "write" and call.outcome is Outcome.OK and not self.runs[call.identity]
        ]

    @property
    def refused_but_done(self) -> int:
        """Number of writes that were done but answered with an error."""
        return sum(
            call.kind == "write" and call.outcome is Outcome.REFUSED and self.runs[call.identity] > 0
            for call in self.calls
        )

    @property
    def good(self) -> bool:
        """Tell whether no call was lost unexcused, no write was doubled and the stack recovered without problems."""
        return not (self.unexcused or self.doubled or self.problems) and self.recovery_seconds is not None

    def cells(self) -> list[str]:
        """Return the texts of the row's cells."""
        refused = Counter(call.code for call in self.calls if call.outcome is Outcome.REFUSED)
        codes = ", ".join(f"{code} {count}" for code, count in refused.most_common(SHOWN_CODES))
        lost = str(len(self.lost))
        if self.lost:
            lost += f" ({len(self.lost) - len(self.unexcused)} in flight at a killed container)"
        recovery = "never" if self.recovery_seconds is None else f"{self.recovery_seconds:.1f}"
        return [
            self.fault,
            str(len(self.calls)),
            str(sum(call.outcome is Outcome.OK for call in self.calls)),
            f"{refused.total()} ({codes})" if refused else "0",
            lost,
            str(len(self.doubled)),
            f"{recovery} ({self.recovered_last})" if self.recovered_last else recovery,
            "; ".join(self.problems) or "nothing",
        ]


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row.cells()) + " |" for row in rows]
    return "\n".join([HEADER, RULER, *lines])
