"""Reads the queries of dashboards and rules, and the names of the metrics in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).resolve().parents[2] / "monitoring"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
RULES = sorted((MONITORING / "rules").glob("*.yml"))
#: Variables of Grafana in queries, and what stands in their place in tests.
VARIABLES = {"$__rate_interval": "5m", "$service": "weibo"}
#: Metrics that Prometheus makes itself.
BUILT_IN = {"up", "ALERTS"}
_WORDS = {"and", "or", "unless", "bool"}
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")


def dashboard(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def queries(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the title of each panel of a dashboard and each of its queries, without variables."""
    for panel in dashboard(file)["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            yield panel["title"], query


def rules(file: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the query of each rule of a kind in a file: alert or record."""
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
        yield from ((rule[kind], rule["expr"]) for rule in group["rules"] if kind in rule)


def metrics_of(query: str) -> set[str]:
    """Return the names of the metrics in a query."""
    bare = re.sub(r'"[^"]*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", bare)
    bare = _LABELS.sub(" ", bare)
    names = re.findall(r"(?<![\w.:])([A-Za-z_][\w:]*)(?!\s*\()\b", bare)
    return {name for name in names if name not in _WORDS and not re.search(rf"\b{re.escape(name)}\s*\(", bare)}


def recorded() -> set[str]:
    """Return the names of the metrics that rules record."""
    return {name for file in RULES for name, _ in rules(file, "record")}
