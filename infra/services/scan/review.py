"""Finds what the scan says of a service, and refuses services with findings that stop and that nobody accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import yaml

from infra.schema.problems import ConfigurationError, Problem
from infra.services.catalog import SPEC_FILE, ServiceSpec
from infra.services.contract import LOCK_FILE, Contract, load_lock
from infra.services.scan.findings import Finding, blocking, open_findings, outdated
from infra.services.scan.locked_packages import locked_package
from infra.services.scan.neighbours import neighbours_of
from infra.services.scan.rules.packages import Package
from infra.services.scan.scanner import scan
from infra.services.source import AcceptedFinding
from messages import tr


def refuse_poisoned_tools(services: Iterable[ServiceSpec], catalog: Mapping[str, ServiceSpec]) -> None:
    """Raise ConfigurationError with every finding that stops one of the `services` and that nobody accepted.

    A service whose contract was promoted from elsewhere is left out: its lock file here is not what runs.
    """
    problems: list[Problem] = []
    for spec in services:
        lock = load_lock(spec.folder)
        if lock and lock.sha256 == spec.contract_sha256:
            problems += problems_of(spec, lock, catalog)
    if problems:
        raise ConfigurationError(*problems)


def problems_of(spec: ServiceSpec, contract: Contract, catalog: Mapping[str, ServiceSpec]) -> list[Problem]:
    """Return a problem for each finding in a service's contract that stops it and that nobody accepted."""
    return [_problem(spec, finding) for finding in stopping(spec, contract, catalog)]


def stopping(spec: ServiceSpec, contract: Contract, catalog: Mapping[str, ServiceSpec]) -> tuple[Finding, ...]:
    """Return the findings in a service's contract that stop it and that nobody accepted."""
    return blocking(open_in(spec, contract, catalog))


def open_in(
    spec: ServiceSpec, contract: Contract, catalog: Mapping[str, ServiceSpec], details: Package | None = None
) -> tuple[Finding, ...]:
    """Return the findings in a service's contract and in its package that nobody accepted; see `all_in`."""
    return open_findings(all_in(spec, contract, catalog, details), spec.accepted_findings)


def new_findings(
    spec: ServiceSpec, before: Contract, after: Contract, catalog: Mapping[str, ServiceSpec]
) -> tuple[Finding, ...]:
    """Return the findings in the contract `after` that nobody accepted and that the contract `before` does not have."""
    known = set(all_in(spec, before, catalog))
    return tuple(finding for finding in open_in(spec, after, catalog) if finding not in known)


def outdated_in(spec: ServiceSpec, findings: Iterable[Finding]) -> tuple[AcceptedFinding, ...]:
    """Return the acceptances of a service that accept none of the `findings` in its contract and its locks.

    Findings that only adding and updating can see are left out.
    """
    return tuple(entry for entry in outdated(findings, spec.accepted_findings) if entry.code not in _NOT_IN_LOCKS)


#: Codes for which the package's files or its registry are looked at.
_NOT_IN_LOCKS = ("S02", "S03", "S06")


def all_in(
    spec: ServiceSpec, contract: Contract, catalog: Mapping[str, ServiceSpec], details: Package | None = None
) -> tuple[Finding, ...]:
    """Return the findings in a service's contract and in its package, beside the other services of `catalog`.

    `details` is what the package's registry and its files say, which the locks do not have; None if nobody looked.
    """
    package = locked_package(spec)
    if package and details:
        package = replace(details, install_scripts=package.install_scripts, requirements=package.requirements)
    return scan(contract, neighbours_of(catalog, spec.name), package)


def _problem(spec: ServiceSpec, finding: Finding) -> Problem:
    return Problem(
        "poisoned_tool",
        f"mcp-servers/{spec.name}/{LOCK_FILE}",
        (finding.place,) if finding.place else (),
        parameters={
            "code": finding.code,
            "title": finding.title,
            "excerpt": finding.excerpt,
            "explanation": finding.explanation,
            "advice": finding.advice,
            "file": f"mcp-servers/{spec.name}/{SPEC_FILE}",
        },
        instead=tuple(acceptance_lines(finding, has_source=spec.source is not None)),
    )


def acceptance_lines(finding: Finding, *, has_source: bool) -> list[str]:
    """Return the lines of a service.yaml that accept a finding; the person writes the reason."""
    entry = {"code": finding.code, "tool": finding.tool, "sha256": finding.sha256, "reason": tr("<why it is harmless>")}
    if not finding.tool:
        del entry["tool"]
    accepted = {"accepted": [entry]}
    content = {"source": accepted} if has_source else accepted
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000).splitlines()
