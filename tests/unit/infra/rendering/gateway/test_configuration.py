"""The structure of the rendered configuration, and what is refused. tests/gateway tests it with the real Nginx."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from infra.rendering.gateway.configuration import json_body, quote, render
from infra.rendering.gateway.model import GatewayClient, GatewayService
from infra.settings.gateway import GatewaySettings

TOKEN = "5ecret" * 8
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
OTHER_HASH = hashlib.sha256(b"other").hexdigest()
XIAOHONGSHU = GatewayService("xiaohongshu", 8001, "小红书 MCP", 300)
TEMPLATE = GatewayService("template", 8002, "模板 MCP", 10)
PET = GatewayClient("desktop-pet", (HASH,))


def rendered(**changes: object) -> dict[str, str]:
    arguments = {"settings": GatewaySettings(), "services": [XIAOHONGSHU, TEMPLATE], "clients": [PET], **changes}
    return render(**arguments)


def block(text: str, opening: str) -> str:
    """Return the block that begins with `opening`, up to its closing brace."""
    start = text.index(opening)
    depth = 0
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if text[position] == "}" and depth == 0:
            return text[start : position + 1]
    raise AssertionError(f"{opening} is never closed")


def catalog(files: dict[str, str]) -> dict:
    """Return the gateway's own answers about the services."""
    return json.loads(files["njs/catalog.json"])


def test_the_order_of_services_and_clients_does_not_matter() -> None:
    second = GatewayClient("another", (OTHER_HASH,))
    forwards = rendered(clients=[PET, second])
    backwards = rendered(services=[TEMPLATE, XIAOHONGSHU], clients=[second, PET])
    assert forwards == backwards


def test_the_order_of_server_names_does_not_matter() -> None:
    first = rendered(settings=GatewaySettings(server_names=("b.example", "a.example", "localhost")))
    second = rendered(settings=GatewaySettings(server_names=("a.example", "b.example")))
    assert first == second


def test_every_include_and_import_is_rendered() -> None:
    files = rendered()
    wanted = set()
    for text in files.values():
        wanted |= set(re.findall(r"^\s*include (\S+);", text, re.MULTILINE))
        wanted |= set(re.findall(r"js_(?:import|preload_object) \w+ from (\S+);", text))
        wanted |= set(re.findall(r"^import \w+ from '(njs/\S+)';", text, re.MULTILINE))
    assert {"servers.conf", "proxy.conf", "njs/auth.js", "njs/catalog.json"} <= wanted <= set(files)


def test_the_hash_bucket_size_stands_before_every_map() -> None:
    entry = rendered()["nginx.conf"]
    first_include = entry.index("include ")
    assert entry.index("map_hash_bucket_size") < first_include
    assert not re.search(r"^\s*map ", entry[:first_include], re.MULTILINE)


def test_each_service_has_an_upstream_that_may_be_absent() -> None:
    upstream = block(rendered()["upstreams.conf"], 'upstream "template"')
    assert 'server "template-mcp:8002" resolve' in upstream
    assert "zone " in upstream
    assert "resolver 127.0.0.11 valid=1s ipv6=off;" in rendered()["nginx.conf"]


def test_each_service_is_served_under_api_on_the_main_ports() -> None:
    main = block(rendered()["servers.conf"], "server {\n    listen 80;")
    assert "listen 443 ssl;" in main
    assert 'location ^~ "/api/xiaohongshu/"' in main
    assert 'location ^~ "/xiaohongshu/"' not in main


def test_each_service_is_also_served_without_api_on_the_development_port() -> None:
    development = block(rendered()["servers.conf"], "server {\n    listen 8080;")
    assert 'location ^~ "/api/xiaohongshu/"' in development
    assert 'location ^~ "/xiaohongshu/"' in development


def test_each_service_is_served_at_the_root_of_its_own_port() -> None:
    direct = block(rendered()["servers.conf"], "server {\n    listen 8002;")
    assert 'location ^~ "/" {' in direct
    assert 'proxy_pass "http://template";' in direct
    assert "forwarded_prefix" not in direct


def test_every_call_to_a_service_is_checked_and_gets_all_headers() -> None:
    files = rendered()
    locations = re.findall(r"location [^{]*\{[^{}]*proxy_pass[^{}]*\}", files["servers.conf"])
    # For each of the four addresses: calls, calls over HTTP/2 without a body, and repeated calls.
    assert len(locations) == 2 * 3 * 4
    assert all("include proxy.conf;" in location for location in locations)
    # Nginx ignores those of proxy.conf in a block that has one of its own.
    assert not any("proxy_set_header" in location or "add_header" in location for location in locations)
    assert "js_access access.check;" in files["proxy.conf"]
    assert 'proxy_set_header Authorization "";' in files["proxy.conf"]
    assert "proxy_set_header X-Dyber-Client $client;" in files["proxy.conf"]


def test_the_language_that_a_client_asks_for_reaches_the_services() -> None:
    # Nginx passes on every header that it is not told to change.
    files = rendered()
    for name in ("proxy.conf", "servers.conf"):
        assert "accept-language" not in files[name].lower()
        assert "proxy_pass_request_headers" not in files[name]


@pytest.mark.parametrize(("longest_call", "timeout"), [(1, 60), (45, 60), (46, 61), (300, 315)])
def test_the_read_timeout_follows_the_longest_call(longest_call: int, timeout: int) -> None:
    service = GatewayService("one", 8001, "", longest_call)
    assert f"proxy_read_timeout {timeout}s;" in rendered(services=[service])["servers.conf"]


def test_a_client_may_have_two_tokens_while_rotating() -> None:
    text = rendered(clients=[GatewayClient("pet", (HASH, OTHER_HASH))])["access.conf"]
    assert f'"{HASH}" "pet";' in text
    assert f'"{OTHER_HASH}" "pet";' in text


