"""Looks for poisoned tools: texts in a contract that mislead agents, and packages that are not what they seem.

`scan(contract, neighbours, package)` returns findings; a finding of the level BLOCK stops a service from being added or
deployed until a person accepts it. Nothing here knows Docker, Pulumi or the network.
"""

from infra.services.scan.findings import Finding, Level, blocking, open_findings, outdated
from infra.services.scan.rules.interface import Neighbours
from infra.services.scan.rules.packages import Package, read_sources
from infra.services.scan.scanner import scan, scan_package

__all__ = [
    "Finding",
    "Level",
    "Neighbours",
    "Package",
    "blocking",
    "open_findings",
    "outdated",
    "read_sources",
    "scan",
    "scan_package",
]
