"""Tests that stopping a server loses no call."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from dyber_kit import Settings, create_app
from dyber_kit.serving.server import STILL_SERVING_SECONDS, build_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.stand_in.running import ROOT, process

STEPS = 12
LONG_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "template_countdown", "arguments": {"steps": STEPS, "interval_ms": 200}},
}
READINESS_REQUEST = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
REST_REQUEST = (
    b"POST /test HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)
ACCEPT = {"accept": "application/json, text/event-stream"}


async def call_and_stop(base, connect, child):
    """Start a call, send SIGTERM at its first report of progress, and return its result."""
    begun = asyncio.Event()

    async def on_progress(*_: object) -> None:
        begun.set()

    async with connect(base) as client:
        # The SDK checks results against schemas, which it would otherwise fetch after the call.
        await client.list_tools()
        arguments = {"steps": STEPS, "interval_ms": 200}
        call = asyncio.create_task(client.call_tool("template_countdown", arguments, progress_callback=on_progress))
        await asyncio.wait_for(begun.wait(), 30)
        child.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(call, 30)


async def test_a_call_in_flight_survives_sigterm(connect):
    with process("template_server") as (child, base):
        result = await call_and_stop(base, connect, child)
        assert not result.is_error
        assert result.structured_content["steps"] == STEPS
        await asyncio.to_thread(child.wait, 30)


async def test_an_idle_sse_stream_does_not_delay_a_stop():
    with process("template_server") as (child, base):
        async with httpx2.AsyncClient() as http, http.stream("GET", f"{base}/mcp/sse") as stream:
            await anext(stream.aiter_lines())
            child.send_signal(signal.SIGTERM)
            await asyncio.to_thread(child.wait, 30)
    assert child.returncode in (0, -signal.SIGTERM)


async def test_a_stopping_server_accepts_no_connections_while_it_finishes_its_calls():
    with process("template_server") as (child, base):
        port = int(base.rsplit(":", 1)[1])
        async with httpx2.AsyncClient(timeout=60) as http:
            call = asyncio.create_task(http.post(f"{base}/mcp", json=LONG_CALL, headers=ACCEPT))
            while "mcp_calls_in_flight" not in (text := (await http.get(f"{base}/metrics")).text) or " 1.0" not in next(
                line for line in text.splitlines() if line.startswith("mcp_calls_in_flight{")
            ):
                await asyncio.sleep(0.02)
            child.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionRefusedError):
                while True:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                    await asyncio.sleep(0.02)
            assert not call.done()
            assert '"steps":12' in (await call).text.replace("\\", "").replace(" ", "")


async def test_connections_made_before_the_server_stops_listening_are_served(monkeypatch):
    """The kernel accepts connections for the server, which it has not seen yet when it stops to listen."""
    app = create_app(name="quiet", title="Quiet", version="1", instructions="", tools=[], settings=Settings(port=0))
    server = build_server(app)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    address = server.servers[0].sockets[0].getsockname()
    clients: list[socket.socket] = []

    def connect_at_the_last_moment() -> bool:
        """Take the place of the last thing that a stopping server asks before it stops listening."""
        if not clients:
            clients.extend(socket.create_connection(address, 5) for _ in range(3))
            clients[0].sendall(READINESS_REQUEST)
        return True

    monkeypatch.setattr(app.sessions, "end_quiet", connect_at_the_last_moment)
    server.should_exit = True
    while not clients:
        await asyncio.sleep(0.01)
    clients[1].sendall(READINESS_REQUEST)
    for client in clients[:2]:
        client.settimeout(10)
        assert (await asyncio.to_thread(client.recv, 4096)).startswith(b"HTTP/1.1 503")
    # The third sends nothing, and cannot hold the server up for long.
    await asyncio.wait_for(serving, 20)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)


def test_every_connection_gets_an_answer_while_the_server_stops():
    """Eight clients connect again and again until the server refuses connections, as the gateway does under load."""
    answers: Counter[str] = Counter()

    def call_until_refused(address: tuple[str, int]) -> None:
        while True:
            try:
                connection = socket.create_connection(address, 10)
            except ConnectionRefusedError:
                return
            with connection:
                connection.sendall(REST_REQUEST)
                try:
                    answers[connection.recv(4096)[:8].decode() or "closed"] += 1
                except ConnectionResetError:
                    answers["reset"] += 1

    for _ in range(4):
        # Without a line in the log for each call: nobody reads the log here, and a full pipe would stop the server.
        with process("template_server", LOG_LEVEL="ERROR") as (child, base), ThreadPoolExecutor(8) as clients:
            address = "127.0.0.1", int(base.rsplit(":", 1)[1])
            calls = [clients.submit(call_until_refused, address) for _ in range(8)]
            time.sleep(0.2)
            child.send_signal(signal.SIGTERM)
            for call in calls:
                call.result(30)
    assert set(answers) == {"HTTP/1.1"}, answers


def test_the_gateway_has_no_idle_connection_left_when_a_stopping_server_closes_them():
    """Otherwise it could send a call at that instant, which would be lost."""
    template = (ROOT / "nginx" / "templates" / "upstreams.conf.j2").read_text()
    [seconds] = re.findall(r"^ *keepalive_timeout (\d+)s;$", template, re.MULTILINE)
    assert int(seconds) + 0.25 < STILL_SERVING_SECONDS


async def test_a_call_longer_than_the_limit_ends_with_a_timeout_code():
    with process("template_server", MAX_CALL_SECONDS="1") as (_, base):
        async with Client(f"{base}/mcp") as client:
            result = await client.call_tool("template_countdown", {"steps": 20, "interval_ms": 2000})
    assert result.is_error
    assert result.content[0].text.startswith("TIMEOUT：操作超过 1 秒")


async def test_logs_are_json_lines_with_the_callers_identity():
    headers = {"X-Request-Id": "req-1", "X-Dyber-Client": "pet", "traceparent": "00-ab-cd-01"}
    with process("template_server") as (child, base):
        async with httpx2.AsyncClient(headers=headers) as http:
            await http.post(f"{base}/test", json={})
            async with Client(streamable_http_client(f"{base}/mcp", http_client=http), mode="legacy") as client:
                await client.call_tool("template_echo", {"text": "x"})
        child.send_signal(signal.SIGTERM)
        output, _ = await asyncio.to_thread(child.communicate, None, 30)
    lines = [json.loads(line) for line in output.splitlines()]
    for tool in ("rest:test_function", "template_echo"):
        line = next(line for line in lines if line.get("tool") == tool)
        assert (line["request_id"], line["client"], line["traceparent"]) == ("req-1", "pet", "00-ab-cd-01")
        assert (line["service"], line["outcome"]) == ("template", "ok")


@pytest.mark.parametrize("variable", ["PORT", "LOG_LEVEL", "MAX_CALL_SECONDS"])
def test_the_error_for_an_invalid_variable_names_it(variable, monkeypatch):
    monkeypatch.setenv(variable, "nonsense")
    with pytest.raises(ValueError, match=variable):
        Settings.from_environment()