def test_the_certificates_name_follows_the_server_names() -> None:
    files = rendered(settings=GatewaySettings(server_names=("pet.example", "192.168.1.5", "[fd00::5]")))
    assert files["tls.names"].splitlines() == [
        "DNS:localhost", "IP:127.0.0.1", "IP:::1", "DNS:host.docker.internal", "DNS:host.containers.internal",
        "IP:192.168.1.5", "IP:fd00::5", "DNS:pet.example",
    ]  # fmt: skip
    name = hashlib.sha256(files["tls.names"].encode()).hexdigest()[:16]
    assert f"default {name};" in files["tls.conf"]
    assert name not in rendered()["tls.conf"]


def test_an_unknown_host_is_the_default_on_every_port() -> None:
    default = block(rendered()["servers.conf"], "server {\n    listen 80 default_server;")
    assert set(re.findall(r"listen (\d+)[^;]* default_server;", default)) == {"80", "443", "8080", "8001", "8002"}
    assert "return 421;" in default


def test_every_error_says_it_in_both_languages_with_the_request_id() -> None:
    bodies = re.findall(r"return \d+ '(\{.*\})\\n';", rendered()["server.conf"])
    assert len(bodies) >= 14
    for body in bodies:
        fields = json.loads(body.replace("\\\\", "\\").replace("\\'", "'"))
        assert fields["status"] == "error"
        if fields["code"] == "unauthorized":
            assert (fields["error"], fields["error_en"]) == ("${unauthorized_zh}", "${unauthorized_en}")
            continue
        assert re.search("[\u4e00-\u9fff]", fields["error"])
        assert fields["error_en"].isascii()
        assert fields["request_id"] == "$gateway_request_id"


def test_every_status_that_nginx_may_answer_itself_has_a_body() -> None:
    covered = {int(status) for line in rendered()["error_pages.conf"].splitlines()
               for status in re.findall(r"\b\d{3}\b", line.split("=")[0])}  # fmt: skip
    assert covered >= {400, 401, 403, 404, 405, 408, 413, 414, 421, 494, 497, 500, 502, 503, 504}


def test_the_documents_list_the_services_by_port() -> None:
    document = catalog(rendered(version="9.8.7"))
    assert document["information"] == {
        "message": "DyberPet MCP Gateway",
        "version": "9.8.7",
        "services": ["/api/xiaohongshu", "/api/template"],
        "titles": {"xiaohongshu": "小红书 MCP", "template": "模板 MCP"},
    }
    assert document["unknown_service"]["services"] == ["/api/xiaohongshu", "/api/template"]


def test_a_gateway_without_services_and_clients_can_be_rendered() -> None:
    assert catalog(rendered(services=[], clients=[]))["names"] == []


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a b", "a/b", "../evil", "a;b", 'a"b', "a$b", "a\n", "é", "a" * 41,
     "api", "health"],
)  # fmt: skip
def test_an_unusable_service_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="service name"):
        GatewayService(name, 8001, "", 60)


@pytest.mark.parametrize("port", [0, -1, 65536, 80, 443, 8080])
def test_an_unusable_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="port .* is unusable"):
        GatewayService("one", port, "", 60)


@pytest.mark.parametrize("seconds", [0, -5, 86401])
def test_an_unusable_call_length_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="max_call_seconds"):
        GatewayService("one", 8001, "", seconds)


@pytest.mark.parametrize("name", ["", "A", "a b", 'a"', "a;", "$host", "-a", "a\n", "x" * 64])
def test_an_unusable_client_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="client name"):
        GatewayClient(name, (HASH,))


@pytest.mark.parametrize("value", [TOKEN, HASH.upper(), HASH[:-1], HASH + "\n", ""])
def test_what_is_not_a_hash_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="token_sha256") as error:
        GatewayClient("pet", (value,))
    assert not value or value not in str(error.value)


def test_a_client_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="has no token"):
        GatewayClient("pet", ())


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a;b", "a.example:80", "*.example", "-a.example", "a..b", "::1", "[::1", "[1.2.3.4]", "1.2.3", "_",
     "EXAMPLE.com", "a\n", "~a", "[0::1]", "x" * 64 + ".example"],
)  # fmt: skip
def test_an_unusable_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="host name .* is unusable"):
        GatewaySettings(server_names=(name,))


@pytest.mark.parametrize(
    "origin", ["*", "NULL", "pet.example", "https://", "https://a/b", "https://A.example", 'https://a"']
)
def test_an_unusable_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="web origin"):
        GatewaySettings(allowed_origins=(origin,))


@pytest.mark.parametrize(
    ("services", "clients", "message"),
    [
        ([XIAOHONGSHU, GatewayService("xiaohongshu", 8005, "", 60)], [PET], "service name used twice: xiaohongshu"),
        ([XIAOHONGSHU, GatewayService("other", 8001, "", 60)], [PET], "service port used twice: 8001"),
        ([XIAOHONGSHU], [PET, GatewayClient("desktop-pet", (OTHER_HASH,))], "client name used twice: desktop-pet"),
        ([XIAOHONGSHU], [PET, GatewayClient("other", (HASH,))], "two clients have the same token"),
    ],
)
def test_duplicates_are_refused(services: list, clients: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rendered(services=services, clients=clients)


@pytest.mark.parametrize("value", ["a;b", "a b", 'a"b', "a$b", "a{b", "a\\b", "a\nb", "~a", ""])
def test_nothing_with_a_meaning_to_nginx_is_written_as_a_name(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        quote(value)


def test_a_json_body_keeps_dollars_and_quotes_as_text() -> None:
    assert json_body({"a": "$host's"}, b="var") == r"""'{"a": "\\u0024host\'s", "b": "$var"}\n'"""
