"""Shows the servers of others that were reviewed and can be added by their name: `dyber add-service --list`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cli.commands.operation.status import print_table
from cli.system.checkout import ROOT
from cli.terminal.console import out
from infra.services.catalog import SPEC_FILE
from infra.services.foreign_catalog import ANY_SITE, Entry, load
from messages import language, tr

SERVERS = ROOT / "mcp-servers"


def show() -> None:
    """Print the reviewed servers as a table."""
    chosen = language()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (tr("name"), tr("what it is"), tr("needs"), tr("reaches")):
        table.add_column(column, overflow="fold")
    for name, entry in load(SERVERS).items():
        added = f" ({tr('added')})" if (SERVERS / name / SPEC_FILE).is_file() else ""
        text = tr("{title}: {description}", title=entry.title.of(chosen), description=entry.description.of(chosen))
        if entry.caution:
            text += "\n" + tr("Note: {caution}", caution=entry.caution.of(chosen))
        table.add_row(name + added, text, needs(entry), _reached(entry))
    print_table(table)
    out.print(tr("Add one by its name, such as: ./deploy.sh add-service amap"))


def needs(entry: Entry) -> str:
    """Return what a server needs from its user and from the machine, in the user's language."""
    parts = [entry.needs.of(language())] if entry.needs else []
    if entry.data:
        parts.append(tr("a data volume"))
    if (entry.memory_mib or 0) >= _MUCH_MEMORY:
        parts.append(tr("{memory} MiB of memory", memory=entry.memory_mib))
    return tr("; ").join(parts) or "-"


#: In MiB; less is not worth a word.
_MUCH_MEMORY = 1024


def _reached(entry: Entry) -> str:
    return ", ".join(tr("any site") if host == ANY_SITE else host for host in entry.reaches) or tr("nothing")


ListOption = Annotated[
    bool, typer.Option("--list", help=tr("List the servers of others that were reviewed, and what each needs"))
]
