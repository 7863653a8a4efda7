"""Tests that a server carries out only what the headers of a modern call say, on which the gateway's scopes depend.

The gateway checks `Mcp-Method` and `Mcp-Name` only. So every service gets requests whose bodies call, in many ways, a
tool that the headers do not name; that tool must never run.
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator

import pytest
from dyber_kit.contract import all_tools

from tests.stand_in.header_attacks import Target, bodies, doubled, dumped, header_attempts, replaced, serving
from tests.stand_in.running import free_port
from tests.stand_in.services import PACKAGES


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """Run each service as the target of the attacks."""
    with serving(PACKAGES[request.param], all_tools(free_port())) as running_target:
        yield running_target


@pytest.fixture(autouse=True)
def clear_called(target: Target) -> None:
    target.called.clear()


def test_a_call_whose_headers_and_body_agree_is_carried_out(target: Target) -> None:
    assert target.send(dumped(target.body(target.wanted)), replaced(target.headers, "Mcp-Name", target.wanted)) == 200
    assert target.called == [target.wanted]


def test_no_body_makes_a_server_run_a_tool_that_the_headers_do_not_name(target: Target) -> None:
    for attempt, body in bodies(target).items():
        for path in ("/mcp", "/mcp/"):
            status = target.send(body, target.headers, path)
            assert target.wanted not in target.called, attempt
            assert status != 500, attempt


def test_a_repeated_key_is_never_read_in_two_ways(target: Target) -> None:
    # The call may run as the allowed tool, but must not be checked as one tool and run as the other.
    target.send(doubled(target, target.wanted, target.allowed), target.headers)
    assert target.wanted not in target.called


def test_no_header_makes_a_server_run_a_tool_that_the_gateway_did_not_check(target: Target) -> None:
    for attempt, headers in header_attempts(target).items():
        for body in (dumped(target.body(target.wanted)), gzip.compress(dumped(target.body(target.wanted)))):
            status = target.send(body, headers)
            assert target.wanted not in target.called, attempt
            assert status != 500, attempt


def test_bytes_after_the_body_are_checked_as_a_separate_request(target: Target) -> None:
    """Check that a body of another length than announced hides no second request from the gateway."""
    call = dumped(target.body(target.wanted))
    hidden = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(call), call)
    host, port = target.base.removeprefix("http://").rsplit(":", 1)
    lines = "".join(f"{name}: {value}\r\n" for name, value in target.headers).encode()
    for framing in (
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % (5 + len(hidden)),
        b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden),
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + lines + framing + b"\r\n0\r\n\r\n" + hidden
            )
            connection.settimeout(2)
            try:
                while connection.recv(65536):
                    pass
            except TimeoutError:
                pass
        assert target.wanted not in target.called, framing
