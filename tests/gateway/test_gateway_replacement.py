"""Containers come and go behind the gateway; callers do not notice, and nothing is done twice."""

from __future__ import annotations

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from gateway.docker_cli import docker, wait_until
from gateway.gateway_under_test import ALPHA, CLIENT, SETTINGS, TOKEN, GatewayUnderTest
from stack.gateway_config import render

REPLACEMENTS = 3
CALLERS = 4
PAUSE_SECONDS = 0.005


def reached(gateway: GatewayUnderTest, count: int) -> None:
    """Returns when as many containers of alpha take calls."""

    def containers() -> int:
        return len({gateway.seen("/api/alpha/")["container"] for _ in range(10)})

    wait_until(lambda: gateway.request("/api/alpha/ready").status == 200 and containers() == count, f"{count} of alpha")


def call_until(stop: Event, gateway: GatewayUnderTest, port: int, caller: int) -> list[tuple[str, int | str]]:
    """Numbered POSTs, one after the other on one connection, and what became of each."""
    results: list[tuple[str, int | str]] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.wait(PAUSE_SECONDS):
        call = f"call-{caller}-{len(results)}-end"
        try:
            connection.request("POST", f"/api/alpha/x?{call}", b"{}", headers={"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            response.read()
            results.append((call, response.status))
        except OSError as error:
            results.append((call, repr(error)))
            connection.close()
    return results


def test_replacing_a_container_loses_no_call_and_doubles_none(own_gateway: GatewayUnderTest) -> None:
    old = own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    reached(own_gateway, 1)
    logs = []
    stop = Event()
    port = own_gateway.port(80)
    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(call_until, stop, own_gateway, port, number) for number in range(CALLERS)]
        try:
            for _ in range(REPLACEMENTS):
                new = own_gateway.backend("alpha")
                reached(own_gateway, 2)
                docker("stop", "--time", "10", old)
                logs.append(docker("logs", old))
                own_gateway.remove_backend(old)
                old = new
                reached(own_gateway, 1)
        finally:
            stop.set()
        results = [result for caller in callers for result in caller.result()]
    logs.append(docker("logs", old))
    arrived = Counter(word for log in logs for word in log.replace("?", " ").split() if word.startswith("call-"))

    assert {status for _, status in results} == {200}, [result for result in results if result[1] != 200]
    assert arrived == Counter(call for call, _ in results)


def test_a_call_that_took_too_long_is_not_made_again(own_gateway: GatewayUnderTest) -> None:
    backends = [own_gateway.backend("alpha") for _ in range(2)]
    files = render(SETTINGS, [ALPHA], [CLIENT])
    limit = f"proxy_read_timeout {ALPHA.read_timeout_seconds}s;"
    files["servers.conf"] = files["servers.conf"].replace(limit, "proxy_read_timeout 1s;")
    assert own_gateway.load(files).exit_code == 0
    reached(own_gateway, 2)
    answer = own_gateway.request("/api/alpha/slow?milliseconds=2500&the-call", method="POST", body=b"{}")
    assert answer.status == 504
    for name in backends:
        docker("stop", "--time", "10", name)
    assert sum(docker("logs", name).count("the-call") for name in backends) == 1


def test_a_service_that_starts_after_the_gateway_is_found(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(services=(ALPHA,))
    assert own_gateway.request("/api/alpha/ready").status == 502
    own_gateway.backend("alpha")
    reached(own_gateway, 1)


def test_a_killed_container_leaves_the_work_to_its_sibling(own_gateway: GatewayUnderTest) -> None:
    first = own_gateway.backend("alpha")
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,))
    reached(own_gateway, 2)
    docker("kill", first)
    assert {own_gateway.request("/api/alpha/ready").status for _ in range(30)} == {200}
