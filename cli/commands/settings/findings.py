"""Implements `dyber tools scan`, and shows what the scan finds where contracts change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from cli.commands.reading import JsonOption, print_json
from cli.release import contracts
from cli.terminal.console import out
from cli.terminal.usage import FAILED
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import Contract, load_lock
from infra.services.scan import Finding, Level, blocking, open_findings
from infra.services.scan.review import acceptance_lines, all_in, new_findings, outdated_in
from infra.services.source import AcceptedFinding
from messages import tr

STYLES = {Level.BLOCK: "red", Level.WARN: "yellow", Level.INFO: "dim"}
NOTHING = Contract({})


def tools_scan(
    service: Annotated[
        str | None, typer.Argument(help=tr("The service; all when left out"), show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for texts in the contracts of services that mislead agents."""
    catalog = load_catalog(contracts.SERVERS)
    if service is not None and service not in catalog:
        known = ", ".join(catalog)
        raise typer.BadParameter(tr("there is no service {service!r}; known: {known}", service=service, known=known))
    stops = False
    report = {}
    for name in [service] if service else catalog:
        spec = catalog[name]
        findings = all_in(spec, load_lock(spec.folder) or NOTHING, catalog)
        remaining = open_findings(findings, spec.accepted_findings)
        unused = outdated_in(spec, findings)
        stops |= bool(blocking(remaining))
        accepted = [finding for finding in findings if finding not in remaining]
        if as_json:
            report[name] = {
                "findings": [finding.as_json() for finding in remaining],
                "accepted": [finding.as_json() for finding in accepted],
                "outdated": [entry.model_dump() for entry in unused],
            }
        else:
            _show_service(spec, remaining, len(accepted), unused)
    if as_json:
        print_json(report)
    if stops:
        raise typer.Exit(FAILED)


def _show_service(
    spec: ServiceSpec, findings: Sequence[Finding], accepted: int, unused: Sequence[AcceptedFinding]
) -> None:
    count = tr("findings: {count}, accepted: {accepted}", count=len(findings), accepted=accepted)
    sign = "[green]✓[/]" if not blocking(findings) else "[red]✗[/]"
    out.print(f"{sign} {spec.name}: {count}")
    show(spec, findings)
    for entry in unused:
        text = tr("accepts nothing any more, remove it: {code} {tool}", code=entry.code, tool=entry.tool)
        out.print(Text(f"  ! {text}", style=STYLES[Level.WARN]))


def show(spec: ServiceSpec, findings: Sequence[Finding]) -> None:
    """Print findings, and for those that stop what to write into service.yaml to accept them."""
    for finding in findings:
        for line in finding.lines():
            out.print(Text(line, style=STYLES[finding.level]))
        if finding.level is Level.BLOCK:
            out.print(Text("      " + tr("to accept it, in mcp-servers/{service}/service.yaml:", service=spec.name)))
            for line in acceptance_lines(finding, has_source=spec.source is not None):
                out.print(Text(f"        {line}"))


def show_new(spec: ServiceSpec, before: Contract, after: Contract) -> None:
    """Print what the scan finds in the contract `after` that was not in the contract `before`."""
    # Without the lock files: one that cannot be read must not prevent writing a new one.
    show(spec, new_findings(spec, before, after, load_catalog(contracts.SERVERS, locks=False)))
