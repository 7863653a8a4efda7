"""Tests that loopback bypasses every proxy, and that proxies which Python cannot use are left out and reported."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from toolchain import downloads, prerequisites, proxies
from toolchain.engine import installation
from toolchain.from_source import go_build
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors

DEAD = "http://127.0.0.1:9"
LOOPBACK = "localhost,127.0.0.1,::1"
ALL_LOOPBACK = {"no_proxy": LOOPBACK, "NO_PROXY": LOOPBACK, "no_grpc_proxy": LOOPBACK}


@pytest.fixture(autouse=True)
def no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DYBER_LANG", "en")


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"direct")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_with_any_proxy_variable_loopback_bypasses_the_proxy(name: str) -> None:
    assert proxies.loopback_bypass({name: DEAD}) == ALL_LOOPBACK


def test_without_a_proxy_no_variable_is_added() -> None:
    assert proxies.loopback_bypass({"no_proxy": "corp.example", "http_proxy": ""}) == {}


@pytest.mark.parametrize(
    ("variables", "lower", "upper"),
    [
        ({"no_proxy": "localhost, 127.0.0.1"}, LOOPBACK, LOOPBACK),
        ({"no_proxy": "::1,localhost"}, "::1,localhost,127.0.0.1", "::1,localhost,127.0.0.1"),
        ({"NO_PROXY": "corp.example 10.0.0.0/8"}, f"corp.example,10.0.0.0/8,{LOOPBACK}", None),
        ({"NO_PROXY": "a.example", "no_proxy": "b.example"}, f"b.example,{LOOPBACK}", f"a.example,{LOOPBACK}"),
        ({"no_proxy": ""}, LOOPBACK, LOOPBACK),
    ],
)
def test_loopback_is_added_to_the_hosts_that_bypass_the_proxy_already(
    variables: dict[str, str], lower: str, upper: str | None
) -> None:
    bypass = proxies.loopback_bypass({"http_proxy": DEAD, **variables})
    assert (bypass["no_proxy"], bypass["NO_PROXY"]) == (lower, upper or lower)
    assert bypass["no_grpc_proxy"] == lower


def test_the_wildcard_stays_and_grpc_gets_loopback_instead() -> None:
    bypass = proxies.loopback_bypass({"https_proxy": DEAD, "no_proxy": "*"})
    assert bypass == {"no_proxy": "*", "NO_PROXY": "*", "no_grpc_proxy": LOOPBACK}


def test_the_environment_of_pulumi_reaches_loopback_directly(tmp_path: Path) -> None:
    variables = prerequisites.environment(DyberHome(tmp_path), {"PATH": "/usr/bin", "https_proxy": DEAD})
    assert {name: variables[name] for name in ALL_LOOPBACK} == ALL_LOOPBACK


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:7890", "socks://127.0.0.1:7890", "http://[::1:x"])
@pytest.mark.parametrize("name", ["all_proxy", "ALL_PROXY", "http_proxy"])
def test_downloads_ignore_a_proxy_that_they_cannot_use(
    name: str, proxy: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy)
    monkeypatch.setenv("no_proxy", "::1,localhost")
    with downloads.http_client() as client:
        assert client.get(server).text == "direct"
    assert name in proxies.left_out_message(os.environ)


def test_pip_gets_the_http_proxy_but_not_the_socks_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:7890")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:7890")
    env = go_build.pip_environment(Mirrors())
    assert "all_proxy" not in env
    assert env["https_proxy"] == "http://127.0.0.1:7890"
    assert "https_proxy is used" in proxies.left_out_message(os.environ)


def test_the_message_about_a_proxy_has_no_password() -> None:
    message = proxies.left_out_message({"all_proxy": "socks5://me:hunter2@proxy.example:1080"})
    assert "hunter2" not in message
    assert "socks5://proxy.example:1080" in message


def test_downloads_from_loopback_use_no_proxy(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, DEAD)
    with downloads.http_client() as client:
        assert client.get(server).text == "direct"


def test_an_engine_on_loopback_is_reached_without_a_proxy(server: str) -> None:
    host = server.replace("http://", "tcp://")
    with installation.api_client(host, {"http_proxy": DEAD, "all_proxy": "socks5://127.0.0.1:9"}) as client:
        assert client.get("/version").text == "direct"


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://upper.example", "https_proxy": "http://lower.example"}, "http://lower.example"),
        ({"all_proxy": "http://proxy.example"}, "http://proxy.example"),
        ({"https_proxy": "socks5://a.example", "all_proxy": "http://b.example"}, "http://b.example"),
        ({"https_proxy": "http://proxy.example", "no_proxy": "x.example, .pypi.example"}, None),
        ({"https_proxy": "http://proxy.example", "no_proxy": "*"}, None),
        ({"http_proxy": "http://proxy.example"}, None),
    ],
)
def test_the_proxy_of_an_address_is_that_which_other_programs_would_use(env: dict[str, str], proxy: str | None) -> None:
    assert proxies.for_address("https://files.pypi.example/simple/", env) == proxy


def test_doctor_says_that_builds_cannot_reach_a_proxy_on_loopback() -> None:
    (finding,) = prerequisites._proxies({"http_proxy": "http://127.0.0.1:7890"})
    assert finding.ok
    assert "DYBER_BUILD_PROXY" in finding.advice
    (finding,) = prerequisites._proxies({"http_proxy": "http://proxy.example:3128"})
    assert finding.advice == ""
