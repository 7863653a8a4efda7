"""Nginx itself, and a static analyser, on what is rendered for very different deployments."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from gateway.docker_cli import CONFINED, LABEL, archive, docker, unique
from stack.gateway_config import CONFIGURATION_ROOT, GatewayClient, GatewayService, GatewaySettings, render

LONGEST_NAME = "a" + "-bcdefgh" * 4 + "-bcdefg"


def client(number: int) -> GatewayClient:
    hashes = tuple(hashlib.sha256(f"{number}-{key}".encode()).hexdigest() for key in range(2))
    return GatewayClient(f"client-{number}", hashes)


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
            server_names=tuple(f"host-{number}.{'sub.' * 20}example.com" for number in range(20)) + ("[fd00::5]",),
            allowed_origins=tuple(f"https://origin-{number}.example" for number in range(20)),
            max_body_mib=64,
            worker_processes=8,
        ),
        [GatewayService(f"s{number}", 9000 + number, "标题" * 50, 86400) for number in range(60)]
        + [GatewayService(LONGEST_NAME, 65535, "长", 86400)],
        [client(number) for number in range(200)],
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_nginx_takes_every_variant(gateway_image: str, variant: str) -> None:
    files = VARIANTS[variant]
    pem = files["servers.conf"].split("ssl_certificate ")[1].split(";")[0]
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
    make = f"openssl req -x509 {key} -subj /CN=x -keyout {pem} >>{pem}"
    test = f"mkdir -p {CONFIGURATION_ROOT}/tls && {make} 2>/dev/null && nginx -t -e stderr -c /staging/nginx.conf 2>&1"
    name = unique("variant")
    docker("create", "--name", name, "--label", LABEL, "--network=none", *CONFINED, gateway_image, "bash", "-c", test)
    try:
        docker("cp", "-", f"{name}:/", stdin=archive({f"staging/{path}": text for path, text in files.items()}))
        # Also no warnings: these two lines are all that Nginx says.
        assert docker("start", "--attach", name).splitlines() == [
            "nginx: the configuration file /staging/nginx.conf syntax is ok",
            "nginx: configuration file /staging/nginx.conf test is successful",
        ]
    finally:
        docker("rm", "--force", name)


#: A promise to browsers to use HTTPS only would lock them out: the certificate is self-signed. And services need the
#: port in the Host header, which `$host` lacks; hosts are checked by server_name.
NOT_HERE = "hsts_header,host_spoofing"


def gixy(folder: Path) -> list[dict]:
    command = [sys.executable, "-m", "gixy.cli", "--format", "json", "--skips", NOT_HERE, str(folder / "nginx.conf")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(result.stdout)


def write(files: dict[str, str], folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def test_the_analyser_finds_nothing(tmp_path: Path) -> None:
    write(VARIANTS["one"], tmp_path)
    assert gixy(tmp_path) == []


def test_the_analyser_would_find_something(tmp_path: Path) -> None:
    files = dict(VARIANTS["one"])
    files["auth.conf"] += "\nlocation /planted/ { proxy_pass http://$arg_host; }\n"
    write(files, tmp_path)
    assert "ssrf" in {finding["plugin"] for finding in gixy(tmp_path)}
