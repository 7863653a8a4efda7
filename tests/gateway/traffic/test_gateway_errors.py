"""Tests the gateway's own errors: the same JSON shape, two languages, the request id."""

from __future__ import annotations

import re
import socket

import pytest

from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest


def raw(gateway: GatewayUnderTest, data: bytes, port: int = 80) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port(port)), timeout=20) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


@pytest.mark.parametrize(
    ("request_options", "status", "code"),
    [
        ({"path": "/nowhere"}, 404, "not_found"),
        ({"path": "/api/nowhere/x"}, 404, "unknown_service"),
        ({"path": "/api/alpha/ready", "token": None}, 401, "unauthorized"),
        ({"path": "/api/absent/x"}, 502, "service_down"),
        ({"path": "/api/alpha/x", "method": "POST", "body": b"x" * (1024 * 1024 + 1)}, 413, "too_large"),
        ({"path": "/health", "headers": {"Host": "evil.example"}}, 421, "unknown_host"),
        ({"path": "/health", "headers": {"Origin": "http://evil.example"}}, 403, "foreign_origin"),
        ({"path": "/health", "headers": {"X-Padding": "x" * 9000}}, 431, "headers_too_large"),
        ({"path": "/" + "x" * 9000}, 414, "address_too_long"),
    ],
)
def test_every_error_has_one_json_shape(
    gateway: GatewayUnderTest, request_options: dict, status: int, code: str
) -> None:
    answer = gateway.request(**request_options)
    body = answer.json()
    assert (answer.status, body["status"], body["code"]) == (status, "error", code)
    assert answer.headers["Content-Type"] == "application/json"
    assert re.search("[\u4e00-\u9fff]", body["error"])
    assert body["error_en"].isascii()
    assert body["request_id"] == answer.headers["X-Request-Id"] != ""


def test_the_error_for_an_unknown_service_lists_the_services(gateway: GatewayUnderTest) -> None:
    body = gateway.request("/api/nowhere/x").json()
    assert body["services"] == ["/api/alpha", "/api/hung", "/api/absent"]
    assert "/api/alpha" in body["error"]


@pytest.mark.parametrize(("port", "path"), [(80, "/api/absent/x"), (8080, "/absent/x"), (9002, "/x")])
def test_an_absent_service_is_named_and_the_others_work(gateway: GatewayUnderTest, port: int, path: str) -> None:
    answer = gateway.request(path, port=port)
    assert (answer.status, answer.json()["service"]) == (502, "absent")
    assert gateway.request("/api/alpha/ready").status == 200


def test_plain_http_on_the_https_port_gets_a_clear_error(gateway: GatewayUnderTest) -> None:
    answer = raw(gateway, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", port=443)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "plain_http"' in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"POST /api/alpha/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    ],
)
def test_malformed_requests_get_400_json(gateway: GatewayUnderTest, request_bytes: bytes) -> None:
    answer = raw(gateway, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "bad_request"' in answer


def test_a_body_that_turns_out_too_large_gets_413_json(gateway: GatewayUnderTest) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = f"POST /api/alpha/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    answer = raw(gateway, head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk * 17)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_callers_good_request_id_is_kept_everywhere(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/nowhere", headers={"X-Request-Id": "pet-2026.11_22"})
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"] == "pet-2026.11_22"
    assert gateway.seen("/api/alpha/", headers={"X-Request-Id": "pet-2026.11_22"})["headers"]["x-request-id"] == (
        "pet-2026.11_22"
    )


@pytest.mark.parametrize("request_id", ["short", "x" * 65, 'with"quote-12345', "with space 12345"])
def test_a_callers_bad_request_id_is_replaced(gateway: GatewayUnderTest, request_id: str) -> None:
    answer = gateway.request("/api/nowhere", headers={"X-Request-Id": request_id})
    assert re.fullmatch("[0-9a-f]{32}", answer.json()["request_id"])
