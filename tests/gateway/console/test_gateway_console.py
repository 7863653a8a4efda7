"""The gateway serves the console's pages, tells it of each call, and passes spans on to it."""

from __future__ import annotations

import json
import select
import socket
import uuid
from collections.abc import Iterator

import pytest

from infra.rendering.gateway.model import GatewayConsole, GatewayNetworks
from tests.gateway.console.conftest import INTERNAL, SPANS, GatewayWithConsole
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import ALPHA, SETTINGS, TOKEN, GatewayUnderTest, changed


@pytest.mark.parametrize(("port", "scheme"), [(80, "http"), (443, "https"), (8080, "http")])
def test_a_page_needs_no_token_and_says_how_it_was_opened(shared: GatewayWithConsole, port: int, scheme: str) -> None:
    answer = shared.page("/console/calls?tool=a", port=port, headers={"Host": "localhost:1234"})
    assert answer.status == 200
    seen = answer.json()
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["host"] == "localhost:1234"
    assert headers["x-forwarded-proto"] == scheme
    assert headers["x-forwarded-for"]


def test_a_callers_token_and_forged_addresses_do_not_reach_it(shared: GatewayWithConsole) -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Authorization": f"Bearer {TOKEN}"}
    seen = {name.lower(): value for name, value in shared.page(headers=headers).json()["headers"].items()}
    assert "authorization" not in seen
    assert "192.0.2.1" not in seen["x-forwarded-for"]
    assert seen["x-forwarded-proto"] == "http"


@pytest.mark.parametrize(("port", "prefix"), [(80, "/api/alpha"), (443, "/api/alpha"), (8080, "/alpha"), (9000, "")])
def test_a_service_gets_no_cookie_of_a_browser_and_sets_none(
    shared: GatewayWithConsole, port: int, prefix: str
) -> None:
    seen = shared.gateway.seen(f"{prefix}/", port=port, headers={"Cookie": "session=secret"})
    assert "cookie" not in seen["headers"]
    assert shared.gateway.request(f"{prefix}/hostile", port=port).headers["Set-Cookie"] is None


def test_the_console_gets_its_cookie(shared: GatewayWithConsole) -> None:
    seen = shared.page(headers={"Cookie": "session=secret"}).json()["headers"]
    assert {name.lower(): value for name, value in seen.items()}["cookie"] == "session=secret"


def test_open_documents_do_not_share_the_web_origin_of_the_console(shared: GatewayWithConsole) -> None:
    shared.configure(settings=changed(SETTINGS, open_docs=True))
    try:
        for path in ("/docs", "/docs/assets/a.js", "/openapi.json"):
            assert shared.gateway.request(path, port=9000, token=None).status == 200
            for port, prefix in ((80, "/api/alpha"), (443, "/api/alpha"), (8080, "/api/alpha"), (8080, "/alpha")):
                assert shared.gateway.request(prefix + path, port=port, token=None).status == 401, (port, prefix)
                assert shared.gateway.request(prefix + path, port=port).status == 200
    finally:
        shared.configure()


def test_a_form_of_a_page_passes_though_its_origin_is_null(shared: GatewayWithConsole) -> None:
    answer = shared.page("/console/login", method="POST", headers={"Origin": "null"}, body=b"password=x")
    assert answer.status == 200
    assert shared.gateway.request("/api/alpha/", headers={"Origin": "null"}).status == 403


def test_no_other_web_origin_may_read_a_page(shared: GatewayWithConsole) -> None:
    answer = shared.page(headers={"Origin": "https://pet.example"})
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_an_unknown_host_is_refused(shared: GatewayWithConsole) -> None:
    assert shared.page(headers={"Host": "evil.example"}).status == 421


def test_behind_the_users_own_https_the_page_knows_it(shared: GatewayWithConsole) -> None:
    shared.configure(settings=changed(SETTINGS, public_url="https://pet.example", allowed_origins=()))
    try:
        seen = shared.page(headers={"Host": "pet.example"}).json()["headers"]
        assert {name.lower(): value for name, value in seen.items()}["x-forwarded-proto"] == "https"
    finally:
        shared.configure()


def test_each_call_is_told_to_the_console_as_it_is_logged(shared: GatewayWithConsole) -> None:
    request_id = uuid.uuid4().hex
    shared.gateway.request("/api/alpha/", headers={"X-Request-Id": request_id})
    wait_until(lambda: any(entry["request_id"] == request_id for entry in shared.told()), "the call is told")
    told = next(entry for entry in shared.told() if entry["request_id"] == request_id)
    assert told == shared.gateway.logged(request_id)


