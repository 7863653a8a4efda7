"""Tests that the loader delivers a new configuration completely or not at all."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayHub
from infra.settings.gateway import GatewaySettings
from tests.gateway.support.docker_cli import docker, unique
from tests.gateway.support.gateway_under_test import ABSENT, ALPHA, CLIENT, SETTINGS, GatewayUnderTest

GOOD = render(SETTINGS, [ALPHA], [CLIENT])


def run_inside(gateway: GatewayUnderTest, command: str) -> str:
    return docker("exec", gateway.name, "bash", "-c", command)


def current(gateway: GatewayUnderTest) -> str:
    return run_inside(gateway, "readlink /etc/dyber/current")


def test_before_the_first_configuration_calls_get_503_with_retry_after(fresh_gateway: GatewayUnderTest) -> None:
    assert fresh_gateway.request("/health").body == b"OK\n"
    answer = fresh_gateway.request("/api/alpha/x")
    assert (answer.status, answer.headers["Retry-After"], answer.json()["code"]) == (503, "2", "starting")


def test_the_last_line_is_the_version_that_serves(own_gateway: GatewayUnderTest) -> None:
    loaded = own_gateway.load(GOOD)
    assert loaded.exit_code == 0
    assert current(own_gateway) == f"versions/{loaded.stdout.splitlines()[-1]}"
    assert own_gateway.request("/").status == 200


def test_the_same_configuration_again_is_the_same_version(own_gateway: GatewayUnderTest) -> None:
    assert own_gateway.load(GOOD).stdout == own_gateway.load(GOOD).stdout


def test_a_refused_configuration_leaves_the_old_one_serving(own_gateway: GatewayUnderTest) -> None:
    own_gateway.load(GOOD)
    before = current(own_gateway)
    loaded = own_gateway.load({**GOOD, "upstreams.conf": "upstream { nonsense;"})
    assert loaded.exit_code == 2
    assert 'invalid number of arguments in "upstream" directive' in loaded.stderr
    assert "旧配置仍在服务" in loaded.stderr
    assert loaded.stdout == ""
    assert current(own_gateway) == before
    assert own_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_a_check_without_enough_memory_says_so_and_leaves_the_old_one_serving(own_gateway: GatewayUnderTest) -> None:
    own_gateway.load(GOOD)
    before = current(own_gateway)
    tools = tuple(f"{number:x>120}" for number in range(6000))
    large = render(
        SETTINGS,
        [replace(ALPHA, read_tools=tools)],
        [CLIENT],
        hub=GatewayHub(hashlib.sha256(b"hub").hexdigest(), tools={"alpha": tools}),
    )
    loaded = own_gateway.load(large, memory_mib=32)
    assert loaded.exit_code == 1
    assert "32 MiB" in loaded.stderr
    assert "gateway.memoryMib" in loaded.stderr
    assert loaded.stdout == ""
    assert current(own_gateway) == before
    assert own_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_a_broken_njs_module_is_refused(own_gateway: GatewayUnderTest) -> None:
    own_gateway.load(GOOD)
    loaded = own_gateway.load({**GOOD, "njs/status.js": "export default {"})
    assert loaded.exit_code == 2
    assert "status.js" in loaded.stderr


def test_a_configuration_that_only_the_running_gateway_refuses_is_rolled_back(own_gateway: GatewayUnderTest) -> None:
    # `nginx -t` cannot know that the running gateway uses this shared memory with other parameters.
    own_gateway.load(GOOD)
    before = current(own_gateway)
    entry = GOOD["state.conf"].replace("zone=health:2m timeout=1h", "zone=health:2m timeout=1h type=number")
    assert entry != GOOD["state.conf"]
    loaded = own_gateway.load({**GOOD, "state.conf": entry})
    assert loaded.exit_code == 3
    assert current(own_gateway) == before
    own_gateway.restart()
    assert own_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_a_folder_without_a_configuration_is_refused(own_gateway: GatewayUnderTest) -> None:
    loaded = own_gateway.load({"other.conf": ""})
    assert loaded.exit_code == 1
    assert "apply-config" in loaded.stderr


def kill_loader_at(gateway: GatewayUnderTest, command: str) -> None:
    """Run the loader with a new configuration, and kill it when it first uses `command`."""
    changed = render(GatewaySettings(server_names=(f"{unique('name')}.example",)), [ALPHA], [CLIENT])
    # The signal goes to the loader's process group, because it shares the process namespace with the gateway.
    shim = f"printf '#!/bin/bash\nkill -9 0\n' >/tmp/{command}; chmod +x /tmp/{command}"
    loaded = gateway.load(changed, f"{shim}; PATH=/tmp:$PATH exec /usr/local/bin/apply-config /staging")
    assert loaded.exit_code == 137, f"{command}: {loaded}"


def test_a_loader_killed_half_way_leaves_a_volume_that_works(own_gateway: GatewayUnderTest) -> None:
    own_gateway.load(GOOD)
    for command in ("cp", "sync", "openssl", "nginx", "ln", "comm"):
        kill_loader_at(own_gateway, command)
        run_inside(own_gateway, "nginx -t -e stderr -c /etc/dyber/current/nginx.conf")
        assert own_gateway.request("/").status == 200

    loaded = own_gateway.load(render(SETTINGS, [ALPHA, ABSENT], [CLIENT]))
    assert loaded.exit_code == 0, loaded.stderr
    assert own_gateway.request("/").json()["services"] == ["/api/alpha", "/api/absent"]
    assert run_inside(own_gateway, "find /etc/dyber -name '.partial*'") == ""


def test_the_next_loader_makes_the_reload_that_a_killed_loader_missed(own_gateway: GatewayUnderTest) -> None:
    own_gateway.load(GOOD)
    kill_loader_at(own_gateway, "sleep")
    assert own_gateway.load(render(SETTINGS, [ALPHA, ABSENT], [CLIENT])).exit_code == 0
    assert own_gateway.request("/").json()["services"] == ["/api/alpha", "/api/absent"]


def test_only_the_newest_versions_are_kept(own_gateway: GatewayUnderTest) -> None:
    versions = [
        own_gateway.configure(GatewaySettings(server_names=(f"name{number}.example",)), (ALPHA,)) for number in range(5)
    ]
    assert set(run_inside(own_gateway, "ls /etc/dyber/versions").split()) == set(versions[-3:])
    assert len(run_inside(own_gateway, "ls /etc/dyber/tls/*.pem").split()) == 3
    assert current(own_gateway) == f"versions/{versions[-1]}"


def test_a_restarted_gateway_serves_the_last_good_configuration(own_gateway: GatewayUnderTest) -> None:
    own_gateway.load(GOOD)
    own_gateway.load({**GOOD, "nginx.conf": "nonsense"})
    own_gateway.restart()
    assert own_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_the_gateway_cannot_write_anywhere_but_tmp(own_gateway: GatewayUnderTest) -> None:
    for folder in ("/etc/dyber", "/etc/dyber/tls", "/usr/local/bin", "/var/lib/nginx", "/"):
        result = subprocess.run(
            ["docker", "exec", own_gateway.name, "bash", "-c", f"touch {folder}/x"], capture_output=True, check=False
        )
        assert result.returncode != 0, folder
    assert run_inside(own_gateway, "id -u") == "20080"
