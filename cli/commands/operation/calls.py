"""Implements `dyber calls`, which shows the calls that the console has recorded, without arguments and answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.text import Text

from cli.commands.operation.console import console_container
from cli.commands.reading import StackOption, deployed
from cli.records import calls as recorded
from cli.records.calls import Query
from cli.terminal.console import err, out
from cli.terminal.usage import examples
from messages import mark, tr

commands = typer.Typer()
_STYLES = {"ok": "green", "failed": "red", "refused": "yellow", "cancelled": "dim"}
_WORDS = {"ok": mark("ok"), "cancelled": mark("cancelled")}
#: What is said of a name that no recorded call has.
_UNKNOWN = {
    "service": mark("No call of the service {value} is recorded, but calls of: {names}"),
    "tool": mark("No call of the tool {value} is recorded, but calls of: {names}"),
    "client": mark("No call by the client {value} is recorded, but calls by: {names}"),
    "outcome": mark("No call has the outcome {value}; besides ok, failed, refused and cancelled there are: {names}"),
}
#: The least width of each column, so that rows that come later are below those before.
_WIDTHS = (14, 8, 12, 12, 20, 2)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return recorded.moment(text, datetime.now().astimezone())
    except ValueError:
        raise typer.BadParameter(
            tr("{text!r} is no time; write 30m (ago), 21:43, or 2026-11-28T20:15", text=text)
        ) from None


@commands.command(
    epilog=examples(
        "./deploy.sh calls",
        "./deploy.sh calls --service zhihu --outcome failed --since 2h",
        "./deploy.sh calls --client phone --slower 5",
        "./deploy.sh calls --since 21:00 --before 21:30 --limit 1000 --json > calls.jsonl",
        "./deploy.sh calls --follow",
    )
)
def calls(
    service: Annotated[str | None, typer.Option(help=tr("Calls of this service only"))] = None,
    tool: Annotated[str | None, typer.Option(help=tr("Calls of this tool only"))] = None,
    client: Annotated[str | None, typer.Option(help=tr("Calls by this client only"))] = None,
    outcome: Annotated[
        str | None,
        typer.Option(help=tr("ok, failed, refused or cancelled, or a code such as LOGIN_EXPIRED")),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help=tr("Calls since then: 30m (ago), 21:43, or 2026-11-28T20:15"))
    ] = None,
    before: Annotated[str | None, typer.Option(help=tr("Calls before then, written in the same way"))] = None,
    slower: Annotated[float | None, typer.Option(min=0, help=tr("Calls that took at least so many seconds"))] = None,
    limit: Annotated[int, typer.Option(min=0, max=200_000, help=tr("At most so many, the newest"))] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=tr("Keep showing new calls as they end"))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=tr("Print one JSON object per line"))] = False,
    stack: StackOption = "dev",
) -> None:
    """Show who called what, when, with which outcome, and how long it took."""
    if service is not None:
        service = service.removesuffix("-mcp")
    query = Query(service, tool, client, outcome, _time(since), _time(before), slower, limit)
    deployment, outputs = deployed(stack)
    container = console_container(deployment, outputs, stack)
    found = recorded.follow(container, query) if follow else recorded.read(container, query)
    if not as_json:
        _show(found, query, has_end=not follow)
        return
    try:
        for call in found:
            if "known" in call:
                _hint(query, call["known"])
                continue
            sys.stdout.write(json.dumps(call, ensure_ascii=False) + "\n")
            if follow:
                sys.stdout.flush()
    except KeyboardInterrupt:
        _end_quietly(follow)


def _hint(query: Query, known: dict[str, list[str]]) -> None:
    """Say which names there are in place of those that no call has."""
    for condition, names in known.items():
        if condition in _UNKNOWN and names:
            value, shown = getattr(query, condition), tr(", ").join(map(_harmless, names))
            err.print(tr(_UNKNOWN[condition], value=value, names=shown), style="yellow")


def _show(found: Iterable[dict[str, Any]], query: Query, *, has_end: bool) -> None:
    header = tuple(Text(name, style="bold") for name in
                   (tr("time"), tr("seconds"), tr("outcome"), tr("client"), tr("service"), tr("tool")))  # fmt: skip
    if has_end:
        content = list(found)
        rows = [_row(call) for call in content if "known" not in call]
        if not rows:
            err.print(tr("No such calls are recorded; calls are kept for 24 hours."), style="dim")
            for each in content:
                _hint(query, each["known"])
            return
        widths = [max(cell_len(row[column].plain) for row in (header, *rows)) for column in range(len(header))]
        for row in (header, *rows):
            out.print(_line(row, widths))
        return
    try:
        out.print(_line(header, _WIDTHS))
        for call in found:
            out.print(_line(_row(call), _WIDTHS))
    except KeyboardInterrupt:
        _end_quietly(follow=True)


def _end_quietly(follow: bool) -> None:
    """Let Ctrl-C end what would not end otherwise, without a message."""
    if not follow:
        raise KeyboardInterrupt


def _row(call: dict[str, Any]) -> tuple[Text, ...]:
    at = datetime.fromisoformat(call["at"]).astimezone()
    outcome = str(call["outcome"])
    tries = tr(" ({count} tries)", count=call["tries"]) if call["tries"] > 1 else ""
    return (
        Text(f"{at:%m-%d %H:%M:%S}", style="dim"),
        Text(f"{call['seconds']:.2f}"),
        Text((tr(_WORDS[outcome]) if outcome in _WORDS else _harmless(outcome)) + tries, style=_STYLES[call["result"]]),
        Text(_harmless(call["client"] or "-")),
        Text(_harmless(call["service"])),
        Text(_harmless(call["tool"] or "-")),
    )


def _line(row: Sequence[Text], widths: Sequence[int]) -> Text:
    padded = [cell + " " * max(0, width - cell_len(cell.plain)) for cell, width in zip(row, widths, strict=True)]
    line = Text("  ").join(padded)
    line.rstrip()
    return line


def _harmless(text: str) -> str:
    """Return a text of somebody else with characters that a terminal would obey as their numbers."""
    return "".join(char if char.isprintable() else f"U+{ord(char):04X}" for char in text)
