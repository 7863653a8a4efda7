"""Tests random requests: none gets in without a token, breaks the gateway or reaches another service."""

from __future__ import annotations

import hashlib
import http.client
import json
import queue
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as some

from infra.rendering.gateway.model import GatewayService
from tests.gateway.support.docker_cli import docker
from tests.gateway.support.gateway_under_test import ALPHA, SETTINGS, TOKEN, GatewayUnderTest, changed

FAST = {"requests_per_second": 100_000}
SERVICES = (replace(ALPHA, **FAST), GatewayService("beta", 9003, "乙", 5, **FAST))
AUTH = b"Authorization: Bearer " + TOKEN.encode()
#: All examples of a test share a gateway on purpose, because a request must not affect the next one.
often = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@dataclass
class GatewayResponse:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self) -> dict:
        """Return the body of an error of the gateway; fails if it does not have the common shape."""
        body = json.loads(self.body)
        assert body["status"] == "error"
        assert body["request_id"] == self.headers["X-Request-Id"] != ""
        return body


@dataclass
class Line:
    """A connection that is reused as long as the gateway keeps it open."""

    port: int
    connection: socket.socket | None = field(default=None)

    def ask(self, target: bytes, *lines: bytes, method: bytes = b"GET") -> GatewayResponse:
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        head = b"%s %s HTTP/1.1\r\nHost: localhost\r\n" % (method, target)
        self.connection.sendall(head + b"".join(line + b"\r\n" for line in lines) + b"\r\n")
        response = http.client.HTTPResponse(self.connection, method=method.decode())
        response.begin()
        result = GatewayResponse(response.status, response.headers, response.read())
        if response.will_close:
            self.connection.close()
            self.connection = None
        return result


@dataclass
class Fuzzed:
    gateway: GatewayUnderTest
    line: Line
    #: Services by the host names of their containers.
    services: dict[str, str]


@pytest.fixture(scope="module")
def fuzzed(gateway_image: str) -> Iterator[Fuzzed]:
    running = GatewayUnderTest(gateway_image)
    try:
        running.start()
        names = {running.backend(service): service for service in ("alpha", "beta")}
        running.configure(changed(SETTINGS, limits={"burst": 100_000}), SERVICES)
        hosts = {docker("inspect", "--format", "{{.Config.Hostname}}", name): names[name] for name in names}
        yield Fuzzed(running, Line(running.port(80)), hosts)
    finally:
        running.stop()


def on_one_line(value: bytes) -> bool:
    """Tell whether a value has no line end and no NUL, which test_gateway_probes.py covers."""
    return not re.search(rb"[\r\n\0]", value)


anything = some.one_of(some.binary(max_size=120), some.text(max_size=60).map(str.encode)).filter(on_one_line)

wrong_tokens = some.one_of(
    some.integers(0, len(TOKEN) - 1).map(lambda length: TOKEN[:length]),
    some.text("0123456789abcdef .,;=\"'%", min_size=1, max_size=8).flatmap(
        lambda more: some.sampled_from([TOKEN + more, more + TOKEN, TOKEN[:32] + more + TOKEN[32:]])
    ),
    some.sets(some.integers(0, len(TOKEN) - 1).filter(lambda place: TOKEN[place] == "f"), min_size=1).map(
        lambda places: "".join(letter.upper() if place in places else letter for place, letter in enumerate(TOKEN))
    ),
    some.sampled_from([
        hashlib.sha256(TOKEN.encode()).hexdigest(), TOKEN * 2, TOKEN[::-1], TOKEN.replace("f", "ｆ"), TOKEN + "\u200b",
        f'"{TOKEN}"', f"{TOKEN}, Bearer {TOKEN}", "".join(f"%{ord(letter):02x}" for letter in TOKEN), "*", "null",
    ]),
).map(str.encode)  # fmt: skip

