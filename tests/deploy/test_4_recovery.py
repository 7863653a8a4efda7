"""Changes made by hand and lost states are found and told, and one command puts everything back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.deploy.checkout import BASE, STACK, TEST_LABEL, Checkout, docker, inspect, ours
from tests.support.leftovers import remove_labelled


@pytest.fixture(scope="module")
def alone(deployed: Checkout) -> Iterator[Checkout]:
    """The stack without the stand-in, which would hold on to a network, and with an image of template that no other
    stack on this engine uses. Its files are as before after the tests; the next deployment follows."""
    source = deployed.root / "mcp-servers" / "template" / "template_server" / "__init__.py"
    before, settings = source.read_text() if source.exists() else "", deployed.stack_file.read_bytes()
    deployed.remove_stand_in()
    source.write_text(before + "\n# of its own\n")
    try:
        deployed.deploy_sh()
        # Of profiles that other tests switched on.
        deployed.deploy_sh("clean", "--unused-data", "--yes")
        yield deployed
    finally:
        source.write_text(before)
        deployed.stack_file.write_bytes(settings)
        deployed.start_stand_in()


def network(service: str) -> str:
    labels = ("--filter", f"label=dyber.stack={STACK}", "--filter", f"label=dyber.service={service}")
    return docker("network", "ls", *labels, "--format", "{{.Name}}").strip()


def files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all files below a folder, by path."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def answer(token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.post(f"{BASE}/api/template/test", json={"message": "x"}, headers=headers).status_code


def identities() -> list[str]:
    """Return the ids of the stack's containers."""
    return docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=dyber.stack={STACK}").split()


def drift_by_hand(alone: Checkout) -> set[tuple[str, str]]:
    """Change one thing of each kind; return the (resource, condition) pairs that are to be found."""
    template, xiaohongshu, gateway = inspect("template"), inspect("xiaohongshu"), inspect("gateway")
    deployment = template["Config"]["Labels"]["dyber.deployment"]
    labels = [
        word for key, value in
        {"dyber.project": "dyber", "dyber.stack": STACK, "dyber.service": "x", "dyber.deployment": deployment}.items()
        for word in ("--label", f"{key}={value}")
    ]  # fmt: skip
    docker("create", "--name", f"{STACK}-stray", *labels, template["Image"])
    docker("network", "create", *labels, f"{STACK}-stray-network")
    docker("update", "--memory", "400m", "--memory-swap", "400m", template["Id"])
    docker("network", "disconnect", network("template"), template["Id"])
    docker("network", "connect", network("template"), xiaohongshu["Id"])
    docker("rename", xiaohongshu["Id"], f"{STACK}-renamed")
    docker("pause", inspect("gateway-front")["Id"])
    docker("stop", inspect("template-direct")["Id"])
    docker("rm", "--force", inspect("xiaohongshu-direct")["Id"])
    docker("tag", gateway["Image"], template["Config"]["Image"])
    (volume,) = [mount["Name"] for mount in gateway["Mounts"] if mount["Destination"] == "/etc/dyber"]
    docker(
        "run", "--rm", "--user", "0", "--label", TEST_LABEL, "--volume", f"{volume}:/etc/dyber",
        "--entrypoint", "sh", gateway["Image"], "-c", "echo '# mine' >> /etc/dyber/current/limits.conf",
    )  # fmt: skip
    return {
        (f"{STACK}-stray", "unknown"),
        (f"{STACK}-stray-network", "unknown"),
        ("template-server", "changed"),
        ("template-server", "disconnected"),
        ("xiaohongshu-server", "connected"),
        ("xiaohongshu-server", "renamed"),
        ("gateway-front-nginx", "paused"),
        ("template-direct-nginx", "stopped"),
        ("xiaohongshu-direct-nginx", "gone"),
        ("template-image", "changed"),
        ("gateway-loader", "files"),
    }


