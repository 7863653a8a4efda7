"""Classifies what became of each call under a fault, and makes the table. Nothing here uses the network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

HEADER = "| fault | calls | ok | refused (codes) | lost | doubled | seconds until whole | wrong afterwards |"
RULER = "|---|---|---|---|---|---|---|---|"
#: Codes of calls that reached nobody: the caller knows for certain that nothing was done.
NO_LISTENER = "no listener"
SHOWN_CODES = 6


class Outcome(StrEnum):
    """How a call ended for its caller."""

    OK = "ok"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True)
class Call:
    """One call. `begun` and `ended` are seconds of the monotonic clock; `code` says why it was refused, or how it was
    lost."""

    identity: str
    kind: str
    begun: float
    ended: float
    outcome: Outcome
    code: str = ""


@dataclass(frozen=True)
class Window:
    """From the moment `container` was killed until the engine said that it was dead."""

    begun: float
    ended: float
    container: str = ""

    def has(self, call: Call) -> bool:
        """Tell whether the call was under way at that moment."""
        return call.begun <= self.ended and call.ended >= self.begun


def classify(status: int, text: str, expected: str) -> tuple[Outcome, str]:
    """Return outcome and code of an answer: right when it is a result with `expected` in it, refused when it gives a
    reason that programs can read, else lost."""
    content = _content(text)
    if status == 200:
        if code := _tool_error(content):
            return Outcome.REFUSED, code
        return (Outcome.OK, "") if expected in text else (Outcome.LOST, f"wrong answer: {text[:120]!r}")
    if isinstance(content, dict) and content.get("error"):
        error = content["error"]
        code = content.get("code") or (error.get("code") if isinstance(error, dict) else error)
        return Outcome.REFUSED, str(code)
    return Outcome.LOST, f"{status} without words"


def _content(text: str) -> object:
    """The JSON of an answer, or of the last event of a stream; None when there is none."""
    events = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    try:
        return json.loads(events[-1] if events else text)
    except ValueError:
        return None


def _tool_error(content: object) -> str:
    """The code in a tool's own error, or of a JSON-RPC error; empty for a result."""
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
    """One fault and what came of it.

    `killed`: when containers were killed; `runs`: how often each write was done; `whole_seconds` is None when the stack
    did not become whole; `streams_cut`: legacy streams that broke off; `notes` is for people, and nothing is wrong with
    it.
    """

    fault: str
    calls: Sequence[Call]
    killed: Sequence[Window] = ()
    runs: Counter[str] = field(default_factory=Counter)
    whole_seconds: float | None = 0.0
    whole_after: str = ""
    streams_cut: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def lost(self) -> list[Call]:
        """Calls whose callers cannot know what became of them."""
        return [call for call in self.calls if call.outcome is Outcome.LOST]

    @property
    def not_excused(self) -> list[Call]:
        """Lost calls that were not under way at a container when it was killed."""
        return [call for call in self.lost if not any(window.has(call) for window in self.killed)]

    def told(self, call: Call) -> str:
        """A lost call in words, with the last kill before it ended."""
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
    def forgotten(self) -> list[str]:
        """Writes that were answered as done and are not there."""
        return [
            call.identity
            for call in self.calls
            if call.kind == "write" and call.outcome is Outcome.OK and not self.runs[call.identity]
        ]

    @property
    def done_though_refused(self) -> int:
        """Writes that were done, and answered with an error."""
        return sum(
            call.kind == "write" and call.outcome is Outcome.REFUSED and self.runs[call.identity] > 0
            for call in self.calls
        )

    @property
    def good(self) -> bool:
        """Nothing lost but what was in flight at a killed container, nothing doubled, all whole afterwards."""
        return not (self.not_excused or self.doubled or self.wrong) and self.whole_seconds is not None

    def cells(self) -> list[str]:
        """The row's cells, as texts."""
        refused = Counter(call.code for call in self.calls if call.outcome is Outcome.REFUSED)
        codes = ", ".join(f"{code} {count}" for code, count in refused.most_common(SHOWN_CODES))
        lost = str(len(self.lost))
        if self.lost:
            lost += f" ({len(self.lost) - len(self.not_excused)} in flight at a killed container)"
        whole = "never" if self.whole_seconds is None else f"{self.whole_seconds:.1f}"
        return [
            self.fault,
            str(len(self.calls)),
            str(sum(call.outcome is Outcome.OK for call in self.calls)),
            f"{refused.total()} ({codes})" if refused else "0",
            lost,
            str(len(self.doubled)),
            f"{whole} ({self.whole_after})" if self.whole_after else whole,
            "; ".join(self.wrong) or "nothing",
        ]


def table(rows: Iterable[Row]) -> str:
    """All rows as Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row.cells()) + " |" for row in rows]
    return "\n".join([HEADER, RULER, *lines])
