"""Runs the official conformance suite of the protocol against a server."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.node_programs import NodePrograms

#: The revisions of the protocol whose required scenarios are run.
REVISIONS = ("2025-11-25", "2026-07-28")
SUITE = "@modelcontextprotocol/conformance/dist/index.js"
#: Scenarios that the suite runs beside the required ones and that are left out: extensions that the kit does not have
#: (tasks, skills), and two that no revision requires and for which the suite's own reference server fails: schemas of
#: arguments that refer to others, which the kit refuses, and streams that are resumed, which need sessions with memory.
LEFT_OUT = re.compile(r"tasks-.*|sep-2640-.*|json-schema-2020-12|server-sse-polling")
_RESULT_FOLDER = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z")


@dataclass
class Score:
    """Counts the checks by scenario and outcome; `failures` tells those that failed."""

    checks: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> dict[str, int]:
        """Return how many checks passed, by scenario."""
        return {scenario: counts["SUCCESS"] for scenario, counts in self.checks.items()}


def required_scenarios(programs: NodePrograms, revision: str) -> set[str]:
    """Return the names of the server scenarios that a revision of the protocol requires."""
    listed = programs.run(SUITE, "list", "--requirements", revision).stdout
    servers = listed.partition("Server scenarios")[2].partition("Client scenarios")[0]
    return set(re.findall(r"^  - (\S+)$", servers, re.MULTILINE))


def run_suite(programs: NodePrograms, url: str, revision: str, results: Path) -> Score:
    """Run all server scenarios of a revision against the MCP address `url`; `results` is a folder for their results."""
    run = programs.run(SUITE, "server", "--url", url, "--requirements", revision, "--output-dir", str(results))
    score = Score()
    for file in sorted(results.glob("server-*/checks.json")):
        match = _RESULT_FOLDER.fullmatch(file.parent.name)
        assert match is not None, file
        scenario = match["scenario"]
        if LEFT_OUT.fullmatch(scenario):
            continue
        checks = json.loads(file.read_text(encoding="utf-8"))
        score.checks[scenario] = Counter(check["status"] for check in checks)
        score.failures += [
            f"{scenario}: {check['id']}: {check.get('errorMessage')}"
            for check in checks
            if check["status"] == "FAILURE"
        ]
    assert score.checks, f"the suite wrote no results:\n{run.stdout[-3000:]}{run.stderr[-3000:]}"
    return score
