"""Adds the servers in the configuration of an MCP client as services, after one table of what becomes of each."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import typer
from rich.table import Table
from rich.text import Text

from cli.commands.operation.status import print_table
from cli.commands.settings import foreign_dialogue as dialogue
from cli.commands.settings import unused_options
from cli.commands.settings.foreign_services import Given, Planned, add_planned
from cli.services import naming
from cli.services.adding import descriptions, service_files
from cli.services.adding.service_files import Choices
from cli.services.importing import names
from cli.services.importing.clients.dialects import Entry
from cli.services.importing.clients.entries import Imported, Importer
from cli.services.importing.package_names import shown
from cli.services.importing.requests import Kind, RefusedError, SourceRequest
from cli.terminal.console import err, out
from cli.terminal.usage import FAILED
from infra.services.catalog import ServiceSpec, load_catalog, lowest_free_port
from messages import tr


@dataclass(frozen=True)
class ImportedFile:
    """What became of a client's configuration: the names of the new services, and whether some entry is not there."""

    added: list[str]
    is_complete: bool


def import_file(path: str, given: Given) -> ImportedFile:
    """Add the servers in a client's configuration.

    Raises typer.Exit where a person does not want them, and the errors of `add_from`.
    """
    unused_options.refuse_for_import(given)
    try:
        entries = descriptions.configured(path)
    except RefusedError as refusal:
        raise dialogue.refused(refusal) from None
    if given.name is not None:
        entries = _entries_named(entries, given.name)
    catalog = load_catalog(given.servers)
    private, _ = dialogue.acceptances(given.accept)
    importer = Importer(os.environ, given.values, private, descriptions.read_variables)
    results = [_planned_import(entry, importer, given) for entry in entries]
    fates = _fates(results, given, catalog)
    _show_import(results, fates)
    chosen = [result for result, fate in zip(results, fates, strict=True) if fate.is_new]
    problems = sum(bool(fate.reason) for fate in fates)
    if (
        chosen
        and not given.yes
        and not dialogue.confirmed(tr("Add these {count} services? (y/N): ", count=len(chosen)))
    ):
        err.print(tr("Nothing was changed."))
        raise typer.Exit(FAILED)
    ports = {spec.port: name for name, spec in catalog.items()}
    planned = [_planned(result.request, given, ports, private) for result in chosen]
    failures: dict[str, str] = {}
    added = add_planned(planned, given, catalog, failures) if planned else []
    if planned:
        _show_results(results, fates, failures)
    elif not problems:
        out.print(tr("No changes."))
    if problems or failures:
        missing = tr("What is missing, once it is corrected: ")
        err.print(f"{missing}{_command(path, given)}", markup=False)
    return ImportedFile(added, not problems and not failures)


def _command(path: str, given: Given) -> str:
    """Return the command that imports again what this one did."""
    words = ["./deploy.sh", "add-service", "--import", path, *([] if given.name is None else [given.name])]
    words += [word for acceptance in given.accept for word in ("--accept", acceptance)]
    return shlex.join([*words, "-s", given.stack])


@dataclass(frozen=True)
class _Fate:
    """What becomes of an entry: a new service, nothing as it is there already, or the reason why not."""

    is_new: bool
    reason: str = ""
    next_step: str = ""


def _planned_import(entry: Entry, importer: Importer, given: Given) -> Imported:
    """Return what becomes of an entry once its questions are answered."""
    result = importer.convert(entry)
    if result.refusal or not result.request.questions:
        return result
    if not given.yes:
        err.print(Text(f"{entry.name}:", style="bold"))

    def request(answers: Mapping[str, str]) -> SourceRequest:
        made = replace(importer, answers=answers).convert(entry)
        if made.refusal:
            raise made.refusal
        return made.request

    try:
        made = dialogue.answered(request, importer.answers, yes=given.yes)
    except RefusedError as refusal:
        return Imported(entry, SourceRequest(name=result.request.name), refusal)
    except dialogue.MissingValues as missing:
        return Imported(entry, SourceRequest(name=result.request.name), missing.refusal())
    return Imported(entry, made)


