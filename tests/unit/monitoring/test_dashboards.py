"""Tests the dashboards: Grafana can import them, and each query can be read and names existing metrics of services."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.promql import BUILT_IN, DASHBOARDS, RULES, dashboard, metrics_of, queries, recorded, rules
from tests.support.service_metrics import metric_names

PROMTOOL = Path(sys.prefix) / "bin" / "promtool"
#: Metrics of Prometheus, of the gateway and of Redis' exporter, which tests/gateway compares with the real ones.
OTHERS = ("prometheus_", "dyber_gateway_", "redis_")
each = pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('sum by (a) (rate(x_total{b="c"}[5m])) / on (a) y', {"x_total", "y"}),
        ("a:b:p95 > 0.5 or vector(0)", {"a:b:p95"}),
        ('max by (s) (max_over_time(z[3d])) == 1 and up{job="sum"}', {"z", "up"}),
    ],
)
def test_the_names_of_metrics_are_read_from_a_query(query: str, names: set[str]) -> None:
    assert metrics_of(query) == names


def test_there_are_the_four_dashboards() -> None:
    assert [file.stem for file in DASHBOARDS] == ["gateway", "logins", "overview", "service"]
    assert len({dashboard(file)["uid"] for file in DASHBOARDS}) == len(DASHBOARDS)


@each
def test_grafana_can_import_it_with_any_prometheus(file: Path) -> None:
    content = dashboard(file)
    assert content["uid"] == f"dyber-{file.stem}" and content["schemaVersion"] == 42
    assert "id" not in content
    names = [variable["name"] for variable in content["templating"]["list"]]
    assert names[0] == "datasource" and content["templating"]["list"][0]["type"] == "datasource"
    panels = content["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels:
        assert panel["datasource"] == chosen, panel["title"]
        assert all(target["datasource"] == chosen for target in panel["targets"]), panel["title"]


@each
def test_titles_are_chinese_and_descriptions_english(file: Path) -> None:
    content = dashboard(file)
    for item in [content, *content["panels"]]:
        assert re.search(r"[\u4e00-\u9fff]", item["title"]) or item["title"] == "CPU", item["title"]
        assert re.fullmatch(r"[A-Z0-9][ -~]+\.", item["description"]), item["title"]


@each
def test_panels_do_not_overlap_and_fit_the_width(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(file)["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


@each
def test_prometheus_can_read_each_query(file: Path, tmp_path: Path) -> None:
    read = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(queries(file))]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": read}]}))
    checked = subprocess.run(
        [PROMTOOL, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@each
def test_each_query_names_metrics_that_exist(file: Path, tmp_path: Path) -> None:
    known = metric_names(tmp_path) | recorded() | BUILT_IN
    for title, query in queries(file):
        names = metrics_of(query)
        assert names, title
        assert {name for name in names if not name.startswith(OTHERS)} <= known, title


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_each_alert_is_about_metrics_that_exist(file: Path, tmp_path: Path) -> None:
    known = metric_names(tmp_path) | recorded() | BUILT_IN
    for name, query in rules(file, "alert"):
        assert {metric for metric in metrics_of(query) if not metric.startswith(OTHERS)} <= known, name
