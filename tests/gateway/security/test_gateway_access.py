"""Tests who may call: tokens, hosts and web origins."""

from __future__ import annotations

import hashlib

import pytest

from tests.gateway.support.gateway_under_test import (
    ALPHA,
    CLIENT,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
    GatewayUnderTest,
    changed,
)

SERVICE_ADDRESSES = [(80, "/api/alpha/ready"), (443, "/api/alpha/ready"), (8080, "/alpha/ready"), (9000, "/ready")]


@pytest.mark.parametrize(("port", "path"), SERVICE_ADDRESSES)
def test_a_wrong_token_gets_401_json(gateway: GatewayUnderTest, port: int, path: str) -> None:
    answer = gateway.request(path, port=port, token=OTHER_TOKEN)
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="dyberpet", charset="UTF-8"']
    assert (answer.json()["code"], answer.json()["service"]) == ("unauthorized", "alpha")


@pytest.mark.parametrize(("port", "path"), SERVICE_ADDRESSES)
def test_a_missing_token_gets_401_json(gateway: GatewayUnderTest, port: int, path: str) -> None:
    assert gateway.request(path, port=port, token=None).json()["code"] == "unauthorized"


@pytest.mark.parametrize(("port", "path"), SERVICE_ADDRESSES)
def test_the_right_token_gets_through(gateway: GatewayUnderTest, port: int, path: str) -> None:
    assert gateway.request(path, port=port).status == 200


def test_the_case_of_a_token_matters(gateway: GatewayUnderTest) -> None:
    assert gateway.request("/api/alpha/ready", token=TOKEN.upper()).status == 401


def test_the_case_of_the_scheme_does_not_matter(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha/ready", token=None, headers={"Authorization": f"bearer {TOKEN}"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "header", [TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN} {TOKEN}", "Bearer", "Bearer " + "a" * 600]
)
def test_other_authorization_headers_get_401(gateway: GatewayUnderTest, header: str) -> None:
    assert gateway.request("/api/alpha/ready", token=None, headers={"Authorization": header}).status == 401


def test_the_hash_of_a_token_is_not_a_token(gateway: GatewayUnderTest) -> None:
    assert gateway.request("/api/alpha/ready", token=hashlib.sha256(TOKEN.encode()).hexdigest()).status == 401


def test_the_service_learns_the_client_but_not_the_token(gateway: GatewayUnderTest) -> None:
    seen = gateway.seen("/api/alpha/", headers={"X-Dyber-Client": "somebody-else"})
    assert seen["headers"]["x-dyber-client"] == "desktop-pet"
    assert "authorization" not in seen["headers"]
    assert TOKEN not in str(seen)


def test_a_forged_client_address_does_not_reach_the_service(gateway: GatewayUnderTest) -> None:
    seen = gateway.seen("/api/alpha/", headers={"X-Forwarded-For": "8.8.8.8", "X-Real-IP": "8.8.8.8"})
    assert "8.8.8.8" not in str(seen)


@pytest.mark.parametrize("port", [80, 443, 8080, 9000])
def test_an_unknown_host_gets_421_json(gateway: GatewayUnderTest, port: int) -> None:
    answer = gateway.request("/health", port=port, headers={"Host": "evil.example"})
    assert (answer.status, answer.json()["code"]) == (421, "unknown_host")


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:1234", "localhost.", "localhost.:80", "127.0.0.1:80", "[::1]", "[::1]:8080",
        "pet.example", "pet.example.", "host.docker.internal", "host.docker.internal:80", "host.containers.internal",
    ],
)  # fmt: skip
def test_known_hosts_are_served(gateway: GatewayUnderTest, host: str) -> None:
    assert gateway.request("/health", headers={"Host": host}).status == 200


def test_the_error_for_an_unknown_host_names_the_host_and_the_setting(gateway: GatewayUnderTest) -> None:
    body = gateway.request("/health", headers={"Host": "192.168.1.5:8080"}).json()
    for text in (body["error"], body["error_en"]):
        assert "192.168.1.5:8080" in text
        assert "gateway.serverNames" in text
    long = gateway.request("/health", headers={"Host": "x" * 3000}).json()
    assert "x" * 128 in long["error"]
    assert len(long["error"]) < 400


