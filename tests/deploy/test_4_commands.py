"""Everyday commands on a real deployment: what they say is so, and what they do leaves the state consistent."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.deploy.checkout import (
    BASE,
    OFFSET,
    STACK,
    TEST_LABEL,
    Checkout,
    docker,
    inspect,
    interrupt_group,
    labelled,
    ours,
)

PASSWORD = {"DYBER_BACKUP_PASSWORD": "correct horse"}
OWN, SCOPED = "0123456789abcdef" * 4, "fedcba9876543210" * 2


@pytest.fixture
def env_file(deployed: Checkout) -> Iterator[Checkout]:
    """Give the stack's .env, and remove it after the test; the next deployment undoes its effect."""
    file = deployed.root / f".env.{STACK}"
    try:
        deployed.configure("localEnv", True)
        yield deployed
    finally:
        file.unlink(missing_ok=True)
        deployed.configure("localEnv", None)
        deployed.behind = True


def test_env_values_do_what_their_names_say_also_for_plain_pulumi(as_is: Checkout, env_file: Checkout) -> None:
    file, generated = env_file.root / f".env.{STACK}", env_file.token
    file.write_text(f"# mine\nMCP_AUTH_TOKEN={OWN}\nTEMPLATE_MCP_TOKEN={SCOPED}\n")
    told = env_file.deploy_sh().stderr
    assert f"取自 .env.{STACK}（优先于 Pulumi.{STACK}.yaml）：MCP_AUTH_TOKEN, TEMPLATE_MCP_TOKEN" in told
    assert OWN not in told
    assert env_file.deploy_sh("token", "show", "desktop-pet").stdout.strip() == OWN

    def call(token: str, port: int, path: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.post(
            f"http://127.0.0.1:{port + OFFSET}{path}", json={"message": "x"}, headers=headers
        ).status_code

    assert call(OWN, 8002, "/test") == 200
    assert call(SCOPED, 8002, "/test") == 200
    assert call(SCOPED, 8001, "/search") == 403
    assert call(generated, 8002, "/test") == 401
    text = file.read_text()
    assert text.startswith(f"# mine\nMCP_AUTH_TOKEN={OWN}\n")
    assert "PROMETHEUS_RETENTION=\n" in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert env_file.planned_changes() == {}
    env_file.configure("localEnv", None)
    refused = env_file.shell(f"pulumi preview -s {STACK} --non-interactive", check=False)
    assert refused.returncode != 0
    assert f".env.{STACK}: TEMPLATE_MCP_TOKEN: " in refused.stdout + refused.stderr
    assert OWN not in "".join(path.read_text(errors="replace") for path in env_file.state.rglob("*.json"))


def test_status_agrees_with_the_gateway(deployed: Checkout) -> None:
    shown = {one["name"]: one for one in json.loads(deployed.deploy_sh("status", "--json").stdout)["services"]}
    said = httpx2.get(f"{BASE}/api/status").json()["details"]
    for name, details in said.items():
        assert (shown[name]["state"], shown[name]["version"], shown[name]["tools"], shown[name]["replicas"]) == (
            details["state"], details["version"], details["tools"], details["replicas"],
        )  # fmt: skip
        assert 0 < shown[name]["memory_mib"] < shown[name]["memory_limit_mib"]
        assert shown[name]["uptime_seconds"] > 0
    assert shown["gateway"]["state"] == "up"


def test_lists_name_what_there_is_and_what_runs(deployed: Checkout) -> None:
    listed = {one["name"]: one["state"] for one in json.loads(deployed.deploy_sh("list", "--json").stdout)}
    assert (listed["xiaohongshu-mcp"], listed["template-mcp"]) == ("running", "running")
    containers = {one["name"] for one in json.loads(deployed.deploy_sh("ps", "--json").stdout)}
    assert inspect("template")["Name"].lstrip("/") in containers
    assert containers <= set(ours("container"))


def test_logs_and_exec_take_the_names_of_the_first_version(deployed: Checkout) -> None:
    lines = deployed.deploy_sh("logs", "template-mcp-server", "--tail", "3").stdout.splitlines()
    assert [json.loads(line)["service"] for line in lines] == ["template"] * len(lines)
    assert lines
    checked = deployed.deploy_sh("exec", "mcp-api-gateway", "nginx", "-t", "-c", "/etc/dyber/current/nginx.conf")
    assert "test is successful" in checked.stderr
    assert deployed.deploy_sh("exec", "template", "sh", "-c", "exit 7", check=False).returncode == 7


def test_stop_and_start_keep_every_container_and_leave_pulumi_nothing_to_do(deployed: Checkout) -> None:
    before = ours("container")
    deployed.deploy_sh("stop")
    assert docker("ps", "--quiet", "--filter", f"label=dyber.stack={STACK}") == ""
    status = deployed.deploy_sh("status", check=False)
    assert status.returncode == 1
    assert "已停止" in status.stdout
    deployed.deploy_sh("start")
    assert ours("container") == before
    assert httpx2.get(f"{BASE}/api/status").json()["details"]["template"]["state"] == "up"
    deployed.shell(f"pulumi preview -s {STACK} --refresh --expect-no-changes --non-interactive")


def test_restart_of_a_service_restarts_that_one(deployed: Checkout) -> None:
    names = ("template", "xiaohongshu", "gateway")
    before = {name: inspect(name)["State"]["StartedAt"] for name in names}
    deployed.deploy_sh("restart", "template-mcp")
    after = {name: inspect(name)["State"]["StartedAt"] for name in names}
    assert {name for name in names if before[name] != after[name]} == {"template"}


def test_options_that_cannot_be_used_leave_the_stack_file_alone(deployed: Checkout) -> None:
    before = deployed.stack_file.read_bytes()
    for arguments in (["--profile", "cahce"], ["--services", "weibo-mcp"], ["--services", "api-gateway"]):
        result = deployed.deploy_sh(*arguments, check=False)
        assert result.returncode == 2
        assert "xiaohongshu-mcp" in result.stderr or "cache" in result.stderr
    assert deployed.stack_file.read_bytes() == before


def test_clean_without_consent_lists_what_is_ours_and_deletes_nothing(deployed: Checkout) -> None:
    before = ours("container"), ours("volume")
    result = deployed.deploy_sh("clean", check=False)
    assert result.returncode != 0
    assert (ours("container"), ours("volume")) == before
    assert all(name in result.stderr for name in (*before[0], *before[1]))
    assert not [name for name in deployed.bystanders.values() if name in result.stderr]


@pytest.fixture
def backed_up(deployed: Checkout) -> Iterator[Path]:
    """A backup of the stack, whose data and .env were others then; no image of template can be built now, so a restore
    fails when everything is replaced."""
    archive, file = deployed.root.parent / "older.backup", deployed.root / f".env.{STACK}"
    dockerfile = deployed.root / "mcp-servers" / "template" / "Dockerfile"
    write(deployed, "then")
    deployed.deploy_sh("backup", str(archive), **PASSWORD)
    write(deployed, "now")
    file.write_text("# of now\n")
    dockerfile.write_text("FROM dyber-base:trixie\nRUN false\n")
    yield archive
    dockerfile.unlink()
    file.unlink(missing_ok=True)


def write(deployed: Checkout, text: str) -> None:
    docker("exec", inspect("xiaohongshu")["Id"], "sh", "-c", f"echo {text} > /data/kept.txt")


def everything(deployed: Checkout) -> tuple[Any, ...]:
    """Return all that a restore replaces."""
    running = sorted(docker("ps", "--quiet", "--no-trunc", "--filter", f"label=dyber.stack={STACK}").split())
    files = [deployed.stack_file.read_bytes(), (deployed.root / f".env.{STACK}").read_bytes()]
    data = docker("exec", inspect("xiaohongshu")["Id"], "cat", "/data/kept.txt")
    token = deployed.deploy_sh("token", "show").stdout
    return running, ours("container"), ours("network"), ours("volume"), files, data, token


def kill_in_phase(deployed: Checkout, phase: str, *arguments: str) -> None:
    """Kill `restore` with these arguments as soon as it has come to this phase."""
    process = subprocess.Popen(
        ["./deploy.sh", "restore", *arguments], cwd=deployed.root, start_new_session=True,
        env={**deployed.environment, **PASSWORD}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = deployed.root / ".restores" / STACK / "journal.json"
    while not (journal.is_file() and f'"{phase}"' in journal.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    interrupt_group(process, signal.SIGKILL)
    process.wait()


def test_a_restore_that_fails_or_is_killed_leaves_everything_as_it_was(deployed: Checkout, backed_up: Path) -> None:
    before = everything(deployed)
    failed = deployed.deploy_sh("restore", str(backed_up), "--yes", check=False, **PASSWORD)
    assert failed.returncode == 1 and "原来的一切已放回" in failed.stderr
    assert everything(deployed) == before

    kill_in_phase(deployed, "replacing", str(backed_up), "--yes")
    refused = deployed.deploy_sh("status", check=False)
    assert refused.returncode == 1 and "./deploy.sh restore --undo" in refused.stderr
    kill_in_phase(deployed, "back", "--undo")
    deployed.deploy_sh("restore", "--undo")
    assert everything(deployed) == before
    assert not docker("volume", "ls", "--quiet", "--filter", "label=dyber.helper=restore")


def test_a_backup_comes_back_under_another_state_and_passphrase(deployed: Checkout) -> None:
    deployed.remove_stand_in()
    docker("exec", inspect("xiaohongshu")["Id"], "sh", "-c", "echo mine > /data/kept.txt; chmod 600 /data/kept.txt")
    folder_mode = docker("exec", inspect("xiaohongshu")["Id"], "stat", "-c", "%a:%u", "/data")
    token = deployed.deploy_sh("token", "show").stdout
    settings = deployed.stack_file.read_bytes()
    archive = deployed.root.parent / "dyber.backup"
    secret = {"DYBER_BACKUP_PASSWORD": "correct horse"}
    deployed.deploy_sh("backup", str(archive), **secret)
    deployed.deploy_sh("clean", "--yes")
    assert (ours("container"), ours("network"), ours("volume")) == ([], [], [])
    assert set(deployed.bystanders.values()) <= {
        *labelled("container", TEST_LABEL),
        *labelled("network", TEST_LABEL),
        *labelled("volume", TEST_LABEL),
    }
    folder = deployed.root.parent / "elsewhere"
    folder.mkdir()
    (folder / "passphrase").write_text("another one")
    elsewhere = {"PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "passphrase")}
    refused = deployed.deploy_sh(
        "restore", str(archive), "--yes", check=False, DYBER_BACKUP_PASSWORD="wrong", **elsewhere
    )
    assert refused.returncode == 1
    assert "口令打不开" in refused.stderr
    try:
        deployed.deploy_sh("restore", str(archive), "--yes", **secret, **elsewhere)
        assert deployed.deploy_sh("token", "show", **elsewhere).stdout == token
        script = "cat /data/kept.txt; stat -c %a:%u /data/kept.txt /data"
        found = docker("exec", inspect("xiaohongshu")["Id"], "sh", "-c", script)
        assert found == f"mine\n600:28001\n{folder_mode}"
        assert "没有变化" in deployed.deploy_sh(**elsewhere).stdout
    except BaseException:
        deployed.deploy_sh("clean", "--yes", check=False, **elsewhere)
        deployed.stack_file.write_bytes(settings)
        deployed._token = ""
        deployed.deploy_sh()
        raise
    finally:
        deployed.start_stand_in()
    # From here on the stack lives where it was restored: bringing the old one back would take as long as all of this.
    deployed.environment.update(elsewhere)
    deployed.state = folder


def test_an_untouched_stack_has_the_tools_of_its_contract_also_those_that_it_hides(deployed: Checkout) -> None:
    compared = deployed.deploy_sh("tools", "diff")
    assert "xhs_publish_image" in compared.stdout and "DYBER_READ_ONLY" in compared.stdout
    assert "✗" not in compared.stdout
