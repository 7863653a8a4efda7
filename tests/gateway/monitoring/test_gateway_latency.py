"""Tests with promtool that Prometheus understands the metrics of a real gateway and computes quantiles from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.rendering.monitoring import MONITORING_FOLDER
from tests.gateway.support.calls import wait_until_reached
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import ALPHA, GatewayUnderTest

PROMTOOL = Path(sys.prefix) / "bin" / "promtool"
RULES = MONITORING_FOLDER / "rules" / "latency.yml"
HISTOGRAM = "dyber_gateway_request_seconds"


def scrape(gateway: GatewayUnderTest) -> dict[str, float]:
    """Return the values of all series by their names and labels, as they are written."""
    lines = gateway.request("/metrics").body.decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {series: float(value) for series, _, value in pairs}


def computed(folder: Path, before: dict[str, float], after: dict[str, float], expression: str, value: float) -> str:
    """Return what promtool says of a value that the rules should give for alpha; empty if they give it.

    The gateway is taken to be scraped every 15 s: once with the values `before`, from then on with those `after`.
    """
    series = [
        {"series": name, "values": f"{before.get(name, 0)} {number}x30"}
        for name, number in after.items()
        if name.startswith(f"{HISTOGRAM}_bucket")
    ]
    expected = {"expr": expression, "eval_time": "4m", "exp_samples": [{"labels": '{service="alpha"}', "value": value}]}
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [expected]}],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(test))
    tested = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False)
    return "" if tested.returncode == 0 else tested.stdout + tested.stderr


def test_prometheus_has_no_objection_to_the_metrics(gateway: GatewayUnderTest) -> None:
    gateway.request("/api/alpha/ready")
    wait_until(lambda: any(HISTOGRAM in series for series in scrape(gateway)), "a request is counted")
    body = gateway.request("/metrics").body
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("milliseconds", "low", "high"), [(300, 0.2, 0.5), (1300, 1, 2)], ids=["a third of a second", "over a second"]
)
def test_quantiles_of_real_requests_are_in_the_bucket_of_their_duration(
    own_gateway: GatewayUnderTest, tmp_path: Path, milliseconds: int, low: float, high: float
) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    wait_until_reached(own_gateway, 1)
    slower = f'{HISTOGRAM}_bucket{{service="alpha",outcome="ok",le="{high}"}}'
    before = scrape(own_gateway)
    for _ in range(3):
        own_gateway.request(f"/api/alpha/slow?milliseconds={milliseconds}")
    wait_until(lambda: scrape(own_gateway)[slower] >= before[slower] + 3, "the requests are counted")
    after = scrape(own_gateway)
    for quantile in ("p50", "p95", "p99"):
        name = f'service:{HISTOGRAM}:{quantile}{{service="alpha"}}'
        assert computed(tmp_path, before, after, f"({name} > bool {low}) * ({name} <= bool {high})", 1) == ""
