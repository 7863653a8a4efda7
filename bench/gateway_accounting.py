"""Measures what the gateway spends on counting a request: counters, histogram and breaker, without the request itself.

    .venv/bin/python -m bench.gateway_accounting [--requests 200000]

A real gateway runs the counting alone in a loop, so the result does not depend on callers or on the network. The zones
hold as many series as a large stack has: 30 services with 100 tools and 20 clients.
"""

from __future__ import annotations

import argparse
import statistics

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayService
from tests.gateway.conftest import NGINX_FOLDER, started
from tests.gateway.support.docker_cli import build_image, docker
from tests.gateway.support.gateway_under_test import CLIENT, SETTINGS, GatewayUnderTest

ROUNDS = 5
SERVICES, TOOLS, CLIENTS = 30, 4, 20
#: Counts requests of all series in turn and answers with the microseconds of each. The object stands for the variables
#: of a request; reading those of a real request costs a little more.
MODULE = """
import accounting from 'njs/accounting.js';

function run(r) {
    const requests = Number(r.variables.arg_requests);
    const variables = [];
    for (let index = 0; index < %(services)d * %(tools)d; index++) {
        const service = `service-${index %% %(services)d}`;
        variables.push({
            service, tool: `${service}_tool-${index %% %(tools)d}`, status: index %% 10 ? '200' : '404',
            gateway_error: '', streaming_client: '', request_time: String((index %% 50) / 100),
        });
    }
    const begun = Date.now();
    for (let index = 0; index < requests; index++) {
        const v = variables[index %% variables.length];
        v.client = `client-${index %% %(clients)d}`;
        accounting.account({ variables: v, log: () => {} });
    }
    r.return(200, String((Date.now() - begun) * 1000 / requests) + '\\n');
}

export default { run };
"""


def configured(gateway: GatewayUnderTest) -> None:
    """Give the gateway a configuration with the address of the benchmark."""
    services = [
        GatewayService(f"service-{number}", 9000 + number, "x", 5, read_tools=tuple(names(f"service-{number}")))
        for number in range(SERVICES)
    ]
    files = render(SETTINGS, services, [CLIENT])
    files["njs/bench.js"] = MODULE % {"services": SERVICES, "tools": TOOLS, "clients": CLIENTS}
    files["gateway.conf"] += (
        "\nlocation = /bench {\n    js_import bench from njs/bench.js;\n    js_content bench.run;\n}\n"
    )
    loaded = gateway.load(files)
    if loaded.exit_code:
        raise SystemExit(loaded.stderr)


def names(service: str) -> list[str]:
    return [f"{service}_tool-{number}" for number in range(TOOLS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=200_000, help="requests per round")
    options = parser.parse_args()
    with started(build_image(NGINX_FOLDER)) as gateway:
        configured(gateway)
        rounds = [float(gateway.request(f"/bench?requests={options.requests}").body) for _ in range(ROUNDS)]
        report = gateway.request("/metrics").body
        memory = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", gateway.name).split("/")[0].strip()
    print("| a request is counted in | series reported | size of /metrics | memory of the gateway |\n|---|---|---|---|")
    series = sum(not line.startswith(b"#") for line in report.splitlines())
    print(f"| {statistics.median(rounds):.1f} us | {series} | {len(report) / 1024:.0f} KiB | {memory} |")


if __name__ == "__main__":
    main()
