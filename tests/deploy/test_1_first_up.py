"""One command on a fresh clone: everything is up, healthy, confined, and says nothing it must not."""

from __future__ import annotations

import json
import re
import ssl
import subprocess

import httpx2
import pytest

from infra.components.docker.defaults import security_options
from infra.settings import addresses
from tests.deploy.checkout import BASE, OFFSET, SERVICES, STACK, Checkout, inspect, ours


def test_the_one_command_ends_with_urls_and_how_to_see_the_token(deployed: Checkout) -> None:
    assert deployed.first is not None
    for expected in (
        f"{BASE}/api/template/mcp",
        f"{BASE}/api/xiaohongshu/mcp",
        "./deploy.sh token show",
        '"mcpServers"',
    ):
        assert expected in deployed.first.stdout


def test_the_token_is_printed_only_when_asked_for(deployed: Checkout) -> None:
    assert deployed.first is not None
    assert re.fullmatch(r"[0-9a-f]{64}", deployed.token)
    assert deployed.token not in deployed.first.stdout + deployed.first.stderr


def test_the_token_is_neither_in_the_state_nor_in_any_container(deployed: Checkout) -> None:
    for file in filter(lambda path: path.is_file(), deployed.state.rglob("*")):
        assert deployed.token.encode() not in file.read_bytes(), file
    for service in (*SERVICES, "gateway", "hub"):
        assert deployed.token not in json.dumps(inspect(service))


@pytest.mark.parametrize("service", [*SERVICES, "gateway", "hub", "gateway-front", "template-direct"])
def test_a_container_is_healthy_and_confined(deployed: Checkout, service: str) -> None:
    container = inspect(service)
    host = container["HostConfig"]
    assert container["State"]["Health"]["Status"] == "healthy"
    assert int(container["Config"]["User"].split(":")[0]) > 0
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert sorted(host["SecurityOpt"]) == sorted(security_options("chromium" if service == "xiaohongshu" else None))
    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["NanoCpus"] > 0
    assert host["LogConfig"]["Config"]["max-size"]
    assert host["Privileged"] is False


@pytest.mark.parametrize("service", [*SERVICES, "gateway", "hub"])
def test_neither_a_service_nor_the_gateway_publishes_a_port_of_its_own(deployed: Checkout, service: str) -> None:
    assert not inspect(service)["HostConfig"]["PortBindings"]


FRONTS = {"gateway-front": {80, 443, 8080}, "template-direct": {8002}, "xiaohongshu-direct": {8001}}


@pytest.mark.parametrize("address", addresses.loopback())
def test_the_gateway_answers_on_every_loopback_address_as_localhost(deployed: Checkout, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for name in ("localhost", host):
        url = f"http://{host}:{80 + OFFSET}/health"
        assert httpx2.get(url, headers={"Host": name}, trust_env=False).status_code == 200


@pytest.mark.parametrize("front", FRONTS)
def test_the_fronts_listen_on_loopback_only(deployed: Checkout, front: str) -> None:
    bindings = [item for items in inspect(front)["HostConfig"]["PortBindings"].values() for item in items]
    assert {item["HostIp"] for item in bindings} == set(addresses.loopback())
    assert {int(item["HostPort"]) - OFFSET for item in bindings} == FRONTS[front]


def test_the_services_processes_run_as_different_users(deployed: Checkout) -> None:
    users = {inspect(service)["Config"]["User"] for service in (*SERVICES, "gateway", "hub")}
    assert len(users) == 4


def test_status_is_true_and_complete(deployed: Checkout) -> None:
    status = httpx2.get(f"{BASE}/api/status").json()
    assert status["gateway"] == "running"
    assert status["services"] == {"xiaohongshu": "healthy", "template": "healthy"}


def test_the_certificate_names_localhost(deployed: Checkout) -> None:
    certificate = ssl.get_server_certificate(("127.0.0.1", 443 + OFFSET))
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
        input=certificate,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text


def test_plain_pulumi_works_in_the_printed_environment(deployed: Checkout) -> None:
    outputs = json.loads(deployed.shell(f"pulumi stack output --json -s {STACK}").stdout)
    assert outputs["gateway"]["http"] == BASE
    assert outputs["tokens"] == "[secret]"


def test_the_dyber_command_is_there_in_the_printed_environment(deployed: Checkout) -> None:
    assert deployed.shell("cd / && dyber token list").stdout == "desktop-pet\n"


def test_the_clone_stays_clean_but_for_the_salt_of_its_own_passphrase(deployed: Checkout) -> None:
    content = deployed.stack_file.read_text()
    assert "encryptionsalt" in content
    assert deployed.token not in content


@pytest.mark.parametrize("stack", ["dev", "test"])
def test_the_committed_stacks_preview_cleanly_beside_each_other(deployed: Checkout, stack: str) -> None:
    preview = deployed.deploy_sh("preview", "--stack", stack)
    assert re.search(r"新建 +容器 +gateway-nginx", preview.stdout)


def test_prod_takes_nothing_that_was_not_promoted_to_it(deployed: Checkout) -> None:
    refused = deployed.deploy_sh("preview", "--stack", "prod", check=False)
    assert refused.returncode == 1
    assert "先 ./deploy.sh promote (pinned-image)" in refused.stderr


def test_everything_of_the_stack_carries_its_label(deployed: Checkout) -> None:
    # Two services, the hub and what writes its files, the gateway, its one-shot loader, what renews its certificate, and
    # three fronts.
    assert len(ours("container")) == 10
    assert len(ours("network")) == 4
    assert len(ours("volume")) == 3
