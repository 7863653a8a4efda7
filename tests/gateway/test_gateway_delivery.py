"""The loader: a new configuration is taken whole or not at all."""

from __future__ import annotations

import subprocess

from gateway.docker_cli import docker
from gateway.gateway_under_test import ABSENT, ALPHA, CLIENT, SETTINGS, GatewayUnderTest
from stack.gateway_config import GatewaySettings, render

GOOD = render(SETTINGS, [ALPHA], [CLIENT])


def inside(gateway: GatewayUnderTest, command: str) -> str:
    return docker("exec", gateway.name, "bash", "-c", command)


def current(gateway: GatewayUnderTest) -> str:
    return inside(gateway, "readlink /etc/dyber/current")


def test_before_the_first_configuration_callers_are_told_to_wait(fresh_gateway: GatewayUnderTest) -> None:
    assert fresh_gateway.request("/health").body == b"OK\n"
    answer = fresh_gateway.request("/api/alpha/x")
    assert (answer.status, answer.headers["Retry-After"], answer.json()["code"]) == (503, "2", "starting")


def test_the_last_line_is_the_version_that_serves(fresh_gateway: GatewayUnderTest) -> None:
    loaded = fresh_gateway.load(GOOD)
    assert loaded.exit_code == 0
    assert current(fresh_gateway) == f"versions/{loaded.stdout.splitlines()[-1]}"
    assert fresh_gateway.request("/").status == 200


def test_the_same_configuration_again_is_the_same_version(fresh_gateway: GatewayUnderTest) -> None:
    assert fresh_gateway.load(GOOD).stdout == fresh_gateway.load(GOOD).stdout


def test_a_refused_configuration_leaves_the_old_one_serving(fresh_gateway: GatewayUnderTest) -> None:
    fresh_gateway.load(GOOD)
    before = current(fresh_gateway)
    loaded = fresh_gateway.load({**GOOD, "upstreams.conf": "upstream { nonsense;"})
    assert loaded.exit_code == 2
    assert 'invalid number of arguments in "upstream" directive' in loaded.stderr
    assert "旧配置仍在服务" in loaded.stderr
    assert loaded.stdout == ""
    assert current(fresh_gateway) == before
    assert fresh_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_a_broken_njs_module_is_refused(fresh_gateway: GatewayUnderTest) -> None:
    fresh_gateway.load(GOOD)
    loaded = fresh_gateway.load({**GOOD, "njs/status.js": "export default {"})
    assert loaded.exit_code == 2
    assert "status.js" in loaded.stderr


def test_what_only_the_running_gateway_can_refuse_is_rolled_back(fresh_gateway: GatewayUnderTest) -> None:
    # `nginx -t` cannot know that this shared memory is in use with another meaning.
    fresh_gateway.load(GOOD)
    before = current(fresh_gateway)
    entry = GOOD["nginx.conf"].replace("zone=status:64k timeout=60s", "zone=status:64k timeout=60s type=number")
    assert entry != GOOD["nginx.conf"]
    loaded = fresh_gateway.load({**GOOD, "nginx.conf": entry})
    assert loaded.exit_code == 3
    assert current(fresh_gateway) == before
    fresh_gateway.restart()
    assert fresh_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_a_folder_without_a_configuration_is_refused(fresh_gateway: GatewayUnderTest) -> None:
    loaded = fresh_gateway.load({"other.conf": ""})
    assert loaded.exit_code == 1
    assert "apply-config" in loaded.stderr


def killed_at(gateway: GatewayUnderTest, command: str) -> None:
    """Runs the loader with a configuration it has not seen; it dies at once when it first uses `command`."""
    changed = render(SETTINGS, [ALPHA, ABSENT], [CLIENT])
    # Signal to the loader's own process group: it shares its process numbers with the gateway.
    shim = f"printf '#!/bin/bash\nkill -9 0\n' >/tmp/{command}; chmod +x /tmp/{command}"
    loaded = gateway.load(changed, f"{shim}; PATH=/tmp:$PATH exec /usr/local/bin/apply-config /staging")
    assert loaded.exit_code == 137, f"{command}: {loaded}"


def test_a_loader_killed_half_way_leaves_a_volume_that_works(fresh_gateway: GatewayUnderTest) -> None:
    fresh_gateway.load(GOOD)
    for command in ("cp", "sync", "openssl", "nginx", "ln", "comm"):
        killed_at(fresh_gateway, command)
        inside(fresh_gateway, "nginx -t -e stderr -c /etc/dyber/current/nginx.conf")
        assert fresh_gateway.request("/").status == 200

    loaded = fresh_gateway.load(render(SETTINGS, [ALPHA, ABSENT], [CLIENT]))
    assert loaded.exit_code == 0, loaded.stderr
    assert fresh_gateway.request("/").json()["services"] == ["/api/alpha", "/api/absent"]
    assert inside(fresh_gateway, "find /etc/dyber -name '.partial*'") == ""


def test_a_reload_that_a_killed_loader_owed_is_made_good_by_the_next_one(fresh_gateway: GatewayUnderTest) -> None:
    fresh_gateway.load(GOOD)
    killed_at(fresh_gateway, "sleep")
    assert fresh_gateway.load(render(SETTINGS, [ALPHA, ABSENT], [CLIENT])).exit_code == 0
    assert fresh_gateway.request("/").json()["services"] == ["/api/alpha", "/api/absent"]


def test_only_the_newest_versions_are_kept(fresh_gateway: GatewayUnderTest) -> None:
    versions = [
        fresh_gateway.configure(GatewaySettings(server_names=(f"name{number}.example",)), (ALPHA,))
        for number in range(5)
    ]
    assert set(inside(fresh_gateway, "ls /etc/dyber/versions").split()) == set(versions[-3:])
    assert len(inside(fresh_gateway, "ls /etc/dyber/tls/*.pem").split()) == 3
    assert current(fresh_gateway) == f"versions/{versions[-1]}"


def test_a_restarted_gateway_serves_the_last_good_configuration(fresh_gateway: GatewayUnderTest) -> None:
    fresh_gateway.load(GOOD)
    fresh_gateway.load({**GOOD, "nginx.conf": "nonsense"})
    fresh_gateway.restart()
    assert fresh_gateway.request("/").json()["services"] == ["/api/alpha"]


def test_the_gateway_cannot_write_anywhere_but_tmp(fresh_gateway: GatewayUnderTest) -> None:
    for folder in ("/etc/dyber", "/etc/dyber/tls", "/usr/local/bin", "/var/lib/nginx", "/"):
        result = subprocess.run(
            ["docker", "exec", fresh_gateway.name, "bash", "-c", f"touch {folder}/x"], capture_output=True, check=False
        )
        assert result.returncode != 0, folder
    assert inside(fresh_gateway, "id -u") == "20080"
