"""Tests hostile requests: each is refused, or reaches exactly once the service and path that it names."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from infra.rendering.gateway.model import GatewayService
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import ALPHA, SETTINGS, TOKEN, GatewayUnderTest

BETA = GatewayService("beta", 9003, "乙", 5)
AUTH = f"Authorization: Bearer {TOKEN}\r\n".encode()
#: The text that an attacker wants a service to treat as a separate request.
SMUGGLED = b"GET /smuggled-ID HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Seen:
    status: int
    body: bytes
    #: (service, method, path) of each request that reached a service.
    hits: list[tuple[str, str, str]]


@dataclass
class Probed:
    gateway: GatewayUnderTest
    backends: dict[str, str]

    def send(self, data: bytes, port: int = 80) -> bytes:
        """Send data and return what the gateway sends until it closes or pauses."""
        with socket.create_connection(("127.0.0.1", self.gateway.port(port)), timeout=20) as connection:
            if port == 443:
                connection = tls(connection, "http/1.1")
            return talk(connection, data)

    def hits(self, mark: str) -> list[tuple[str, str, str]]:
        """Return the requests that reached the services. A final request makes sure that none is still on its way."""
        requests = []
        for service, container in self.backends.items():
            end = f"/end-{mark}"
            assert self.gateway.request(f"/api/{service}{end}").status == 200

            def lines(container: str = container) -> list[str]:
                return docker("logs", "--tail", "100", container).splitlines()

            wait_until(
                lambda lines=lines, end=end: any(end in line for line in lines()), "the backend's log is complete"
            )
            for line in lines():
                request = re.search(r'"([^"]*)" \d{3} ', line)
                method, _, path = (request[1] if request else line).partition(" ")
                path = path.removesuffix(" HTTP/1.1")
                if mark in line and path != end:
                    requests.append((service, method, path.replace(mark, "ID")))
        return requests

    def probe(self, data: bytes, port: int = 80) -> Seen:
        mark = uuid.uuid4().hex[:12]
        answer = self.send(data.replace(b"ID", mark.encode()), port)
        status, body = first(answer)
        return Seen(status, body.replace(mark.encode(), b"ID"), self.hits(mark))


def tls(connection: socket.socket, protocol: str) -> ssl.SSLSocket:
    context = ssl._create_unverified_context()
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(connection, server_hostname="localhost")


def talk(connection: socket.socket, data: bytes) -> bytes:
    answer = b""
    try:
        connection.sendall(data)
        while chunk := connection.recv(65536):
            answer += chunk
            # A kept-alive connection stays open; further data would arrive at once.
            connection.settimeout(0.4)
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    return answer


def first(answer: bytes) -> tuple[int, bytes]:
    """Return status and body of the first response; status 0 if none can be read."""

    class Wire:
        def makefile(self, _: str) -> io.BytesIO:
            return io.BytesIO(answer)

    response = http.client.HTTPResponse(Wire())  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read()
    except http.client.HTTPException:
        return 0, answer


@pytest.fixture(scope="module")
def probed(gateway_image: str) -> Iterator[Probed]:
    running = GatewayUnderTest(gateway_image)
    try:
        running.start()
        backends = {service: running.backend(service) for service in ("alpha", "beta")}
        running.configure(SETTINGS, (ALPHA, BETA))
        yield Probed(running, backends)
    finally:
        running.stop()


def request(target: str, *lines: bytes, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """Return a request without a body; each further header line must end with CRLF."""
    extra = b"".join(line + b"\r\n" for line in lines)
    head = f"{method} {target} {version}\r\nHost: localhost\r\n".encode("latin-1")
    return head + AUTH + extra + b"\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return request("/api/alpha/p-ID", *lines, method="POST") + body


CL, TE = b"Content-Length: ", b"Transfer-Encoding: chunked"
LENGTH = str(len(SMUGGLED.replace(b"ID", b"x" * 12))).encode()
ENDED = b"0\r\n\r\n" + SMUGGLED
HELLO = b"hello\r\n0\r\n\r\n" + SMUGGLED

REFUSED = {
    "chunked and a length": post(TE, CL + b"4", body=ENDED),
    "a length and chunked": post(CL + LENGTH, TE, body=ENDED),
    "two lengths": post(CL + b"0", CL + LENGTH, body=SMUGGLED),
    "the same length twice": post(CL + LENGTH, CL + LENGTH, body=SMUGGLED),
    "a list of lengths": post(CL + b"0, " + LENGTH, body=SMUGGLED),
    "a length with a sign": post(CL + b"+5", body=b"hello"),
    "a negative length": post(CL + b"-1", body=SMUGGLED),
    "a hexadecimal length": post(CL + b"0x5", body=b"hello"),
    "a length with a space": post(CL + b"5 5", body=b"hello"),
    "a length beyond 64 bits": post(CL + b"99999999999999999999", body=SMUGGLED),
    "an empty length": post(CL, body=SMUGGLED),
    "identity": post(b"Transfer-Encoding: identity", body=SMUGGLED),
    "xchunked": post(b"Transfer-Encoding: xchunked", CL + b"3", body=b"abc"),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=ENDED),
    "chunked twice": post(TE, TE, body=ENDED),
    "chunked and something else": post(TE, b"Transfer-Encoding: x", body=ENDED),
    "chunked after a tab": post(b"Transfer-Encoding:\tchunked", CL + b"4", body=ENDED),
    "chunked after a vertical tab": post(b"Transfer-Encoding:\x0bchunked", CL + b"4", body=ENDED),
    "chunked after a space and a colon": post(b"Transfer-Encoding : chunked", CL + b"4", body=ENDED),
    "chunked on a folded line": post(b"Transfer-Encoding:\r\n chunked", CL + b"4", body=ENDED),
    "quoted chunked": post(b'Transfer-Encoding: "chunked"', CL + b"4", body=ENDED),
    "chunked with a comma": post(b"Transfer-Encoding: chunked ,", body=ENDED),
    "chunked in HTTP/1.0": request("/api/alpha/p-ID", TE, method="POST", version="HTTP/1.0") + ENDED,
    "a line end in a chunk extension": post(TE, body=b'5;x="\n"\r\n' + HELLO),
    "a bare line feed after a chunk extension": post(TE, body=b"5;x\n" + HELLO),
    "chunks with bare line feeds": post(TE, body=b"5\nhello\n0\n\n" + SMUGGLED),
    "a negative chunk size": post(TE, body=b"-5\r\n" + HELLO),
    "a chunk size with 0x": post(TE, body=b"0x5\r\n" + HELLO),
    "a chunk size beyond 64 bits": post(TE, body=b"10000000000000005\r\n" + HELLO),
    "a chunk longer than its size": post(TE, body=b"4\r\n" + HELLO),
    "a bare carriage return": request("/api/alpha/p-ID", b"X: a\rContent-Length: 5"),
    "a space before the colon": request("/api/alpha/p-ID", b"X-A : b"),
    "a folded header": request("/api/alpha/p-ID", b"X-A: b\r\n c"),
    "NUL in a value": request("/api/alpha/p-ID", b"X-A: b\0c"),
    "NUL in a name": request("/api/alpha/p-ID", b"X\0A: b"),
    "a header without a name": request("/api/alpha/p-ID", b": x"),
    "a first header that is folded": b"GET /api/alpha/p-ID HTTP/1.1\r\n Host: localhost\r\n" + AUTH + b"\r\n",
    "two hosts": request("/api/alpha/p-ID", b"Host: localhost"),
    "two tokens": request("/api/alpha/p-ID", AUTH.strip()),
    "no host": b"GET /api/alpha/p-ID HTTP/1.1\r\n" + AUTH + b"\r\n",
    "no host in HTTP/1.0": b"GET /api/alpha/p-ID HTTP/1.0\r\n" + AUTH + b"\r\n",
    "HTTP/2.0 as text": request("/api/alpha/p-ID", version="HTTP/2.0"),
    "http/1.1 in lower case": request("/api/alpha/p-ID", version="http/1.1"),
    "another host in the target": request("http://evil.example/api/alpha/p-ID"),
    "a user in the target": request("http://beta@localhost/api/alpha/p-ID"),
    "the container's own address in the target": request("http://127.0.0.1:10080/probe/alpha/1?ID"),
    "another host in the header than in the target": (
        b"GET http://localhost/api/alpha/p-ID HTTP/1.1\r\nHost: evil.example\r\n" + AUTH + b"\r\n"
    ),
    "a service in the target": request("http://beta-mcp:9003/p-ID"),
    "a tunnel to a service": request("beta-mcp:9003", method="CONNECT"),
    "a tunnel to itself": request("localhost:80", method="CONNECT"),
    "a tunnel to a path": request("/api/alpha/p-ID", method="CONNECT"),
    "TRACE": request("/api/alpha/p-ID", method="TRACE"),
    "OPTIONS *": request("*", method="OPTIONS"),
    "a method in lower case": request("/api/alpha/p-ID", method="get"),
    "a method with a space": request("/api/alpha/p-ID", method="GE T"),
    "a control character in the method": request("/api/alpha/p-ID", method="G\x01T"),
}
REFUSED_TARGETS = [
    "/../api/alpha/p-ID", "/api/alpha/../../../../etc/p-ID", "/api/alpha/" + "../" * 2000 + "p-ID",
    "/api/alpha/" + "x" * 9000 + "p-ID", "/api/alpha/p-ID%00", "/api/alpha/p-ID%zz", "/api/alpha/p-ID\x7f",
    "/api/alpha/p-ID /x", "/api/alpha/\tp-ID", "api/alpha/p-ID", "?ID", "/API/alpha/p-ID", "/api/Alpha/p-ID",
    "/api/alpha;x=1/p-ID", "/api/alpha.beta/p-ID", "/api/alphabeta/p-ID", "/alpha/p-ID",
    "/-/gateway/auth?ID", "/-/gateway/error/bad_request?ID", "/-%2fgateway/auth?ID", "/%2d/gateway/auth?ID",
    "/api/../-/gateway/auth?ID", "/api/alpha/../../-/gateway/auth?ID", "//-/gateway//auth?ID",
    "/@again/api/alpha?ID", "/@unauthorized?ID", "/probe/alpha/1?ID", "/api/alpha/../../probe/alpha/1?ID",
]  # fmt: skip

#: Addresses that pass, and what they become: Nginx decodes the path, resolves dots and merges slashes.
PASSED = {
    "a body of a GET": (request("/api/alpha/p-ID", CL + LENGTH) + SMUGGLED, "GET"),
    "chunked in an underscore header": (post(b"Transfer_Encoding: chunked", CL + LENGTH, body=SMUGGLED), "POST"),
    "a space after a chunk size": (post(TE, body=b"5 \r\n" + HELLO), "POST"),
    "a length in a trailer": (post(TE, body=b"0\r\nContent-Length: 30\r\n\r\n" + SMUGGLED), "POST"),
    "bare line feeds": (request("/api/alpha/p-ID").replace(b"\r\n", b"\n"), "GET"),
    "a line that is no header": (request("/api/alpha/p-ID", b"nonsense"), "GET"),
    "a value that is no text": (request("/api/alpha/p-ID", b"X-A: \xff\xfe"), "GET"),
    "HTTP/1.0 kept alive": (request("/api/alpha/p-ID", b"Connection: keep-alive", version="HTTP/1.0"), "GET"),
    "the whole address as target": (request("http://localhost/api/alpha/p-ID"), "GET"),
    "a method nobody knows": (request("/api/alpha/p-ID", method="PROPFINDX"), "PROPFINDX"),
    "an upgrade to h2c": (request("/api/alpha/p-ID", b"Connection: Upgrade", b"Upgrade: h2c"), "GET"),
    "an upgrade to a web socket": (request("/api/alpha/p-ID", b"Connection: Upgrade", b"Upgrade: websocket"), "GET"),
    "another expectation": (post(b"Expect: 200-ok", CL + b"2", body=b"ok"), "POST"),
}
PASSED_TARGETS = {
    "/api/alpha/../beta/p-ID": ("beta", "/p-ID"),
    "/api/alpha/%2e%2e/beta/p-ID": ("beta", "/p-ID"),
    "/api/alpha%2f..%2fbeta/p-ID": ("beta", "/p-ID"),
    "/api/alpha/..%5cbeta/p-ID": ("alpha", "/..%5Cbeta/p-ID"),
    "/api/alpha/..;/beta/p-ID": ("alpha", "/..;/beta/p-ID"),
    "//api//alpha//p-ID": ("alpha", "/p-ID"),
    "/%61pi/%61lpha/./x/../p-ID": ("alpha", "/p-ID"),
    "/api/alpha/p-ID%0d%0aX:%20y": ("alpha", "/p-ID%0D%0AX:%20y"),
    "/api/alpha/p-ID%3f/%23x": ("alpha", "/p-ID%3F/%23x"),
    "/api/alpha/p-ID%252e%252e/x": ("alpha", "/p-ID%252e%252e/x"),
    "/api/alpha/p-ID\xff": ("alpha", "/p-ID%FF"),
    "/api/alpha/p-ID#x": ("alpha", "/p-ID"),
    "/api/alpha/p-ID?../../beta%0d%0aGET": ("alpha", "/p-ID?../../beta%0d%0aGET"),
    "/api/alpha/-/gateway/auth?ID": ("alpha", "/-/gateway/auth?ID"),
}


def assert_refused(seen: Seen) -> None:
    assert seen.hits == []
    assert 400 <= seen.status < 500
    body = json.loads(seen.body)
    assert body["status"] == "error"
    assert body["code"] and body["request_id"]


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_malformed_request_is_refused_in_json_and_reaches_no_service(probed: Probed, data: bytes) -> None:
    assert_refused(probed.probe(data))


@pytest.mark.parametrize("target", REFUSED_TARGETS, ids=lambda target: ascii(target)[:50])
def test_an_address_outside_the_services_is_refused_in_json_and_reaches_no_service(probed: Probed, target: str) -> None:
    assert_refused(probed.probe(request(target, b"Connection: close")))


@pytest.mark.parametrize(("data", "method"), PASSED.values(), ids=PASSED)
def test_an_odd_request_reaches_its_service_once_and_smuggles_no_other(
    probed: Probed, data: bytes, method: str
) -> None:
    assert probed.probe(data).hits == [("alpha", method, "/p-ID")]


@pytest.mark.parametrize("target", PASSED_TARGETS)
def test_an_odd_address_reaches_once_the_service_that_it_names(probed: Probed, target: str) -> None:
    service, path = PASSED_TARGETS[target]
    assert probed.probe(request(target, b"Connection: close")).hits == [(service, "GET", path)]


@pytest.mark.parametrize("target", [*PASSED_TARGETS, "http://localhost/api/alpha/p-ID"])
def test_every_spelling_of_an_address_needs_a_token(probed: Probed, target: str) -> None:
    seen = probed.probe(request(target, b"Connection: close").replace(AUTH, b""))
    assert (seen.status, seen.hits) == (401, [])


def test_a_request_without_a_version_reaches_no_service(probed: Probed) -> None:
    seen = probed.probe(b"GET /api/alpha/p-ID\r\n")
    assert seen.hits == []
    assert json.loads(seen.body)["status"] == "error"


def test_a_caller_cannot_forge_or_remove_its_identity(probed: Probed) -> None:
    names = b"Connection: X-Dyber-Client, X-Forwarded-Prefix, X-Request-Id, Host, close"
    forged = [b"X-Dyber-Client: root", b"X_Dyber_Client: root", b"x-dyber-client: root", b"X-Forwarded-Prefix: /evil"]
    others = [b"Mcp_Name: x", b"X-Real-IP: 6.6.6.6", b"X-Forwarded-For: 6.6.6.6", b"Forwarded: for=6.6.6.6"]
    headers = json.loads(probed.probe(request("/api/alpha/p-ID", names, *forged, *others)).body)["headers"]
    seen = {name.lower(): value for name, value in headers.items()}
    assert (seen["x-dyber-client"], seen["x-forwarded-prefix"], seen["host"]) == (
        "desktop-pet",
        "/api/alpha",
        "localhost",
    )
    assert not {"authorization", "forwarded", "mcp_name", "x_dyber_client"} & set(seen)
    assert "6.6.6.6" not in json.dumps(seen)


#: Used instead of ID in frames, because it has the length of the text that replaces it.
H2_MARK = b"ID0123456789"


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def h2(path: bytes, *more: tuple[bytes, bytes], body: bytes | None = None, **pseudo: bytes) -> bytes:
    """Return an HTTP/2 request as frames, with literal headers that no client library would send."""
    head = {b":method": b"GET", b":scheme": b"https", b":authority": b"localhost", b":path": path}
    head.update({f":{name}".encode(): value for name, value in pseudo.items()})
    fields = [*head.items(), (b"authorization", b"Bearer " + TOKEN.encode()), *more]
    fields = [(name.replace(b"ID", H2_MARK), value.replace(b"ID", H2_MARK)) for name, value in fields]
    block = b"".join(b"\0" + integer(len(name)) + name + integer(len(value)) + value for name, value in fields)
    frames = frame(1, 4 if body is not None else 5, block)
    if body is not None:
        frames += frame(0, 1, body.replace(b"ID", H2_MARK))
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, b"", 0) + frames


def integer(value: int) -> bytes:
    """Encode a length as HPACK does."""
    if value < 127:
        return bytes([value])
    rest, value = bytearray([127]), value - 127
    while value >= 128:
        rest.append(value % 128 + 128)
        value //= 128
    return bytes([*rest, value])


H2_PASSED = {
    "plain": (h2(b"/api/alpha/p-ID"), ("alpha", "GET", "/p-ID")),
    "dots": (h2(b"/api/alpha/../beta/p-ID"), ("beta", "GET", "/p-ID")),
    "encoded dots": (h2(b"/api/alpha/%2e%2e/beta/p-ID"), ("beta", "GET", "/p-ID")),
    "a body": (h2(b"/api/alpha/p-ID", body=SMUGGLED, method=b"POST"), ("alpha", "POST", "/p-ID")),
}
H2_REFUSED = {
    "the whole address as path": h2(b"https://localhost/api/alpha/p-ID"),
    "an inner address": h2(b"/api/alpha/../../-/gateway/auth?ID"),
    "a path that is none": h2(b"api/alpha/p-ID"),
    "a star": h2(b"*?ID", method=b"OPTIONS"),
    "a second request in the path": h2(b"/api/alpha/p-ID HTTP/1.1\r\nHost: localhost\r\n\r\nGET /smuggled-ID"),
    "a second request in the method": h2(b"/api/alpha/p-ID", method=b"GET /smuggled-ID HTTP/1.1\r\n\r\nGET"),
    "a second request in a value": h2(b"/api/alpha/p-ID", (b"x-a", b"b\r\n\r\n" + SMUGGLED)),
    "a second request in a name": h2(b"/api/alpha/p-ID", (b"x-a: b\r\n\r\n" + SMUGGLED, b"c")),
    "a second path": h2(b"/api/alpha/p-ID", (b":path", b"/api/beta/p-ID")),
    "a pseudo-header nobody knows": h2(b"/api/alpha/p-ID", (b":protocol", b"websocket")),
    "another host": h2(b"/api/alpha/p-ID", authority=b"evil.example"),
    "a tunnel": h2(b"/api/alpha/p-ID", method=b"CONNECT"),
    "a length shorter than the body": h2(b"/api/alpha/p-ID", (b"content-length", b"1"), body=SMUGGLED, method=b"POST"),
    "a length longer than the body": h2(b"/api/alpha/p-ID", (b"content-length", b"99"), body=b"x", method=b"POST"),
}


@pytest.mark.parametrize(("data", "hit"), H2_PASSED.values(), ids=H2_PASSED)
def test_an_http_2_request_reaches_once_the_service_that_its_path_names(
    probed: Probed, data: bytes, hit: tuple[str, str, str]
) -> None:
    assert h2_hits(probed, data) == [hit]


@pytest.mark.parametrize("data", H2_REFUSED.values(), ids=H2_REFUSED)
def test_a_malformed_http_2_request_reaches_no_service(probed: Probed, data: bytes) -> None:
    assert h2_hits(probed, data) == []


def test_http_2_with_headers_of_http_1_is_refused_or_passed_on_without_them(probed: Probed) -> None:
    data = h2(b"/api/alpha/p-ID", (b"transfer-encoding", b"chunked"), body=ENDED, method=b"POST")
    assert h2_hits(probed, data) in ([], [("alpha", "POST", "/p-ID")])


def h2_hits(probed: Probed, data: bytes) -> list[tuple[str, str, str]]:
    mark = uuid.uuid4().hex[: len(H2_MARK)]
    with socket.create_connection(("127.0.0.1", probed.gateway.port(443)), timeout=20) as connection:
        talk(tls(connection, "h2"), data.replace(H2_MARK, mark.encode()))
    return probed.hits(mark)
