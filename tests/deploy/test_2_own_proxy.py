"""A stock Nginx with TLS in front of the gateway: one proxy_pass, and everything else by default."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.deploy.checkout import BASE, STACK, TEST_LABEL, Checkout, docker, inspect

NAME = f"dyber-{STACK}-own-proxy"
#: Host becomes the address after proxy_pass, answers are held back and compressed, and HTTP/1.0 is spoken.
CONFIGURATION = """\
pid /tmp/own-proxy.pid;
error_log stderr;
events {{ }}
http {{
    client_body_temp_path /tmp/client; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    access_log off;
    gzip on;
    gzip_proxied any;
    gzip_types text/plain text/event-stream application/json;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate /own-proxy/certificate.pem;
        ssl_certificate_key /own-proxy/key.pem;
        location / {{
            proxy_http_version 1.0;
            proxy_pass {gateway};
        }}
    }}
}}
"""


@dataclass(frozen=True)
class OwnProxy:
    """Where the proxy answers, and what its certificate is trusted by."""

    base: str
    trusted: ssl.SSLContext


@pytest.fixture(scope="module")
def own_proxy(deployed: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnProxy]:
    folder = tmp_path_factory.mktemp("own-proxy")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_certificate(folder)
    (folder / "nginx.conf").write_text(CONFIGURATION.format(port=port, gateway=BASE))
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)
    image = inspect("gateway")["Image"]
    docker(
        "run", "--detach", "--name", NAME, "--label", TEST_LABEL, "--network", "host", "--no-healthcheck",
        "--volume", f"{folder}:/own-proxy:ro", image, "nginx", "-c", "/own-proxy/nginx.conf", "-g", "daemon off;",
    )  # fmt: skip
    try:
        trusted = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
        yield OwnProxy(f"https://127.0.0.1:{port}", trusted)
    finally:
        docker("rm", "--force", NAME)


def make_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
         "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


@asynccontextmanager
async def through(own_proxy: OwnProxy, transport: str, token: str) -> AsyncIterator[Client]:
    """The official SDK's client of template, through the proxy."""
    headers = {"Authorization": f"Bearer {token}"}
    if transport == "sse":

        def trusting(**options: Any) -> httpx2.AsyncClient:
            return httpx2.AsyncClient(verify=own_proxy.trusted, **options)

        url = f"{own_proxy.base}/api/template/mcp/sse"
        async with Client(sse_client(url, headers=headers, httpx_client_factory=trusting), mode="legacy") as client:
            yield client
        return
    async with httpx2.AsyncClient(headers=headers, verify=own_proxy.trusted, timeout=60) as http:
        url = f"{own_proxy.base}/api/template/mcp"
        async with Client(streamable_http_client(url, http_client=http)) as client:
            yield client


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_calls_and_their_progress_pass_at_once(deployed: Checkout, own_proxy: OwnProxy, transport: str) -> None:
    progressed = asyncio.Event()

    async def told(progress: float, total: float | None, message: str | None) -> None:
        progressed.set()

    async with through(own_proxy, transport, deployed.token) as client:
        assert not (await client.call_tool("template_echo", {"text": "你好"})).is_error
        # Were events held back, the first would come with the last, long after this gives up.
        long_call = {"steps": 20, "interval_ms": 2000}
        call = asyncio.create_task(client.call_tool("template_countdown", long_call, progress_callback=told))
        await asyncio.wait_for(progressed.wait(), timeout=20)
        assert not call.done()
        call.cancel()


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/health"])
def test_documents_are_served(deployed: Checkout, own_proxy: OwnProxy, path: str) -> None:
    headers = {"Authorization": f"Bearer {deployed.token}"}
    answer = httpx2.get(f"{own_proxy.base}/api/template{path}", headers=headers, verify=own_proxy.trusted)
    assert answer.status_code == 200
    assert "127.0.0.1:" not in answer.text