bearers = some.builds(
    lambda name, scheme, gap, token: name + b":" + gap[:1] + scheme + gap + token,
    some.sampled_from([b"Authorization", b"authorization", b"AUTHORIZATION"]),
    some.sampled_from([b"Bearer", b"bearer", b"BEARER", b"Basic", b"Token", b"", b"Bearer:", b"Bearer Bearer"]),
    some.sampled_from([b" ", b"  ", b"\t", b"", b"\xc2\xa0", b"=", b"\x0b"]),
    some.one_of(wrong_tokens, some.just(TOKEN.encode())),
)
elsewhere = some.sampled_from([
    b"Proxy-Authorization: Bearer TOKEN", b"X-Authorization: Bearer TOKEN", b"Authorization_: Bearer TOKEN",
    b"Cookie: Authorization=Bearer TOKEN", b"X-Api-Key: TOKEN", b"X-Dyber-Client: desktop-pet",
    b"X-Original-URL: /health", b"X-Accel-Redirect: /health", b"X-Forwarded-For: 127.0.0.1",
]).map(lambda line: line.replace(b"TOKEN", TOKEN.encode()))  # fmt: skip
credentials = some.lists(
    some.one_of(bearers, anything.map(lambda value: b"Authorization: " + value), elsewhere), max_size=3
)


def is_good(lines: list[bytes]) -> bool:
    """Tell whether the headers have a good token: exactly one Authorization header.

    Its scheme may be in any case and doubled; quotes around the token or the value do not matter.
    """
    sent = [line.split(b":", 1)[1] for line in lines if line.lower().startswith(b"authorization:")]
    good = rb"""[ \t]*(["']?)(?:(?i:bearer)[ \t]+)+(["']?)%s\2\1[ \t]*""" % TOKEN.encode()
    return len(sent) == 1 and bool(re.fullmatch(good, sent[0]))


@often
@given(lines=credentials, target=some.sampled_from([b"/api/alpha/x", b"/api/beta/", b"/metrics"]))
@example(lines=[AUTH, AUTH], target=b"/api/alpha/x")
@example(lines=[AUTH.replace(b"f", b"F")], target=b"/api/alpha/x")
@example(lines=[AUTH + b", Bearer x"], target=b"/api/alpha/x")
def test_only_the_good_token_gets_in(fuzzed: Fuzzed, lines: list[bytes], target: bytes) -> None:
    assume(not is_good(lines))
    result = fuzzed.line.ask(target, *lines)
    assert (result.status, result.error()["code"]) in ((401, "unauthorized"), (400, "bad_request"))


def test_the_good_token_gets_in_on_the_same_connection(fuzzed: Fuzzed) -> None:
    token = TOKEN.encode()
    for line in (
        AUTH,
        AUTH.replace(b"Bearer ", b"bEARER  "),
        b"authorization:Bearer " + token + b"  ",
        b"Authorization: Bearer bearer\t" + token,
        b'Authorization: Bearer "' + token + b'"',
        b"Authorization: 'Bearer " + token + b"'",
    ):
        assert is_good([line])
        assert fuzzed.line.ask(b"/api/alpha/x", line).status == 200


