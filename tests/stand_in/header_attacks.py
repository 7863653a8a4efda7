"""Makes requests that disguise the call of a forbidden tool as that of an allowed one, and sends them to services."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dyber_kit import ErrorCode, ServiceError, Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.running import running
from tests.stand_in.services import build, minimal_arguments, tools_of

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
Headers = list[tuple[str, str]]


@dataclass
class Target:
    """Describes a running service under attack.

    Attributes:
        base: Base URL.
        allowed: Name of the tool that the token permits.
        wanted: Name of the tool that the token forbids and the attacks try to call.
        arguments: Valid arguments of `wanted`.
        allowed_arguments: Valid arguments of `allowed`.
        called: Names of the tools that ran.
        prefix: Path that is put before the path of every request.
        extra: Headers that every request has, too.
    """

    base: str
    allowed: str
    wanted: str
    arguments: dict[str, Any]
    allowed_arguments: dict[str, Any]
    called: list[str] = field(default_factory=list)
    prefix: str = ""
    extra: Headers = field(default_factory=list)

    @property
    def headers(self) -> Headers:
        """Return the headers of a call of the allowed tool, which the gateway passes on."""
        return [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("MCP-Protocol-Version", MODERN),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", self.allowed),
        ]

    def body(self, tool: str, **params: Any) -> dict[str, Any]:
        """Return the body of a call of a tool."""
        arguments = self.allowed_arguments if tool == self.allowed else self.arguments
        return {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": META, **params},
        }

    def send(self, body: bytes, headers: Headers, path: str = "/mcp") -> int:
        """Send a request and return the status of the answer; -1 when the connection ends without an answer."""
        connection = http.client.HTTPConnection(self.base.removeprefix("http://"), timeout=20)
        with closing(connection):
            connection.putrequest("POST", self.prefix + path)
            for name, value in (*headers, *self.extra, ("Content-Length", str(len(body)))):
                connection.putheader(name, value)
            connection.endheaders(body)
            try:
                answer = connection.getresponse()
                answer.read()
            except (http.client.HTTPException, ConnectionError):
                return -1
            return answer.status


@contextmanager
def serving(package: str, settings: Settings) -> Iterator[Target]:
    """Run a service with tools that only record their names in `called`."""
    app = build(package, settings)
    tools = tools_of(app)
    allowed, wanted = tools[0], tools[-1]
    assert allowed.name != wanted.name
    target = Target(
        "", allowed.name, wanted.name, minimal_arguments(wanted.parameters), minimal_arguments(allowed.parameters)
    )

    def recording(name: str) -> Any:
        async def end(**_: Any) -> None:
            target.called.append(name)
            raise ServiceError(ErrorCode.BUSY)

        return end

    for tool in tools:
        tool.fn = recording(tool.name)
    with running(build_server(app)) as base:
        target.base = base
        yield target


def replaced(headers: Headers, name: str, *values: str) -> Headers:
    """Return the headers with these values of the header `name`, or without it when there are none."""
    return [pair for pair in headers if pair[0] != name] + [(name, value) for value in values]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def doubled(target: Target, first: str, second: str) -> bytes:
    """Return the body of a call that names two tools, with the key `name` twice."""
    text = json.dumps(target.body(first))
    return text.replace(f'"name": "{first}"', f'"name": "{first}", "name": "{second}"').encode()


def bodies(target: Target) -> dict[str, bytes]:
    """Return bodies that could be read as a call of the wanted tool, by a description of the attempt."""
    call = target.body(target.wanted)
    text = json.dumps(call)
    harmless = target.body(target.allowed)
    old = {**call, "params": {"name": target.wanted, "arguments": target.arguments}}
    older = {**call, "params": {**call["params"], "_meta": {"io.modelcontextprotocol/protocolVersion": "2025-11-25"}}}
    return {
        "another tool": dumped(call),
        "a key twice, the wanted one last": doubled(target, target.allowed, target.wanted),
        "params twice": text.replace('"params": ', f'"params": {json.dumps(harmless["params"])}, "params": ').encode(),
        "params twice, the wanted ones first": text[:-1].encode() + b', "params": ' + dumped(harmless["params"]) + b"}",
        "a batch": dumped([harmless, call]),
        "a batch of one": dumped([call]),
        "a batch in a batch": dumped([[call]]),
        "two bodies": dumped(harmless) + b"\n" + dumped(call),
        "a byte-order mark": b"\xef\xbb\xbf" + dumped(call),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "UTF-32": text.encode("utf-32"),
        "an escaped name": text.replace(target.wanted[0], f"\\u{ord(target.wanted[0]):04x}", 1).encode(),
        "no _meta": dumped(old),
        "_meta of an older protocol": dumped(older),
        "_meta that is empty": dumped({**call, "params": {**call["params"], "_meta": {}}}),
        "_meta that is no object": dumped({**call, "params": {**call["params"], "_meta": [MODERN]}}),
        "a notification": dumped({key: value for key, value in call.items() if key != "id"}),
        "an id that is null": dumped({**call, "id": None}),
        "the tool deeper": dumped({**harmless, "params": {**harmless["params"], "params": call["params"]}}),
        "another spelling of the key": dumped({**harmless, "params": {**harmless["params"], "Name": target.wanted}}),
        "a name that is a list": dumped(target.body(target.allowed, name=[target.wanted])),
        "a name with spaces": dumped(target.body(target.allowed, name=f" {target.wanted} ")),
        "another method": dumped({**call, "method": "tools/call ", "params": call["params"]}),
        "compressed": gzip.compress(dumped(call)),
    }


def header_attempts(target: Target) -> dict[str, Headers]:
    """Return headers that gateway and server might read differently, by a description of the attempt."""
    headers = target.headers
    both = (target.allowed, target.wanted)
    return {
        "a name twice": replaced(headers, "Mcp-Name", *both),
        "a name twice, the other way round": replaced(headers, "Mcp-Name", *reversed(both)),
        "names in one header": replaced(headers, "Mcp-Name", ", ".join(both)),
        "no name": replaced(headers, "Mcp-Name"),
        "an empty name": replaced(headers, "Mcp-Name", ""),
        "a name in capitals": replaced(headers, "Mcp-Name", target.wanted.upper()),
        "a method in capitals": replaced(headers, "Mcp-Method", "Tools/Call"),
        "a list": replaced(headers, "Mcp-Method", "tools/list"),
        "a method twice": replaced(headers, "Mcp-Method", "tools/list", "tools/call"),
        "no method": replaced(headers, "Mcp-Method"),
        "a version twice": replaced(headers, "MCP-Protocol-Version", MODERN, "2025-11-25"),
        "a version with spaces": replaced(headers, "MCP-Protocol-Version", f"  {MODERN}\t"),
        "a session of an older client": [*headers, ("Mcp-Session-Id", "0" * 32)],
        "gzip": [*headers, ("Content-Encoding", "gzip")],
        "deflate": [*headers, ("Content-Encoding", "deflate")],
        "a charset": replaced(headers, "Content-Type", "application/json; charset=utf-16"),
        "no JSON": replaced(headers, "Content-Type", "text/plain"),
        "a form": replaced(headers, "Content-Type", "application/x-www-form-urlencoded"),
        "another method of HTTP": [*headers, ("X-HTTP-Method-Override", "DELETE")],
    }