def test_a_gateway_for_every_address_answers_on_each_address(own_gateway: GatewayUnderTest) -> None:
    own_gateway.configure(changed(SETTINGS, bind="0.0.0.0"), (ALPHA,), (CLIENT,))
    for host in ("192.168.1.5", "10.0.0.7:80", "[fd00::5]", "[fd00::5]:8080"):
        assert own_gateway.request("/health", headers={"Host": host}).status == 200
    for host in ("evil.example", "192.168.1.5.evil.example", "1.2.3.4.5", "fd00--5.evil.example"):
        assert own_gateway.request("/health", headers={"Host": host}).status == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://pet.example.evil.example", "http://localhost:1"]
)
def test_a_foreign_origin_gets_403_json(gateway: GatewayUnderTest, origin: str) -> None:
    answer = gateway.request("/api/alpha/ready", headers={"Origin": origin, "Host": "localhost"})
    assert (answer.status, answer.json()["code"]) == (403, "foreign_origin")
    assert answer.headers["Access-Control-Allow-Origin"] is None
    for text in (answer.json()["error"], answer.json()["error_en"]):
        assert f" {origin} " in text
        assert "gateway.allowedOrigins" in text


@pytest.mark.parametrize("origin", ["https://" + "x" * 3000, 'https://a"b\\c', "https://猫.example"])
def test_a_refused_origin_is_shown_shortened(gateway: GatewayUnderTest, origin: str) -> None:
    answer = gateway.request("/health", headers={"Origin": origin.encode(), "Host": "localhost"})
    assert answer.status == 403
    assert "gateway.allowedOrigins" in answer.json()["error"]
    assert len(answer.json()["error"]) < 300


@pytest.mark.parametrize("origin", ["null", "app://obsidian.md", "tauri://localhost", "file://"])
def test_the_origin_of_a_desktop_program_can_be_allowed(own_gateway: GatewayUnderTest, origin: str) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(SETTINGS, (ALPHA,), (CLIENT,))
    assert own_gateway.request("/api/alpha/ready", headers={"Origin": origin}).status == 403
    own_gateway.configure(changed(SETTINGS, allowed_origins=(origin,)), (ALPHA,), (CLIENT,))
    answer = own_gateway.request("/api/alpha/ready", headers={"Origin": origin})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_the_header_sec_fetch_site_alone_refuses_no_call(gateway: GatewayUnderTest, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    assert gateway.request("/api/alpha/ready", headers=headers).status == 200


def test_a_page_of_the_gateway_itself_may_call(gateway: GatewayUnderTest) -> None:
    headers = {"Origin": "http://localhost:8123", "Host": "localhost:8123"}
    answer = gateway.request("/api/alpha/ready", headers=headers)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_an_allowed_origin_may_call_and_read_the_answer(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha/ready", headers={"Origin": "https://pet.example"})
    assert answer.status == 200
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["https://pet.example"]
    assert answer.headers["Vary"] == "Origin"


def test_an_allowed_origin_can_read_why_it_got_401(gateway: GatewayUnderTest) -> None:
    answer = gateway.request("/api/alpha/ready", token=None, headers={"Origin": "https://pet.example"})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, "https://pet.example")


def test_a_preflight_of_an_allowed_origin_needs_no_token(gateway: GatewayUnderTest) -> None:
    headers = {"Origin": "https://pet.example", "Access-Control-Request-Method": "POST"}
    answer = gateway.request("/api/alpha/mcp", method="OPTIONS", token=None, headers=headers)
    assert answer.status == 204
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


def test_a_preflight_allows_the_headers_that_it_asks_for(gateway: GatewayUnderTest) -> None:
    requested_headers = "authorization,content-type,mcp-method,mcp-name,mcp-param-x,mcp-protocol-version,mcp-session-id"
    headers = {
        "Origin": "https://pet.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": requested_headers,
        "Access-Control-Request-Private-Network": "true",
    }
    answer = gateway.request("/api/alpha/mcp", method="OPTIONS", token=None, headers=headers)
    assert answer.headers.get_all("Access-Control-Allow-Headers") == [requested_headers]
    assert answer.headers.get_all("Access-Control-Allow-Private-Network") == ["true"]
    headers["Access-Control-Request-Headers"] = "authorization, x\tbad"
    answer = gateway.request("/api/alpha/mcp", method="OPTIONS", token=None, headers=headers)
    assert answer.headers["Access-Control-Allow-Headers"].startswith("Authorization, Content-Type, ")


def test_a_preflight_of_a_foreign_origin_gets_403(gateway: GatewayUnderTest) -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert gateway.request("/api/alpha/mcp", method="OPTIONS", token=None, headers=headers).status == 403
