"""Compares tools/call through the gateway with calls of the same server directly.

    .venv/bin/python bench/gateway_overhead.py

Runs a container of template's deployed image, published on loopback, behind a front and a gateway of the deployed
images, all confined as in a deployment. Both ways take turns, so that other work on the machine slows both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import statistics
import time

import httpx2

from infra.rendering.gateway.model import GatewayClient, GatewayService
from infra.settings.gateway import GatewaySettings, LimitSettings
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from tests.gateway.support.front_under_test import FrontUnderTest
from tests.gateway.support.gateway_under_test import GatewayUnderTest

TOKEN = "0f" * 32
TEMPLATE = GatewayService("template", 8002, "模板", 60, requests_per_second=100_000)
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "template_echo",
        "arguments": {"text": "x" * 64},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "template_echo",
}


async def measure(url: str, calls: int, concurrency: int) -> tuple[float, list[float]]:
    """Return the calls per second and the seconds of each call. Every response must be a result."""
    times: list[float] = []
    remaining = iter(range(calls))

    async def caller(client: httpx2.AsyncClient) -> None:
        for _ in remaining:
            begun = time.perf_counter()
            answer = await client.post(url, json=CALL)
            times.append(time.perf_counter() - begun)
            if answer.status_code != 200 or '"isError":true' in answer.text:
                raise AssertionError(f"{url}: {answer.status_code} {answer.text[:200]}")

    async with httpx2.AsyncClient(headers=HEADERS, timeout=30) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(caller(client) for _ in range(concurrency)))
        return calls / (time.perf_counter() - begun), times


def percentile(values: list[float], part: float) -> float:
    """Return a percentile of seconds, in milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000


async def compare(urls: dict[str, str], calls: int, concurrency: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in urls}
    times: dict[str, list[float]] = {name: [] for name in urls}
    for url in urls.values():
        await measure(url, 50, concurrency)
    for _ in range(rounds):
        for name, url in urls.items():
            rate, seconds = await measure(url, calls, concurrency)
            rates[name].append(rate)
            times[name] += seconds
    for name in urls:
        print(
            f"| {concurrency} | {name} | {statistics.median(rates[name]):.0f} "
            f"| {percentile(times[name], 0.5):.2f} | {percentile(times[name], 0.99):.2f} |"
        )
    ratio = statistics.median(rates["gateway"]) / statistics.median(rates["direct"])
    added = percentile(times["gateway"], 0.5) - percentile(times["direct"], 0.5)
    print(f"| {concurrency} | ratio gateway/direct | {ratio:.2f} | +{added:.2f} ms | |")


def newest(repository: str) -> str:
    """Return the newest image of this name."""
    images = docker("images", repository, "--format", "{{.Repository}}:{{.Tag}}").split()
    if not images:
        raise SystemExit(f"no image {repository}: run ./deploy.sh first")
    return images[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=400, help="calls per round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    front = FrontUnderTest(newest("dyber-front"), GatewayUnderTest(newest("dyber-gateway")))
    gateway = front.gateway
    server = unique("template")
    front.start()
    gateway.others.append(server)
    try:
        docker(
            "run", "--detach", "--name", server, "--label", LABEL, "--network", gateway.network, "--network-alias",
            "template-mcp", "--network-alias", "template-mcp-1", "--publish", "127.0.0.1::8002", "--env", "PORT=8002",
            "--env", "HOST=0.0.0.0", "--env", "DYBER_SERVICE=template", *CONFINED, *READ_ONLY, newest("dyber-template"),
        )  # fmt: skip
        client = GatewayClient("bench", (hashlib.sha256(TOKEN.encode()).hexdigest(),))
        front.configure(GatewaySettings(limits=LimitSettings(burst=100_000)), (TEMPLATE,), (client,))
        direct = docker("port", server, "8002/tcp").strip()
        urls = {"direct": f"http://{direct}/mcp", "gateway": f"http://127.0.0.1:{front.port(80)}/api/template/mcp"}

        def answers() -> bool:
            try:
                return httpx2.get(f"http://{direct}/ready").status_code == 200
            except httpx2.HTTPError:
                return False

        wait_until(answers, "the server is ready")
        print("| concurrency | path | calls/s | p50 ms | p99 ms |\n|---|---|---|---|---|")
        for concurrency in (1, 16, 64):
            asyncio.run(compare(urls, options.calls, concurrency, options.rounds))
    finally:
        front.stop()


if __name__ == "__main__":
    main()