def test_pages_are_not_told_and_only_forms_are_logged(shared: GatewayWithConsole) -> None:
    read, sent, call = (uuid.uuid4().hex for _ in range(3))
    shared.page(headers={"X-Request-Id": read})
    shared.page("/console/login", method="POST", headers={"X-Request-Id": sent}, body=b"")
    shared.gateway.request("/api/alpha/", headers={"X-Request-Id": call})
    assert shared.gateway.logged(sent)["path"] == "/console/login"
    wait_until(lambda: any(entry["request_id"] == call for entry in shared.told()), "the call after them is told")
    assert not {read, sent} & {entry["request_id"] for entry in shared.told()}
    assert read not in {entry["request_id"] for entry in shared.gateway.logs()[0]}


def spans(shared: GatewayWithConsole, size: int = 10, method: str = "POST", path: str = "/v1/traces") -> int:
    """Send spans and return the status."""
    headers = {"Content-Type": "application/x-protobuf"}
    return int(
        shared.gateway.request(path, port=SPANS, method=method, token=None, headers=headers, body=b"s" * size).status
    )


def test_spans_are_passed_on_up_to_1_mib_and_nothing_else_is(shared: GatewayWithConsole) -> None:
    assert spans(shared) == 200
    assert spans(shared, size=2**20) == 200
    assert spans(shared, size=2**20 + 1) == 413
    assert spans(shared, method="PUT") == 403
    assert spans(shared, path="/v1/metrics") == 404
    assert spans(shared, path="/console/") == 404


def held(shared: GatewayWithConsole, port: int, path: str, number: int) -> Iterator[socket.socket]:
    """Yield connections on each of which a body was announced but did not come."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode()
    for _ in range(number):
        connection = socket.create_connection(("127.0.0.1", shared.gateway.port(port)), timeout=20)
        connection.sendall(head)
        yield connection


def refused(connections: list[socket.socket]) -> int:
    """Count the connections that got a response."""
    return len(select.select(connections, [], [], 0)[0])


@pytest.mark.parametrize(
    ("port", "path", "most", "status"), [(80, "/console/login", 16, b"429"), (SPANS, "/v1/logs", 4, b"503")]
)
def test_an_address_sends_few_bodies_at_once(
    shared: GatewayWithConsole, port: int, path: str, most: int, status: bytes
) -> None:
    connections = list(held(shared, port, path, most + 3))
    try:
        wait_until(lambda: refused(connections) == 3, "those beyond the limit are refused")
        answered = select.select(connections, [], [], 0)[0]
        assert {connection.recv(64).split()[1] for connection in answered} == {status}
        # Reading a page takes no body, so it is not among them.
        assert shared.page().status == 200
    finally:
        for connection in connections:
            connection.close()


def test_a_form_may_have_256_kib_and_must_say_its_length(shared: GatewayWithConsole) -> None:
    def posted(body: object, path: str = "/console/login", port: int = 80) -> int:
        return int(shared.gateway.request(path, port=port, method="POST", token=None, body=body).status)

    wait_until(lambda: posted(b"x" * 2**18) == 200, "there is room")
    assert posted(b"x" * (2**18 + 1)) == 413
    # A generator is sent in chunks.
    assert posted(part for part in [b"x"]) == 411
    # Exporters of spans send them so.
    assert posted((part for part in [b"x"]), "/v1/traces", SPANS) == 200


def test_a_console_without_traces_takes_no_spans(shared: GatewayWithConsole) -> None:
    shared.configure(console=GatewayConsole(takes_spans=False))
    try:
        with pytest.raises(OSError):
            spans(shared)
    finally:
        shared.configure()


def test_only_the_consoles_network_reaches_the_port_for_its_calls(shared: GatewayWithConsole) -> None:
    gateway = shared.gateway
    assert gateway.request("/api/status", port=INTERNAL, token=None).status == 200
    assert gateway.request("/api/alpha/mcp", port=INTERNAL, token=None, method="POST", body=b"{}").status == 401
    assert gateway.request("/api/alpha/mcp", port=INTERNAL, method="POST", body=b"{}").status == 200
    shared.configure(networks=GatewayNetworks(console=("192.0.2.0/24",)))
    try:
        assert gateway.request("/api/status", port=INTERNAL, token=None).status == 403
        assert gateway.request("/api/alpha/mcp", port=INTERNAL, method="POST", body=b"{}").status == 403
    finally:
        shared.configure()


def test_a_stack_without_a_console_says_so(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(ALPHA,))
    for path in ("/console", "/console/", "/console/calls"):
        answer = own_gateway.request(path, token=None)
        assert answer.status == 404
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        text = answer.body.decode()
        assert "./deploy.sh config set console.enabled true" in text
        assert "没有控制台" in text and "no console" in text


def test_the_topology_says_whether_there_is_one(shared: GatewayWithConsole) -> None:
    status = json.loads(shared.gateway.request("/api/status", token=None).body)
    assert set(status["details"]) == {"alpha"}
