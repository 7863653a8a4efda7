"""A client's configuration has the right services, with addresses that the client can reach."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import typer

from cli.clients import addresses
from cli.commands.settings.clients import usable
from cli.engine import engine, processes
from cli.system.errors import StackError
from infra.rendering.addresses import gateway_urls
from infra.rendering.clients import formats
from infra.settings.gateway import GatewaySettings

SERVICES = {"template": {"mcp": "x"}, "xiaohongshu": {"mcp": "y"}}
MODERN = sorted(set(formats.FORMATS) - set(formats.LEGACY_TRANSPORT))


@pytest.mark.parametrize("format", formats.FORMATS)
def test_a_client_of_every_service_gets_every_service(format: str) -> None:
    assert usable(format, "pet", SERVICES, None) == SERVICES


@pytest.mark.parametrize("format", formats.FORMATS)
def test_a_client_gets_its_own_services_without_a_warning(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(usable(format, "phone", SERVICES, {"template": "all"})) == ["template"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("format", MODERN)
@pytest.mark.parametrize("scope", ["read", ("template_echo",)])
def test_a_scope_of_some_tools_causes_a_warning_with_a_next_step(
    format: str, scope: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(usable(format, "phone", SERVICES, {"template": scope}, " -s test")) == ["template"]
    warning = " ".join(capsys.readouterr().err.split())
    assert "2026-07-28" in warning
    assert "./deploy.sh token create phone-all --services template=all -s test" in warning


@pytest.mark.parametrize("format", formats.LEGACY_TRANSPORT)
def test_a_program_of_the_legacy_transport_gets_no_service_that_would_refuse_it(
    format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scopes = {"template": "all", "xiaohongshu": "read"}
    assert list(usable(format, "phone", SERVICES, scopes)) == ["template"]
    assert "xiaohongshu=all" in capsys.readouterr().err
    with pytest.raises(typer.BadParameter, match="xiaohongshu=all"):
        usable(format, "phone", SERVICES, {"xiaohongshu": "read"})


@pytest.mark.parametrize("format", formats.FORMATS)
@pytest.mark.parametrize("scope", ["read", ("template_echo",)])
def test_a_service_that_keeps_to_scopes_is_for_programs_of_every_revision(
    format: str, scope: object, capsys: pytest.CaptureFixture[str]
) -> None:
    services = {"template": {"mcp": "x", "enforces_scopes": True}, "xiaohongshu": {"mcp": "y"}}
    assert list(usable(format, "phone", services, {"template": scope})) == ["template"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://127.0.0.1/api/template/mcp", "http://host.docker.internal/api/template/mcp"),
        ("https://localhost:10443/api/x/mcp/sse", "https://host.docker.internal:10443/api/x/mcp/sse"),
        ("http://[::1]:10080/api/x/", "http://host.docker.internal:10080/api/x/"),
        ("https://pet.example/api/x/mcp", "https://pet.example/api/x/mcp"),
        ("http://172.17.0.1/api/x/mcp", "http://172.17.0.1/api/x/mcp"),
    ],
)
def test_a_client_in_a_container_gets_no_loopback_addresses(url: str, seen: str) -> None:
    direct = "http://127.0.0.1:8002"
    services = addresses.for_containers({"x": {"mcp": url, "direct": direct, "max_call_seconds": 60}})
    assert services == {"x": {"mcp": seen, "direct": direct, "max_call_seconds": 60}}


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1"])
def test_a_gateway_on_loopback_is_said_to_be_out_of_reach_of_containers(bind: str) -> None:
    assert "gateway.bind 172.17.0.1 -s test" in addresses.container_hint(bind, " -s test")
    assert "gateway.bind" not in addresses.container_hint("172.17.0.1")
    assert "--add-host host.docker.internal:host-gateway" in addresses.container_hint("0.0.0.0")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1"),
        ({"port_offset": 10000}, "http://127.0.0.1:10080"),
        ({"bind": "0.0.0.0"}, "http://127.0.0.1"),
        ({"bind": "192.168.1.5"}, "http://192.168.1.5"),
        ({"bind": "::1"}, "http://[::1]"),
        ({"bind": "::"}, "http://[::1]"),
        ({"bind": "fd00::5", "port_offset": 1}, "http://[fd00::5]:81"),
        ({"server_names": ("pet.example",)}, "http://pet.example"),
        ({"https_redirect": True}, "https://127.0.0.1"),
        ({"https_redirect": True, "port_offset": 10000, "server_names": ("pet.example",)}, "https://pet.example:10443"),
        ({"https_redirect": True, "bind": "::1"}, "https://[::1]"),
        ({"public_url": "https://pet.example", "port_offset": 10000}, "https://pet.example"),
    ],
)
def test_the_printed_address_is_one_that_works(settings: dict[str, object], url: str) -> None:
    assert gateway_urls(GatewaySettings(**settings))["url"] == url


def test_plain_http_is_not_printed_where_it_only_leads_to_https() -> None:
    urls = gateway_urls(GatewaySettings(https_redirect=True, server_names=("pet.example",)))
    # The development port then stays on this machine, where the server name need not lead.
    assert urls == {
        "url": "https://pet.example", "https": "https://pet.example", "development": "http://127.0.0.1:8080",
    }  # fmt: skip


def test_a_self_signed_certificate_is_said_to_need_trust_only_where_it_is_used() -> None:
    plain = {"url": "http://127.0.0.1", "https": "https://127.0.0.1", "certificate": "self-signed"}
    assert addresses.trust_hint(plain) is None
    assert addresses.trust_hint({**plain, "url": plain["https"], "certificate": "acme"}) is None
    assert addresses.trust_hint({**plain, "url": "https://pet.example"}) is None
    hint = addresses.trust_hint({**plain, "url": plain["https"]}, " -s test")
    assert "./deploy.sh clients --certificate -s test" in hint


CERTIFICATES = [
    f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n" for text in ("c2VydmVk", "cm9vdA==")
]


@pytest.mark.parametrize(
    ("source", "file"), [("self-signed", "gateway.crt"), ("files", "files.pem"), ("acme", "acme.pem")]
)
def test_the_certificate_to_trust_is_the_authority_and_is_read_in_the_gateways_container(
    source: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []

    def execute(container: str, command: Sequence[str]) -> str:
        commands.append((container, *command))
        return "".join(CERTIFICATES)

    monkeypatch.setattr(engine, "containers", lambda *filters, **_: [{"Id": "0123"}] if len(filters) == 2 else [])
    monkeypatch.setattr(processes, "execute", execute)
    assert addresses.certificate({"certificate": source}, "abc") == CERTIFICATES[-1]
    ((*command, asked_file),) = commands
    assert command[:2] == ["0123", "sed"]
    assert asked_file == f"/etc/dyber/tls/{file}"
    assert (addresses.public_authority_hint({"certificate": source}) is None) is (source == "self-signed")


def test_without_a_running_gateway_or_a_certificate_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "containers", lambda *filters, **_: [])
    with pytest.raises(StackError, match="网关没有在运行"):
        addresses.certificate({"certificate": "self-signed"}, "abc")
    monkeypatch.setattr(engine, "containers", lambda *filters, **_: [{"Id": "0123"}])
    monkeypatch.setattr(processes, "execute", lambda container, command: "")
    with pytest.raises(StackError, match="gateway.crt"):
        addresses.certificate({"certificate": "self-signed"}, "abc")
