"""Scans the tools of real servers from npm and PyPI: how many findings there are, and how long a scan takes.

    .venv/bin/python -m bench.scan [--folder FOLDER] [--server NAME]

Needs a network, npm and Node. The servers are installed into a temporary folder, or into FOLDER, where a second run
finds them again. Texts of others are not kept in the repository, so this is not a test.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.foreign_servers import ListingFailed, Server, contract, install, reviewed_servers
from infra.services.foreign_catalog import load
from infra.services.scan import Finding, Level, Package, open_findings, scan
from infra.services.source import Source

#: Servers that are not in the catalogue, as they need a desktop's browser, an account or another server.
OTHERS = (
    Server(
        "everything", Source(npm="@modelcontextprotocol/server-everything@2026.8.31", command="mcp-server-everything")
    ),
    Server("chrome-devtools", Source(npm="chrome-devtools-mcp@1.11.0", command="chrome-devtools-mcp")),
    Server("weibo-of-others", Source(pypi="mcp-server-weibo==1.3.4", command="mcp-server-weibo")),
    Server("redis", Source(pypi="redis-mcp-server==0.5.1", command="redis-mcp-server")),
    Server("feishu-bot", Source(pypi="feishu-mcp==0.2.2", command="feishu-mcp", requirements=("mcp<2",))),
)


@dataclass(frozen=True)
class Listed:
    """A server with its contract, and what is known of its package."""

    server: Server
    contract: Mapping[str, Any]
    package: Package


def listed(server: Server, folder: Path) -> Listed | None:
    """Install a server and list its tools; print why that failed."""
    try:
        command, package = install(server, folder / server.name)
        return Listed(server, json.loads(contract(server, command, folder / server.name)), package)
    except (ListingFailed, OSError, KeyError) as error:
        print(f"{server.name}: not listed: {error}")
        return None


def table(findings: Mapping[str, tuple[Finding, ...]], tools: Mapping[str, int], seconds: float) -> str:
    """Return the number of findings by server as Markdown."""
    lines = ["| server | tools | stops | warnings | notes |", "|---|---|---|---|---|"]
    totals: Counter[Level] = Counter()
    for name, items in findings.items():
        counts = Counter(finding.level for finding in items)
        totals += counts
        shown = [", ".join(sorted({item.code for item in items if item.level is level})) for level in Level]
        lines.append(f"| {name} | {tools[name]} | " + " | ".join(code or "–" for code in shown) + " |")
    counted = " | ".join(str(totals[level]) for level in Level)
    lines.append(f"| all {len(findings)} | {sum(tools.values())} | {counted} |")
    return "\n".join([*lines, "", f"One scan of all: {seconds:.2f} s."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--server", action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        wanted = [
            server for server in (*reviewed_servers(), *OTHERS) if server.name in (options.server or [server.name])
        ]
        everything = [item for server in wanted if (item := listed(server, folder))]
    names = {item.server.name: (item.server.name, *item.contract["tools"]) for item in everything}
    accepted = {name: entry.source.accepted for name, entry in load(Path("mcp-servers")).items()}
    findings: dict[str, tuple[Finding, ...]] = {}
    begun = time.process_time()
    for item in everything:
        neighbours = {name: texts for name, texts in names.items() if name != item.server.name}
        findings[item.server.name] = scan(item.contract, neighbours, item.package)
    seconds = time.process_time() - begun
    for name, items in findings.items():
        for finding in open_findings(items, accepted.get(name, ())):
            if finding.level is not Level.INFO:
                print(name, *finding.lines()[:2], f"      sha256: {finding.sha256}", sep="\n")
    print(table(findings, {item.server.name: len(item.contract["tools"]) for item in everything}, seconds))


if __name__ == "__main__":
    main()
