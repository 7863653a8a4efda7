"""Tests the metrics that only the network of Prometheus may read, and the pages of Prometheus behind the gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.rendering.gateway.model import GatewayNetworks
from tests.gateway.support.certificates import Authority
from tests.gateway.support.docker_cli import CONFINED, LABEL, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import ABSENT, ALPHA, SETTINGS, GatewayUnderTest, changed


@pytest.fixture(scope="module")
def monitored(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """A gateway with a service in the network of Prometheus, unlike in a deployment."""
    running = GatewayUnderTest(gateway_image, ports=(80, 443, 9090))
    try:
        running.start()
        running.backend("alpha")
        subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", running.network)
        settings = changed(SETTINGS, tls={"source": "files"})
        services = (replace(ALPHA, replicas=2), ABSENT)
        running.configure(settings, services, networks=GatewayNetworks(monitoring=(subnet,)))
        yield running
    finally:
        running.stop()


def read_metrics(gateway: GatewayUnderTest, path: str, container: str | None = None) -> tuple[int, str]:
    """Return status and body of a path at the address for metrics.

    The request comes from `container`, by default from one in the network of Prometheus.
    """
    script = (
        f"exec 3<>/dev/tcp/{gateway.name}/10090; "
        f"printf 'GET {path} HTTP/1.0\\r\\nHost: gateway:10090\\r\\nAuthorization: Bearer x\\r\\n\\r\\n' >&3; cat <&3"
    )
    head, _, body = docker("exec", container or gateway.others[0], "bash", "-c", script).partition("\r\n\r\n")
    return int(head.split()[1]), body


def test_the_gateways_own_metrics_need_no_token_in_the_network_of_prometheus(monitored: GatewayUnderTest) -> None:
    status, body = read_metrics(monitored, "/metrics")
    assert status == 200
    assert "dyber_gateway_requests" in {family.name for family in text_string_to_metric_families(body)}


def test_the_metrics_of_a_replica_are_read_without_the_headers_of_the_caller(
    monitored: GatewayUnderTest,
) -> None:
    wait_until(lambda: read_metrics(monitored, "/services/alpha/1")[0] == 200, "alpha is reached")
    seen = json.loads(read_metrics(monitored, "/services/alpha/1")[1])
    assert (seen["method"], seen["uri"]) == ("GET", "/metrics")
    assert "authorization" not in {name.lower() for name in seen["headers"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/services/alpha/2", 502),
        (f"/services/{ABSENT.name}/1", 502),
        ("/services/alpha/3", 404),
        ("/services/alpha/1/ready", 404),
        ("/services/other/1", 404),
        ("/api/alpha/ready", 404),
    ],
)
def test_other_paths_are_not_served(monitored: GatewayUnderTest, path: str, status: int) -> None:
    answer, body = read_metrics(monitored, path)
    assert (answer, json.loads(body)["code"]) == (status, "metrics_only")


def test_another_network_may_not_read_metrics(monitored: GatewayUnderTest) -> None:
    network, stranger = unique("network"), unique("stranger")
    docker("network", "create", "--label", LABEL, network)
    try:
        docker("network", "connect", network, monitored.name)
        docker(
            "run", "--detach", "--name", stranger, "--label", LABEL, "--network", network, *CONFINED,
            monitored.image, "sleep", "60",
        )  # fmt: skip
        for path in ("/metrics", "/services/alpha/1"):
            status, body = read_metrics(monitored, path, stranger)
            assert (status, json.loads(body)["code"]) == (403, "metrics_only"), path
    finally:
        docker("rm", "--force", stranger)
        docker("network", "disconnect", network, monitored.name)
        docker("network", "rm", network)


@pytest.mark.parametrize(("days", "key"), [(90, "ec:prime256v1"), (14000, "rsa:2048")])
def test_metrics_show_the_end_of_the_certificate(monitored: GatewayUnderTest, days: int, key: str) -> None:
    pair = Authority(monitored.others[0]).issue("pet.example", days=days, key=key)
    files = {"certificate.pem": pair.chain, "key.pem": pair.key, "tls.names": "DNS:pet.example\n"}
    stored = monitored.load(files, "/usr/local/bin/store-certificate /staging")
    assert stored.exit_code == 0, stored.stderr
    end = datetime.fromisoformat(stored.stdout.split("notAfter=")[1].strip()).astimezone(UTC)

    def certificate_end() -> list[float]:
        families = text_string_to_metric_families(read_metrics(monitored, "/metrics")[1])
        return [
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "dyber_gateway_certificate_end_seconds"
        ]

    assert certificate_end() == [end.timestamp()]


def test_the_pages_of_prometheus_need_no_token_but_a_known_host_and_no_foreign_page(
    monitored: GatewayUnderTest,
) -> None:
    # There is no Prometheus here; the error shows that the gateway tried to reach it.
    absent = monitored.request("/", port=9090, token=None)
    assert (absent.status, absent.json()["code"], absent.json()["service"]) == (502, "service_down", "prometheus")
    foreign = monitored.request("/", port=9090, token=None, headers={"Host": "rebound.example:9090"})
    assert (foreign.status, foreign.json()["code"]) == (421, "unknown_host")
    page = monitored.request("/api/v1/query", port=9090, token=None, headers={"Origin": "https://foreign.example"})
    assert (page.status, page.json()["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("path", ["/-/quit", "/-/reload"])
def test_prometheus_cannot_be_stopped_or_reloaded_from_outside(monitored: GatewayUnderTest, path: str) -> None:
    assert monitored.request(path, port=9090, method="POST").status == 404


def test_the_links_of_alerts_lead_to_the_pages_that_debian_has(monitored: GatewayUnderTest) -> None:
    answer = monitored.request("/graph?g0.expr=up", port=9090)
    assert (answer.status, answer.headers["Location"]) == (302, "/classic/graph?g0.expr=up")
