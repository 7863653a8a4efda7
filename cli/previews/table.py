"""Shows what a deployment would change as a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.previews.comment import effect_lines, list_heading, plain, step_details
from cli.previews.model import KINDS, OPS, Step, effects, steps
from cli.previews.tool_lists import ToolList
from messages import tr

_STYLES = {"create": "green", "replace": "yellow", "update": "yellow", "delete": "red"}


def table(preview_steps: list[dict[str, Any]]) -> Group | None:
    """Return the steps of a preview by operation and name, and what users notice of them; None if nothing changes.

    `preview_steps` are those of cli.deployment.deployment.Preview.
    """
    changed = steps({"steps": preview_steps})
    if not changed:
        return None
    rows = Table.grid(padding=(0, 2))
    for step in sorted(changed, key=lambda step: (list(OPS).index(step.op), step.name)):
        rows.add_row(*_row(step))
    return Group(rows, *_noticed(changed))


def lists_table(lists: Sequence[ToolList]) -> Group | None:
    """Return what the hub lists: the size of each list with the programs for which it is too large, and the tools of
    each group; None for a stack without the hub."""
    if not lists:
        return None
    return Group(Text(tr("What the hub lists"), style="bold"), *(line for item in lists for line in _list_lines(item)))


def _list_lines(item: ToolList) -> Iterator[Text | Table]:
    yield Text(plain(list_heading(item)))
    if not item.client:
        rows = Table.grid(padding=(0, 2))
        for tool in item.tools:
            rows.add_row(Text(f"  {tool.exposed}", style="bold"), Text("←"), Text(f"{tool.service}/{tool.tool}"))
        yield rows
    yield from (Text(f"  ⚠️ {sentence}", style="yellow") for sentence in item.exceeded)


def _row(step: Step) -> Iterator[Text]:
    yield Text(tr(OPS[step.op][1]), style=_STYLES[step.op])
    yield Text(tr(KINDS.get(step.kind, step.kind)))
    yield Text(step.name, style="bold")
    yield Text(plain(step_details(step)), style="dim")


def _noticed(changed: Sequence[Step]) -> Iterator[Text]:
    for line in effect_lines(effects(changed)):
        yield Text(plain(line).removeprefix("- ").replace("**", ""), style="bold red" if "❗" in line else "")
