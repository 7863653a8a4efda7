"""A console that is gone, or hangs, costs no call, slows none and does not fill the gateway's error log."""

from __future__ import annotations

import uuid

from tests.gateway.console.conftest import SPANS, GatewayWithConsole
from tests.gateway.support.docker_cli import docker, wait_until


def errors(failing: GatewayWithConsole) -> list[str]:
    """Return the lines of the error log about syslog."""
    return [line for line in failing.gateway.logs()[1].splitlines() if "syslog" in line]


def away(failing: GatewayWithConsole) -> bool:
    """Tell whether the gateway says that the console does not answer. A page asked for before that may hang with it."""
    try:
        return bool(failing.page().status == 503)
    except TimeoutError:
        return False


def halt(failing: GatewayWithConsole, signal: str) -> None:
    """Send a signal to the listener and to the workers of the pages, whose connections stay open."""
    docker("kill", "--signal", signal, failing.listener)
    docker("exec", failing.pages, "bash", "-c", f"kill -{signal} -1")


def calls_succeed(failing: GatewayWithConsole, number: int) -> None:
    """Make calls, all of which must succeed."""
    assert {failing.gateway.request("/api/alpha/").status for _ in range(number)} == {200}


def test_a_console_that_is_gone_costs_no_call_and_the_gateway_stops_telling_it(failing: GatewayWithConsole) -> None:
    failing.kill_console()

    def quiet() -> bool:
        before = len(errors(failing))
        calls_succeed(failing, 100)
        return len(errors(failing)) == before

    # Until the gateway checks the console again, each call may leave a line.
    wait_until(quiet, "calls leave no line in the error log")
    assert away(failing)


def test_a_console_that_hangs_costs_no_call_and_its_page_says_so_at_once(failing: GatewayWithConsole) -> None:
    halt(failing, "STOP")
    try:
        # More lines than the socket takes.
        calls_succeed(failing, 300)
        wait_until(lambda: away(failing), "the gateway notices")
        calls_succeed(failing, 100)
        assert errors(failing) == []
    finally:
        halt(failing, "CONT")


def test_its_page_says_what_to_do(failing: GatewayWithConsole) -> None:
    failing.kill_console()
    wait_until(lambda: away(failing), "the gateway notices")
    for path in ("/console", "/console/", "/console/calls?x=1"):
        answer = failing.page(path)
        assert (answer.status, answer.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
        text = answer.body.decode()
        assert "控制台没有回答" in text and "The console does not answer" in text
        assert "./deploy.sh logs console" in text


def test_spans_are_refused_at_once_while_it_is_away(failing: GatewayWithConsole) -> None:
    failing.kill_console()
    wait_until(lambda: away(failing), "the gateway notices")
    answer = failing.gateway.request("/v1/traces", port=SPANS, method="POST", token=None, body=b"spans")
    assert answer.status == 503


def test_a_console_that_comes_back_is_told_again(failing: GatewayWithConsole) -> None:
    failing.kill_console()
    wait_until(lambda: away(failing), "the gateway notices")
    failing.start_console()
    request_ids = []

    def told() -> bool:
        request_ids.append(uuid.uuid4().hex)
        failing.gateway.request("/api/alpha/", headers={"X-Request-Id": request_ids[-1]})
        return bool({entry["request_id"] for entry in failing.told()} & set(request_ids))

    wait_until(told, "calls are told to the new console")


def test_a_gateway_starts_without_its_console(failing: GatewayWithConsole) -> None:
    failing.kill_console()
    failing.gateway.restart()
    calls_succeed(failing, 20)
    wait_until(lambda: away(failing), "the gateway notices")
