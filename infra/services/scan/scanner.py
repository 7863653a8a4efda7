"""Scans a contract, and the package it comes from, for texts that mislead agents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from infra.services.contract import Contract
from infra.services.scan.findings import Finding, Level
from infra.services.scan.normalising import shown
from infra.services.scan.rules import (
    concealing,
    conversation,
    forcing,
    hiding,
    interface,
    overriding,
    secret_sources,
    sending,
)
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.interface import Neighbours
from infra.services.scan.rules.packages import Package, package_hits
from infra.services.scan.texts import Kind, Text, Tool, content_hash, other_texts, tools_of

_TEXT_RULES = (
    concealing.conceal,
    overriding.override,
    overriding.role_tags,
    forcing.forced_order,
    forcing.emphasis,
    hiding.hidden_text,
    hiding.invisible,
    hiding.encoded,
    secret_sources.secret_source,
    sending.send_away,
    conversation.history,
)
_TOOL_RULES = (interface.lie, interface.odd_parameters, interface.length)
#: Sending away, or wanting the conversation, makes a block of a source of secrets in the same text.
_CARRYING = ("T07", "T08")


def scan(
    contract: Contract | Mapping[str, Any],
    neighbours: Neighbours | None = None,
    package: Package | None = None,
    today: datetime | None = None,
) -> tuple[Finding, ...]:
    """Return everything in a contract that may mislead an agent, the worst first.

    `contract` may also be the content of a lock file, or any value that JSON has. `neighbours` are the other services:
    by name, the names of their tools and their titles. `package` is what is known of the package; `today` is the time
    that its age is counted to. The order of tools and keys makes no difference.
    """
    document = _document(contract)
    tools = tools_of(document)
    names = _names(tools)
    homepage = package.homepage if package else ""
    findings: list[Finding] = []
    for tool in tools:
        siblings = _names(other for other in tools if other is not tool)
        findings += _of_texts(tool.texts, names, siblings, neighbours or {}, homepage)
        findings += (_finding(hit, tool.name, (), tool.sha256) for rule in _TOOL_RULES for hit in rule(tool))
    findings += _of_texts(other_texts(document), names, names, neighbours or {}, homepage)
    whole = content_hash(sorted(tool.sha256 for tool in tools))
    findings += (_finding(hit, "", (), whole) for hit in interface.list_length(tools))
    if package:
        hits = package_hits(package, today or datetime.now(UTC))
        findings += (_finding(hit, "", (), _package_hash(package, hit)) for hit in hits)
    return tuple(sorted(_distinct(findings), key=_order))


def scan_package(package: Package, today: datetime | None = None) -> tuple[Finding, ...]:
    """Return what is odd about a package alone, before its tools are known."""
    return scan({}, package=package, today=today)


def _document(contract: Any) -> Mapping[str, Any]:
    if isinstance(contract, Contract):
        return {"tools": contract.tools, **contract.others}
    return contract if isinstance(contract, Mapping) else {"tools": contract}


def _names(tools: Iterable[Tool]) -> list[str]:
    return [name for tool in tools for name in (tool.name, tool.title) if name]


def _of_texts(
    texts: Iterable[Text], names: list[str], siblings: list[str], neighbours: Neighbours, homepage: str
) -> Iterator[Finding]:
    """Yield the findings in texts; `names` are those of the whole service, `siblings` those of its other tools."""
    for text in texts:
        hits = [hit for rule in _TEXT_RULES for hit in rule(text)]
        hits += interface.shadow(text, names, neighbours)
        hits += interface.links(text, homepage)
        if text.kind is not Kind.PROSE:
            hits += interface.name_tricks(text, siblings, neighbours)
        for hit in _weighed(hits, siblings):
            yield _finding(hit, text.tool, text.path, text.sha256)


def _weighed(hits: list[Hit], siblings: list[str]) -> Iterator[Hit]:
    """Yield the hits in one text, each with the weight that it has beside the others."""
    codes = {hit.code for hit in hits}
    for hit in hits:
        if hit.code == "T06" and codes.intersection(_CARRYING):
            yield replace(hit, level=Level.BLOCK)
        elif hit.code == "T09":
            # A tool may say that it comes before another of the same server.
            if any(name in hit.words for name in siblings if len(name) > 2):
                continue
            others = [other.level for other in hits if other.code != "T09"]
            yield replace(hit, level=Level.WARN) if min(others, default=Level.INFO) < Level.INFO else hit
        else:
            yield hit


def _finding(hit: Hit, tool: str, path: tuple[str, ...], sha256: str) -> Finding:
    details = {name: shown(value) for name, value in hit.details.items()}
    return Finding(hit.code, hit.level, tool, path, shown(hit.words), sha256, details)


def _package_hash(package: Package, hit: Hit) -> str:
    return content_hash([package.kind, package.name, package.version, hit.code, hit.words])


def _distinct(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings without repetitions: the same words of a tool count once, at the first place."""
    same: dict[tuple[str, str, str, tuple[tuple[str, str], ...]], list[Finding]] = defaultdict(list)
    for finding in findings:
        same[finding.code, finding.tool, finding.excerpt, tuple(sorted(finding.details.items()))].append(finding)
    for repeated in same.values():
        yield min(repeated, key=_order)


def _order(finding: Finding) -> tuple[Any, ...]:
    place = (finding.tool, len(finding.path), finding.path)
    return (finding.level, finding.code, *place, finding.excerpt, sorted(finding.details.items()))
