"""Tests configurations of very different deployments with Nginx itself and with a static analyser."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.rendering.gateway.configuration import CONFIGURATION_ROOT, render
from infra.rendering.gateway.model import (
    GatewayClient,
    GatewayGroup,
    GatewayHub,
    GatewayNetworks,
    GatewayService,
    Scope,
)
from infra.settings.gateway import GatewaySettings
from infra.settings.oauth import OAuthSettings
from tests.gateway.support.docker_cli import CONFINED, LABEL, archive, docker, unique
from tests.gateway.support.gateway_under_test import changed

LONGEST_NAME = "a" + "-bcdefgh" * 4 + "-bcdefg"


def client(number: int) -> GatewayClient:
    hashes = tuple(hashlib.sha256(f"{number}-{key}".encode()).hexdigest() for key in range(2))
    return GatewayClient(f"client-{number}", hashes)


ALPHA = GatewayService("alpha", 9000, "甲", 5, read_tools=("search",), write_tools=("publish.now",))
BETA = GatewayService("beta", 9001, "乙", 5, replicas=3, requests_per_second=7)


def scoped(number: int, **scopes: Scope) -> GatewayClient:
    return GatewayClient(f"scoped-{number}", (hashlib.sha256(f"scoped {number}".encode()).hexdigest(),), scopes)


def with_settings(
    networks: GatewayNetworks = GatewayNetworks(), hub: GatewayHub | None = None, **changes: object
) -> dict[str, str]:
    settings = changed(GatewaySettings(), **changes)
    return render(settings, [ALPHA, BETA], [client(1), scoped(1, alpha="read")], networks, hub=hub)


HUB = GatewayHub("0" * 64, {"alpha": ("search", "publish.now")}, groups=(GatewayGroup("pet"),), search=True)
LOGINS = OAuthSettings(
    issuers={
        f"login-{number}": {"url": f"https://login-{number}.example/realms/pet", "other_users": "client-1"}
        for number in range(8)
    },
    scopes=("mcp", "mcp:read", "alpha", "alpha:read"),
)


VARIANTS = {
    "empty": render(GatewaySettings(), [], []),
    "one": render(GatewaySettings(), [GatewayService("xiaohongshu", 8001, "小红书 MCP", 300)], [client(1)]),
    "no clients": render(GatewaySettings(), [GatewayService("template", 8002, "模板", 60)], []),
    "awkward titles": render(
        GatewaySettings(),
        [GatewayService("a", 8001, "'; } server { listen 1; } $host \\ \" \n \u2028", 1)],
        [client(1)],
    ),
    "many": render(
        GatewaySettings(
            server_names=(*(f"host-{number}.{'sub.' * 20}example.com" for number in range(20)), "[fd00::5]"),
            allowed_origins=tuple(f"https://origin-{number}.example" for number in range(20)),
            max_body_mib=64,
        ),
        [GatewayService(f"s{number}", 9000 + number, "标题" * 50, 86400) for number in range(60)]
        + [GatewayService(LONGEST_NAME, 65535, "长", 86400)],
        [client(number) for number in range(200)],
    ),
    "scopes": render(
        GatewaySettings(),
        [ALPHA, BETA, GatewayService("constructor", 9002, "丙", 5, read_tools=("x" * 128,))],
        [
            scoped(1, alpha="all", beta="read", constructor=("x" * 128,)),
            scoped(2, alpha=("search", "publish.now"), elsewhere="all"),
            scoped(3),
            client(1),
        ],
    ),
    "many scopes": render(
        GatewaySettings(),
        [
            GatewayService(f"s{number}", 9000 + number, "", 60, read_tools=tuple(f"tool_{tool}" for tool in range(50)))
            for number in range(60)
        ],
        [scoped(number, **{f"s{service}": "read" for service in range(60)}) for number in range(200)],
    ),
    "limits": with_settings(limits={"burst": 1, "streams_per_client": 1, "refused_per_minute": 1}),
    "redirect": with_settings(https_redirect=True, port_offset=8000),
    "hsts": with_settings(https_redirect=True, tls={"hsts_days": 730, "source": "files"}),
    "acme": with_settings(server_names=("pet.example",), tls={"source": "acme"}),
    "acme and redirect": with_settings(server_names=("pet.example",), https_redirect=True, tls={"source": "acme"}),
    "open docs": with_settings(open_docs=True),
    "proxies": with_settings(networks=GatewayNetworks(("172.18.0.0/16", "fd00::/8", "10.0.0.1")), https_redirect=True),
    "logins": with_settings(hub=HUB, oauth=LOGINS, server_names=("pet.example", "[fd00::5]")),
    "everything": with_settings(hub=HUB, oauth=LOGINS, server_names=("pet.example",), allowed_origins=("https://pet.example",), https_redirect=True, open_docs=True, networks=GatewayNetworks(("0.0.0.0/0",)), tls={"hsts_days": 1, "source": "acme"}),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_nginx_accepts_every_variant(gateway_image: str, variant: str) -> None:
    files = VARIANTS[variant]
    pem = files["tls.conf"].split("ssl_certificate ")[1].split(";")[0]
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
    make = f"openssl req -x509 {key} -subj /CN=x -keyout {pem} >>{pem}"
    test = f"mkdir -p {CONFIGURATION_ROOT}/tls && {make} 2>/dev/null && nginx -t -e stderr -c /staging/nginx.conf 2>&1"
    name = unique("variant")
    docker("create", "--name", name, "--label", LABEL, "--network=none", *CONFINED, gateway_image, "bash", "-c", test)
    try:
        docker("cp", "-", f"{name}:/", stdin=archive({f"staging/{path}": text for path, text in files.items()}))
        # Nginx prints only these two lines if there are no warnings either.
        assert docker("start", "--attach", name).splitlines() == [
            "nginx: the configuration file /staging/nginx.conf syntax is ok",
            "nginx: configuration file /staging/nginx.conf test is successful",
        ]
    finally:
        docker("rm", "--force", name)


#: Strict-Transport-Security would lock browsers out, as the certificate is self-signed. And services need the port in
#: the Host header, which `$host` lacks; server_name checks the host.
NOT_HERE = "hsts_header,host_spoofing"


def gixy(folder: Path) -> list[dict]:
    command = [sys.executable, "-m", "gixy.cli", "--format", "json", "--skips", NOT_HERE, str(folder / "nginx.conf")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(result.stdout)


def write(files: dict[str, str], folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"many", "many scopes"}))
def test_the_analyser_finds_nothing(tmp_path: Path, variant: str) -> None:
    write(VARIANTS[variant], tmp_path)
    assert gixy(tmp_path) == []


def test_the_analyser_would_find_something(tmp_path: Path) -> None:
    files = dict(VARIANTS["one"])
    files["gateway.conf"] += "\nlocation /planted/ { proxy_pass http://$arg_host; }\n"
    write(files, tmp_path)
    assert "ssrf" in {finding["plugin"] for finding in gixy(tmp_path)}
