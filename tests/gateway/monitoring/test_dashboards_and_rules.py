"""Tests the queries of dashboards and rules with the real Prometheus, and their metrics with the real gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.parts.monitoring import MONITORING_UID
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.monitoring_image import IMAGE, build
from tests.support.promql import DASHBOARDS, RULES, metrics_of, queries, rules

#: Asks Prometheus each query of stdin, and prints those that it refuses.
ASK = """
while IFS= read -r query; do
    promtool query instant http://127.0.0.1:9090 "$query" >/tmp/answer 2>&1 || { echo "$query"; cat /tmp/answer; }
done
"""


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    """The name of the container of a Prometheus that has only its own metrics."""
    build()
    name = unique("prometheus")
    try:
        docker(
            "run", "--detach", "--name", name, "--label", LABEL, "--network=none", f"--user={MONITORING_UID}",
            *CONFINED, *READ_ONLY, "--tmpfs=/data:mode=0777", IMAGE,
            "prometheus", "--config.file=/etc/dyber/current/prometheus.yml", "--storage.tsdb.path=/data",
        )  # fmt: skip
        wait_until(lambda: _ready(name), "Prometheus is ready", 60)
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def _ready(name: str) -> bool:
    try:
        docker("exec", name, "/usr/local/bin/monitoring-healthcheck", "/-/ready")
    except AssertionError:
        return False
    return True


def all_queries() -> list[tuple[str, str]]:
    """Return all queries of dashboards and rules, each after the name of its panel or rule."""
    shown = [item for file in DASHBOARDS for item in queries(file)]
    return [*shown, *(item for file in RULES for kind in ("alert", "record") for item in rules(file, kind))]


def test_prometheus_answers_every_query(prometheus: str) -> None:
    lines = [" ".join(query.split()) for _, query in all_queries()]
    assert len(lines) > 80
    refused = docker("exec", "--interactive", prometheus, "bash", "-c", ASK, stdin="\n".join([*lines, ""]).encode())
    assert refused == ""


def test_prometheus_refuses_a_query_that_is_wrong(prometheus: str) -> None:
    assert "parse error" in docker("exec", "--interactive", prometheus, "bash", "-c", ASK, stdin=b"sum by (\n")


def test_the_gateway_has_every_metric_of_its_own_that_they_name(gateway: GatewayUnderTest) -> None:
    gateway.request("/api/alpha/ready")
    families = list(text_string_to_metric_families(gateway.request("/metrics").body.decode()))
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    known = {f"{family.name}{ending}" for family in families for ending in endings.get(family.type, ("",))}
    named = {name for _, query in all_queries() for name in metrics_of(query) if name.startswith("dyber_gateway_")}
    assert len(named) > 9
    assert named <= known


def test_prometheus_has_every_metric_of_its_own_that_they_name(prometheus: str) -> None:
    script = "exec 3<>/dev/tcp/127.0.0.1/9090; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    shown = docker("exec", prometheus, "bash", "-c", script)
    named = {name for _, query in all_queries() for name in metrics_of(query) if name.startswith("prometheus_")}
    # A rule's failures are counted once there are rules, which this Prometheus has not.
    assert {name for name in named if f"# TYPE {name} " not in shown} <= {"prometheus_rule_evaluation_failures_total"}
