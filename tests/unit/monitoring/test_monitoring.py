"""Tests the configuration and the alert rules of Prometheus with promtool."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.rendering.gateway.configuration import render as render_gateway
from infra.rendering.gateway.model import GatewayConsole, GatewayHub, GatewayNetworks, GatewayService
from infra.rendering.monitoring import render
from infra.services.catalog import ServiceSpec
from infra.settings.gateway import GatewaySettings

REPOSITORY = Path(__file__).resolve().parents[3]
RULES = sorted((REPOSITORY / "monitoring" / "rules").glob("*.yml"))
PROMTOOL = Path(sys.prefix) / "bin" / "promtool"


def promtool(*arguments: str | Path, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def service(name: str, port: int, replicas: int = 1) -> ServiceSpec:
    folder = REPOSITORY / "mcp-servers" / name
    return ServiceSpec(name=name, folder=folder, title=name, port=port, package="server", replicas=replicas)


SERVICES = [service("weibo", 8003, replicas=2), service("template", 8002)]


def jobs(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in yaml.safe_load(files["prometheus.yml"])["scrape_configs"]}


def rules_of(file: Path, kind: str) -> list[dict[str, Any]]:
    """Return the rules of a kind in the file: alert or record."""
    groups = yaml.safe_load(file.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def alerts(file: Path) -> list[str]:
    return [rule["alert"] for rule in rules_of(file, "alert")]


@pytest.mark.parametrize("cache", [True, False])
def test_prometheus_accepts_the_configuration(tmp_path: Path, cache: bool) -> None:
    for path, text in render(SERVICES, cache=cache).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    checked = promtool("check", "config", "--lint-fatal", "prometheus.yml", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("rules", RULES, ids=lambda file: file.stem)
def test_the_rules_pass_their_own_tests(rules: Path) -> None:
    tested = promtool("test", "rules", REPOSITORY / "monitoring" / "tests" / rules.name)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("rules", RULES, ids=lambda file: file.stem)
def test_each_alert_fires_in_a_test(rules: Path) -> None:
    fired = set()
    for test in yaml.safe_load((REPOSITORY / "monitoring" / "tests" / rules.name).read_text())["tests"]:
        for check in test.get("alert_rule_test", []):
            fired |= {check["alertname"]} if check["exp_alerts"] else set()
        for check in test.get("promql_expr_test", []):
            for sample in check["exp_samples"]:
                fired |= set(re.findall(r'alertname="(\w+)"', sample["labels"]))
    assert fired == set(alerts(rules))


def test_each_alert_has_a_severity_and_a_next_step() -> None:
    for file in RULES:
        for rule in rules_of(file, "alert"):
            assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
            assert " / " in rule["annotations"]["summary"], rule["alert"]
            assert rule["annotations"]["next_step"], rule["alert"]


def test_each_recorded_quantile_is_computed_in_a_test() -> None:
    for file in RULES:
        tests = (REPOSITORY / "monitoring" / "tests" / file.name).read_text()
        for rule in rules_of(file, "record"):
            assert rule["record"] in tests, rule["record"]


def test_every_replica_is_scraped_at_an_address_that_the_gateway_serves() -> None:
    targets = jobs(render(SERVICES, cache=False))["services"]["static_configs"]
    paths = [target["labels"]["__metrics_path__"] for target in targets]
    gateway = render_gateway(
        GatewaySettings(),
        [GatewayService(spec.name, spec.port, spec.title, 60, spec.replicas) for spec in SERVICES],
        [],
        GatewayNetworks(monitoring=("172.30.0.0/16",)),
    )["monitoring.conf"]
    assert paths == ["/services/template/1", "/services/weibo/1", "/services/weibo/2"]
    assert re.findall(r'"(/services/\S+)" "(\S+)";', gateway) == [
        ("/services/template/1", "template-mcp-1:8002"),
        ("/services/weibo/1", "weibo-mcp-1:8003"),
        ("/services/weibo/2", "weibo-mcp-2:8003"),
    ]
    assert {target for entry in targets for target in entry["targets"]} == {"gateway:10090"}
    assert "listen 10090;" in gateway


def test_the_hub_is_scraped_like_a_service_where_there_is_one() -> None:
    def instances(replicas: int) -> list[str]:
        targets = jobs(render(SERVICES, cache=False, hub_replicas=replicas))["services"]["static_configs"]
        return [target["labels"]["__metrics_path__"] for target in targets if target["labels"]["service"] == "hub"]

    assert instances(0) == []
    assert instances(2) == ["/services/hub/1", "/services/hub/2"]
    gateway = render_gateway(
        GatewaySettings(),
        [],
        [],
        GatewayNetworks(monitoring=("172.30.0.0/16",)),
        hub=GatewayHub("0" * 64, replicas=2),
    )["monitoring.conf"]
    assert re.findall(r'"(/services/\S+)" "(\S+)";', gateway) == [
        ("/services/hub/1", "hub-1:8070"),
        ("/services/hub/2", "hub-2:8070"),
    ]


def test_the_console_is_scraped_where_there_is_one() -> None:
    def instances(console: bool) -> list[str]:
        targets = jobs(render(SERVICES, cache=False, console=console))["services"]["static_configs"]
        return [target["labels"]["__metrics_path__"] for target in targets if target["labels"]["service"] == "console"]

    assert (instances(False), instances(True)) == ([], ["/services/console/1"])
    networks = GatewayNetworks(monitoring=("172.30.0.0/16",))
    gateway = render_gateway(GatewaySettings(), [], [], networks, console=GatewayConsole())["monitoring.conf"]
    assert re.findall(r'"(/services/\S+)" "(\S+)";', gateway) == [("/services/console/1", "console:8071")]
    assert "/services/console" not in render_gateway(GatewaySettings(), [], [], networks)["monitoring.conf"]


def test_a_service_cannot_publish_metrics_under_the_name_of_another() -> None:
    job = jobs(render(SERVICES, cache=False))["services"]
    assert not job.get("honor_labels")
    assert {"service", "replica"} < set(job["static_configs"][0]["labels"])
    assert job["sample_limit"] and job["body_size_limit"]


def test_redis_is_scraped_only_if_there_is_one() -> None:
    assert "cache" in jobs(render(SERVICES, cache=True))
    assert "cache" not in jobs(render(SERVICES, cache=False))


def test_the_order_of_the_services_makes_no_difference() -> None:
    assert render(SERVICES, cache=True) == render(reversed(SERVICES), cache=True)


@pytest.mark.parametrize(
    ("networks", "expected"), [((), []), (("172.30.0.0/16", "10.1.0.0/24"), ["172.30.0.0/16", "10.1.0.0/24"])]
)
def test_only_the_network_of_prometheus_may_read_the_metrics_of_the_gateway(
    networks: tuple[str, ...], expected: list[str]
) -> None:
    files = render_gateway(GatewaySettings(), [], [], GatewayNetworks(monitoring=networks))
    text = files["monitoring.conf"]
    assert re.findall(r'allow "(.+)";', text) == expected
    assert ("deny all;" in text) == bool(networks)
    assert ("listen 9090" in files["servers.conf"]) == bool(networks)