segments = some.one_of(
    some.sampled_from([
        b"api", b"alpha", b"beta", b"..", b".", b"", b"%2e%2e", b"%2E.", b"%2f", b"api%2falpha", b"%5c", b"\\", b";", b"~",
        b"-", b"gateway", b"auth", b"error", b"bad_request", b"probe", b"health", b"status", b"@again", b"%00", b"%0a",
        b"%", b"ALPHA", b"alpha;x", b"%61lpha", b"%25", b"+", b"*", b":", b"x" * 3000,
    ]),
    some.binary(max_size=6).filter(on_one_line),
    some.text(max_size=6).map(str.encode).filter(on_one_line),
)  # fmt: skip
paths = some.one_of(
    some.lists(segments, max_size=8).map(lambda parts: b"/" + b"/".join(parts)),
    some.lists(segments, max_size=6).map(lambda parts: b"/api/alpha/" + b"/".join(parts)),
)
methods = some.one_of(
    some.sampled_from(
        [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI"]
    ),
    some.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_-", min_size=1, max_size=12).map(str.encode),
)


def named(target: bytes) -> str | None:
    """Return the service that an address names when it is decoded once, with dots resolved and slashes merged."""
    path: list[bytes] = []
    parts = unquote_to_bytes(re.split(rb"[?#]", target)[0]).split(b"/")
    for part in parts[:-1]:
        if part == b"..":
            path = path[:-1]
        elif part not in (b"", b"."):
            path.append(part)
    # The last part, which may be empty, is a path below the service.
    if parts[-1] == b"..":
        path = path[:-1]
    return path[1].decode("latin-1") if len(path) > 1 and path[0] == b"api" else None


@often
@given(target=paths, method=methods, query=some.one_of(some.just(b""), anything.map(lambda text: b"?" + text)))
@example(target=b"/api/alpha/x%0ay", method=b"GET", query=b"")
@example(target=b"/api/alpha/../beta/x", method=b"POST", query=b"")
@example(target=b"/api/alpha/..", method=b"GET", query=b"?")
def test_no_address_breaks_the_gateway_or_leads_to_another_service(
    fuzzed: Fuzzed, target: bytes, method: bytes, query: bytes
) -> None:
    result = fuzzed.line.ask(target + query, AUTH, method=method)
    assert result.status < 500
    if result.status >= 400:
        if method != b"HEAD":
            result.error()
        return
    if result.headers["Content-Type"] != "application/json" or method == b"HEAD":
        return
    echo = json.loads(result.body)
    if "container" not in echo:
        assert named(target) not in ("alpha", "beta")
        return
    service = fuzzed.services[echo["container"]]
    seen = {name.lower(): value for name, value in echo["headers"].items()}
    assert service == named(target)
    assert seen["x-forwarded-prefix"] == f"/api/{service}"
    assert not echo["uri"].startswith(f"/api/{service}/") or target.count(b"api") > 1
    assert (echo["method"], seen["x-dyber-client"]) == (method.decode(), "desktop-pet")


@pytest.fixture(scope="module")
def log_lines(fuzzed: Fuzzed) -> Iterator[queue.Queue[bytes]]:
    """Yields the lines of the gateway's access log from now on."""
    command = ["docker", "logs", "--follow", "--tail", "0", fuzzed.gateway.name]
    lines: queue.Queue[bytes] = queue.Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as following:
        threading.Thread(target=lambda: [lines.put(line) for line in following.stdout], daemon=True).start()
        # From here on no line is missed.
        while True:
            fuzzed.line.ask(b"/begin")
            try:
                while b"/begin" not in lines.get(timeout=0.2):
                    pass
                break
            except queue.Empty:
                continue
        yield lines
        following.terminate()


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
identities = some.one_of(
    anything,
    some.text("0123456789abcdefABCDEF-._", max_size=70).map(str.encode),
    some.sampled_from(
        ["request-1", TRACE, TRACE.upper(), TRACE + "-x", TRACE.replace("00-", "ff-", 1), '"}\\', "\\u0000"]
    ).map(str.encode),
)
logged_headers = [b"X-Request-Id", b"traceparent", b"User-Agent", b"Mcp-Method", b"Mcp-Name", b"Mcp-Session-Id"]


@often
@given(headers=some.dictionaries(some.sampled_from(logged_headers), identities), path=anything)
@example(headers={b"X-Request-Id": b'"quoted-id"', b"User-Agent": b'\x01\x1f\x7f\xff"\\'}, path=b"")
@example(headers={b"Mcp-Name": "猫".encode() * 30}, path=b'/"\\')
def test_every_log_entry_is_one_line_of_json(
    fuzzed: Fuzzed, log_lines: queue.Queue[bytes], headers: dict[bytes, bytes], path: bytes
) -> None:
    target = b"/nowhere/" + path.replace(b" ", b"+")
    result = fuzzed.line.ask(target, *(name + b": " + value for name, value in headers.items()))
    assert result.status in (400, 404)
    entry: dict = {}
    while entry.get("request_id") != result.headers["X-Request-Id"]:
        entry = json.loads(log_lines.get(timeout=5).decode(errors="replace"))
    assert entry["status"] == result.status
    assert entry["request_id"] == result.error()["request_id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", entry["request_id"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", entry["traceparent"])
