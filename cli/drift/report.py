"""What drift was found: as a table on the terminal, as JSON, and as the Markdown text of one issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.drift.differences import Condition, Difference
from cli.previews.comment import MAX_CHARACTERS, plain
from cli.previews.model import KINDS
from messages import mark, tr

#: First line of the issue, by which it is found again and updated in place.
MARKER = "<!-- dyber-drift -->"
CONDITIONS: dict[Condition, str] = {
    "gone": mark("gone"),
    "stopped": mark("stopped"),
    "paused": mark("paused"),
    "changed": mark("changed"),
    "renamed": mark("renamed"),
    "disconnected": mark("not in its network"),
    "connected": mark("in another network"),
    "files": mark("its files were changed"),
    "unknown": mark("not in the state"),
    "unfinished": mark("interrupted"),
}


@dataclass(frozen=True)
class Report:
    """One stack's drift, or with `error` and `next_step` why it could not be looked at."""

    stack: str
    differences: Sequence[Difference] = ()
    error: str = ""
    next_step: str = ""


def way_back(stack: str, difference: Difference) -> str:
    """The command that puts it back."""
    command = "./deploy.sh" if stack == "dev" else f"./deploy.sh -s {stack}"
    if difference.kind == "Volume" and difference.condition == "gone":
        return command + tr(" (empty; its data: ./deploy.sh restore)")
    return command


def table(report: Report) -> Table:
    """One row for each thing: what differs, and the way back."""
    rows = Table.grid(padding=(0, 2))
    for row in _rows(report):
        rows.add_row(*row)
    return rows


def lines(report: Report) -> list[Text]:
    """The same, for what has no width."""
    return [Text("  ").join(row) for row in _rows(report)]


def _rows(report: Report) -> Iterator[list[Text]]:
    for difference in report.differences:
        kind, name, what = _told(difference)
        yield [
            Text(kind),
            Text(name, style="bold"),
            Text(plain(what).replace("\n", ", "), style="yellow"),
            Text("→ " + way_back(report.stack, difference), style="dim"),
        ]


def as_json(reports: Sequence[Report]) -> dict[str, Any]:
    """For programs: `drift` is how many things differ in all stacks together."""
    return {
        "drift": sum(len(report.differences) for report in reports),
        "stacks": [
            {
                "stack": report.stack,
                "error": report.error or None,
                "differences": [
                    {
                        "resource": difference.name,
                        "kind": difference.kind,
                        "condition": difference.condition,
                        "details": plain(difference.details),
                        "way_back": way_back(report.stack, difference),
                    }
                    for difference in report.differences
                ],
            }
            for report in reports
        ],
    }


def markdown(reports: Sequence[Report]) -> str:
    """The text of an issue; its second line is a title."""
    text = "\n".join([MARKER, f"## {tr('The engine is not as it was deployed')}", *_sections(reports)])
    if len(text) <= MAX_CHARACTERS:
        return text + "\n"
    return text[: MAX_CHARACTERS - 10] + "\n…\n"


def _sections(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        yield ""
        if report.error:
            yield f"### {report.stack}: {tr('could not be looked at')}"
            yield from ("", f"> {report.error.replace(chr(10), ' ')}", f"> → {report.next_step}")
            continue
        if not report.differences:
            yield f"### {report.stack}: {tr('no drift')}"
            continue
        yield f"### {report.stack}: {tr('{differences} to put back', differences=len(report.differences))}"
        yield ""
        yield f"| {tr('resource')} | {tr('what differs')} | {tr('way back')} |"
        yield "|---|---|---|"
        for difference in report.differences:
            kind, name, what = _told(difference)
            yield f"| {kind} `{name}` | {what} | `{way_back(report.stack, difference)}` |"


def _told(difference: Difference) -> tuple[str, str, str]:
    kind = tr(KINDS.get(difference.kind, difference.kind))
    condition = tr(CONDITIONS[difference.condition])
    return kind, difference.name, condition + (f": {difference.details}" if difference.details else "")