def _fates(results: Sequence[Imported], given: Given, catalog: Mapping[str, ServiceSpec]) -> list[_Fate]:
    """Decide what becomes of each entry; of two entries with the same name, the second is not added."""
    fates: list[_Fate] = []
    folders = {path.name for path in given.servers.iterdir()}
    taken: dict[str, str] = {}
    for result in results:
        name = result.request.name
        if result.refusal:
            fates.append(_Fate(False, result.refusal.reason.text(), result.refusal.next_step.text()))
        elif name in taken:
            reason = tr("the name {name} is that of {other} too", name=name, other=taken[name])
            fates.append(_Fate(False, reason, tr("give one of them another name in the file")))
        elif name in catalog and service_files.is_the_same(service_files.read(given.servers / name), result.request):
            fates.append(_Fate(False))
        else:
            fates.append(_new(result.request, folders))
        taken.setdefault(name, result.entry.name)
    return fates


def _new(request: SourceRequest, folders: set[str]) -> _Fate:
    try:
        naming.checked_name(request.name, folders)
        naming.checked_title(_title(request))
    except typer.TyperException as error:
        return _Fate(False, error.format_message(), tr("give it another name in the file"))
    return _Fate(True)


def _title(request: SourceRequest) -> str:
    return (request.title or request.name)[:60]


def _planned(request: SourceRequest, given: Given, ports: dict[int, str], private: bool) -> Planned:
    port = lowest_free_port(ports)
    ports[port] = request.name
    choices = Choices(
        request.name,
        port,
        naming.checked_title(_title(request)),
        dialogue.ask_internet(request, yes=given.yes) if given.internet is None else given.internet,
        request.name if request.disabled else None,
        private and request.kind is Kind.URL,
    )
    return Planned(request, choices, dialogue.ask_secrets(request, yes=given.yes))


def _show_import(results: Sequence[Imported], fates: Sequence[_Fate]) -> None:
    """Print one table: what becomes of each entry."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (tr("entry"), tr("service"), tr("source"), tr("secrets"), ""):
        table.add_column(column, overflow="fold")
    for result, fate in zip(results, fates, strict=True):
        request = result.request
        source = "" if result.refusal else f"{request.kind.value}: {shown(request.package)}"
        version = f"@{request.version}" if request.version and not result.refusal else ""
        state = Text(tr("new"), style="green") if fate.is_new else Text(tr("there already"), style="dim")
        if fate.reason:
            state = Text(tr("not added"), style="red")
        table.add_row(result.entry.name, request.name, source + version, ", ".join(request.secrets), state)
    print_table(table)
    for result, fate in zip(results, fates, strict=True):
        if fate.reason:
            err.print(Text(f"✗ {result.entry.name}: {fate.reason}", style="red"))
            err.print(Text(f"  → {fate.next_step}", style="yellow"))
        elif result.request.remarks:
            err.print(Text(f"{result.entry.name}:"))
            dialogue.show_remarks(result.request.remarks, "  ")


def _show_results(results: Sequence[Imported], fates: Sequence[_Fate], failures: Mapping[str, str]) -> None:
    """Print one table at the end: what became of each entry, and why not."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (tr("entry"), tr("service"), "", tr("why")):
        table.add_column(column, overflow="fold")
    for result, fate in zip(results, fates, strict=True):
        name = result.request.name
        reason = fate.reason or (failures.get(name, "") if fate.is_new else "")
        state = Text(tr("added"), style="green") if fate.is_new else Text(tr("there already"), style="dim")
        if reason:
            state = Text(tr("not added"), style="red")
        table.add_row(result.entry.name, "" if reason else name, state, Text(reason.partition("\n")[0]))
    out.print()
    print_table(table)


def _entries_named(entries: Sequence[Entry], name: str) -> list[Entry]:
    chosen = [entry for entry in entries if name in (entry.name, names.service_name(entry.name))]
    if not chosen:
        known = ", ".join(entry.name for entry in entries)
        raise typer.BadParameter(tr("the file has no server {name!r}; it has: {known}", name=name, known=known))
    return chosen
