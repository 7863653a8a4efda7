"""Shows drift as a table on the terminal, as JSON, and as the Markdown text of one issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.drift.differences import Condition, Difference
from cli.previews.comment import MAX_CHARACTERS, plain
from cli.previews.model import KINDS
from cli.records import recording
from messages import mark, tr

#: The first line of the issue, by which the next report finds and updates it.
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
    """The drift of one stack, or why it could not be looked for: `error`, and the `next_step`."""

    stack: str
    differences: Sequence[Difference] = ()
    error: str = ""
    next_step: str = ""


def way_back(stack: str, difference: Difference) -> str:
    """Return the command that repairs a difference."""
    command = "./deploy.sh" if stack == "dev" else f"./deploy.sh -s {stack}"
    if difference.kind == "Volume" and difference.condition == "gone":
        return command + tr(" (empty; its data: ./deploy.sh restore)")
    return command


def table(report: Report) -> Table:
    """Return a table with one row for each difference and the command that repairs it."""
    rows = Table.grid(padding=(0, 2))
    for row in _rows(report):
        rows.add_row(*row)
    return rows


def lines(report: Report) -> list[Text]:
    """Return the rows of the table as lines, for output that is no terminal."""
    return [Text("  ").join(row) for row in _rows(report)]


def _rows(report: Report) -> Iterator[list[Text]]:
    for difference in report.differences:
        kind, name, what = _described(difference)
        yield [
            Text(kind),
            Text(name, style="bold"),
            Text(plain(what).replace("\n", ", "), style="yellow"),
            Text("→ " + way_back(report.stack, difference), style="dim"),
        ]


def as_json(reports: Sequence[Report]) -> dict[str, Any]:
    """Return the reports for programs; `drift` is the number of differences in all stacks."""
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


def as_record(report: Report) -> dict[str, Any]:
    """Return the report as an entry of the console's history."""
    return {
        "kind": "drift",
        "at": recording.now(),
        "differences": [
            {
                "resource": difference.name,
                "details": plain(what).replace("\n", ", "),
                "way_back": way_back(report.stack, difference),
            }
            for difference in report.differences
            for _, _, what in [_described(difference)]
        ],
    }


def markdown(reports: Sequence[Report]) -> str:
    """Return the text of an issue; its second line is a title."""
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
            kind, name, what = _described(difference)
            yield f"| {kind} `{name}` | {what} | `{way_back(report.stack, difference)}` |"


def _described(difference: Difference) -> tuple[str, str, str]:
    kind = tr(KINDS.get(difference.kind, difference.kind))
    condition = tr(CONDITIONS[difference.condition])
    return kind, difference.name, condition + (f": {difference.details}" if difference.details else "")
