"""Shows what a deployment would change as a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.previews.comment import effect_lines, plain, step_details
from cli.previews.model import KINDS, OPS, Step, effects, steps
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


def _row(step: Step) -> Iterator[Text]:
    yield Text(tr(OPS[step.op][1]), style=_STYLES[step.op])
    yield Text(tr(KINDS.get(step.kind, step.kind)))
    yield Text(step.name, style="bold")
    yield Text(plain(step_details(step)), style="dim")


def _noticed(changed: Sequence[Step]) -> Iterator[Text]:
    for line in effect_lines(effects(changed)):
        yield Text(plain(line).removeprefix("- ").replace("**", ""), style="bold red" if "❗" in line else "")