def test_drift_is_found_without_a_change_and_deploying_puts_all_of_it_back(alone: Checkout) -> None:
    expected = drift_by_hand(alone)
    state, engine = files(alone.state), sorted(identities())
    result = alone.deploy_sh("drift", "--json", check=False)
    assert (files(alone.state), sorted(identities())) == (state, engine)
    assert result.returncode == 1
    (report,) = json.loads(result.stdout)["stacks"]
    assert {(item["resource"], item["condition"]) for item in report["differences"]} == expected
    assert {item["way_back"] for item in report["differences"]} == {f"./deploy.sh -s {STACK}"}
    alone.deploy_sh()
    assert alone.deploy_sh("drift", check=False).returncode == 0
    assert answer(alone.token) == 200
    gateway = inspect("gateway")
    user = gateway["Config"]["User"].partition(":")[0]
    assert docker("exec", gateway["Id"], "find", "/etc/dyber", "!", "-user", user) == ""


def test_a_stack_that_is_not_deployed_cannot_be_looked_at(alone: Checkout) -> None:
    result = alone.deploy_sh("drift", "-s", "dev", "-s", "nowhere", check=False)
    assert result.returncode == 2
    assert "还没有部署" in result.stderr and "没有栈文件 Pulumi.nowhere.yaml" in result.stderr


@pytest.fixture
def elsewhere(alone: Checkout, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a machine that has neither the state nor its passphrase. The stack's file, which gets the salt
    of another one there, is as before after the test."""
    before = alone.stack_file.read_bytes()
    (tmp_path / "passphrase").write_text("another one")
    yield {"PULUMI_BACKEND_URL": f"file://{tmp_path}", "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase")}
    alone.stack_file.write_bytes(before)


def test_a_lost_state_comes_from_a_backup_and_nothing_is_replaced(alone: Checkout, elsewhere: dict[str, str]) -> None:
    token, before = alone.token, identities()
    archive, password = alone.root.parent / "lost.backup", {"DYBER_BACKUP_PASSWORD": "correct horse"}
    alone.deploy_sh("backup", str(archive), **password)
    alone.deploy_sh("recover", "--yes", "--backup", str(archive), **password, **elsewhere)
    assert identities() == before
    assert alone.deploy_sh("token", "show", **elsewhere).stdout.strip() == token


def test_a_lost_state_is_replaced_and_data_stays(alone: Checkout, elsewhere: dict[str, str]) -> None:
    docker("exec", inspect("xiaohongshu")["Id"], "sh", "-c", "echo mine > /data/kept.txt")
    token, before = alone.token, identities()
    asked = alone.deploy_sh("recover", check=False, **elsewhere)  # the stack's file has the salt of a lost passphrase
    assert asked.returncode != 0
    assert "得到新令牌的客户端: desktop-pet" in asked.stderr
    assert f"保留的数据卷: dyber-{STACK}-xiaohongshu-data" in asked.stderr
    refused = alone.deploy_sh(check=False, **elsewhere)
    assert refused.returncode == 1
    assert f"./deploy.sh recover -s {STACK}" in refused.stderr
    assert identities() == before
    alone.deploy_sh("recover", "--yes", **elsewhere)
    assert not set(identities()) & set(before)
    assert (len(ours("container")), len(ours("network")), len(ours("volume"))) == (10, 4, 3)
    assert docker("exec", inspect("xiaohongshu")["Id"], "cat", "/data/kept.txt") == "mine\n"
    assert answer(token) == 401
    assert answer(alone.deploy_sh("token", "show", **elsewhere).stdout.strip()) == 200
    assert docker("inspect", "--format", "{{.State.Running}}", alone.bystanders["container"]).strip() == "true"


def test_an_engine_where_all_is_gone_is_filled_again_by_one_command(alone: Checkout) -> None:
    token, image = alone.token, inspect("template")["Config"]["Image"]
    remove_labelled(f"dyber.stack={STACK}")
    docker("image", "rm", image)
    result = alone.deploy_sh("drift", "--json", check=False)
    (report,) = json.loads(result.stdout)["stacks"]
    found = {(item["resource"], item["condition"]) for item in report["differences"]}
    assert {("template-image", "gone"), ("xiaohongshu-data", "gone"), ("gateway-nginx", "gone")} <= found
    alone.deploy_sh()
    assert inspect("template")["Config"]["Image"] == image
    assert answer(token) == 200
