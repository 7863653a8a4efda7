"""Ports that are not available are reported before anything is built, with their owner and what to do."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands import options
from cli.commands.deployment import deploy
from cli.engine import engine, ports
from cli.engine.ports import PortInUse, overlap
from cli.system.errors import StackError
from toolchain.engine import low_ports
from toolchain.engine.installation import Engine

ROOTLESS = Engine("unix:///run/user/1000/docker.sock", "27.0.1", "1.46", "environment", rootless=True)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def container(name: str, deployment: str, *published: tuple[str, str], protocol: str = "tcp") -> dict[str, Any]:
    """The engine's description of a running container that publishes these addresses and ports."""
    bindings = [{"HostIp": address, "HostPort": port} for address, port in published]
    return {
        "Name": f"/{name}",
        "Config": {"Labels": {"dyber.deployment": deployment}},
        "HostConfig": {"PortBindings": {f"80/{protocol}": [{"HostIp": "", "HostPort": "8000-8010"}]}},
        "NetworkSettings": {"Ports": {f"80/{protocol}": bindings, "9999/tcp": None}},
    }


def running(monkeypatch: pytest.MonkeyPatch, *containers: dict[str, Any]) -> None:
    monkeypatch.setattr(engine, "containers", lambda *filters, all_states=True: list(containers))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 on which something listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_on_which_a_program_listens_is_reported(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    running(monkeypatch)
    assert ports.ports_in_use([("127.0.0.1", taken)], []) == [PortInUse("127.0.0.1", taken, None)]
    assert ports.ports_in_use([("127.0.0.2", taken)], []) == []


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "192.168.1.5", True),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "::1", False),
        ("0.0.0.0", "::", False),
        ("::", "::1", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", "", True),
        ("::1", "", True),
    ],
)
def test_a_port_on_two_addresses_conflicts_only_when_the_addresses_overlap(
    first: str, second: str, conflict: bool
) -> None:
    assert overlap((first, 80), (second, 80)) is conflict
    assert overlap((second, 80), (first, 80)) is conflict
    assert not overlap((first, 80), (second, 81))


def test_a_conflicting_port_is_reported_with_the_container_that_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    running(
        monkeypatch,
        container("mine", "abc", ("127.0.0.1", "30080")),
        container("elsewhere", "", ("192.0.2.5", "30443")),
        container("names", "", ("127.0.0.1", "30444"), protocol="udp"),
        container("theirs", "other", ("0.0.0.0", "30445"), ("::", "30445")),
    )
    required = [("127.0.0.1", port) for port in (30080, 30443, 30444, 30445)] + [("::1", 30445)]
    unavailable = ports.ports_in_use(required, ["abc"])
    assert [item.shown for item in unavailable] == [
        "127.0.0.1:30445 (container theirs)",
        "[::1]:30445 (container theirs)",
    ]


def test_a_port_that_the_stack_itself_holds_on_every_address_is_no_conflict(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(monkeypatch, container("mine", "abc", ("127.0.0.1", str(taken))))
    assert ports.ports_in_use([("0.0.0.0", taken)], ["abc"]) == []


def test_ports_of_an_engine_on_another_machine_are_not_tried_here(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    running(monkeypatch)
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@host.example")
    assert ports.ports_in_use([("127.0.0.1", taken)], []) == []


@pytest.mark.parametrize(("folder", "obstacles"), [("/", ["absent"]), ("/in/a/virtual/machine", [])])
def test_an_address_that_this_machine_lacks_is_reported_when_the_engine_runs_here(
    folder: str, obstacles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running(monkeypatch)
    monkeypatch.setattr(ports, "find_engine", lambda: Engine("unix:///x", "27", "1.46", "default", Path(folder)))
    assert [item.obstacle for item in ports.ports_in_use([("192.0.2.5", 30080)], [])] == obstacles


@pytest.mark.parametrize(
    ("number", "platform", "meaning"),
    [
        (errno.EADDRINUSE, "linux", "taken"),
        (errno.EADDRNOTAVAIL, "linux", "absent"),
        (errno.EACCES, "linux", None),
        (errno.EACCES, "win32", "reserved"),
    ],
)
def test_what_a_refused_port_means_depends_on_the_system(number: int, platform: str, meaning: str | None) -> None:
    assert ports.obstacle(OSError(number, "refused"), platform) == meaning


def refusal(monkeypatch: pytest.MonkeyPatch, *unavailable: PortInUse) -> StackError:
    monkeypatch.setattr(options, "ports_in_use", lambda required, deployments: list(unavailable))
    monkeypatch.setattr(options.remains, "find", lambda stack, own: [])
    with pytest.raises(StackError) as refused:
        options.check(deployment_with_ports(("127.0.0.1", 80)))
    return refused.value


def deployment_with_ports(*required: tuple[str, int]) -> Any:
    """A deployment with what the checks before a change use of it."""
    return SimpleNamespace(
        stack=SimpleNamespace(name="dev"),
        check_settings=lambda: None,
        deployment_id=lambda: "abc",
        published_ports=lambda: list(required),
    )


@pytest.mark.parametrize(
    ("obstacle", "words", "step"),
    [
        ("taken", "ports are taken: 127.0.0.1:80", "gateway.portOffset"),
        ("reserved", "Windows reserves these ports", "netsh interface ipv4 show excludedportrange protocol=tcp"),
        ("absent", "no such address: 127.0.0.1:80", "gateway.bind"),
    ],
)
def test_each_obstacle_has_its_own_next_step(
    obstacle: Any, words: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "find_engine", lambda: None)
    error = refusal(monkeypatch, PortInUse("127.0.0.1", 80, None, obstacle))
    assert words in error.message
    assert step in error.next_step


@pytest.fixture
def rootless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An engine of an ordinary user on Linux; the file with the lowest port it may have."""
    setting = tmp_path / "ip_unprivileged_port_start"
    setting.write_text("1024\n")
    monkeypatch.setattr(ports, "find_engine", lambda: ROOTLESS)
    monkeypatch.setattr(low_ports, "SETTING_FILE", setting)
    monkeypatch.setattr(low_ports.sys, "platform", "linux")
    monkeypatch.setattr(low_ports.shutil, "which", lambda name: None)
    return setting


def test_an_engine_of_an_ordinary_user_is_refused_low_ports_before_anything_is_built(rootless: Path) -> None:
    with pytest.raises(StackError, match="ports below 1024 are not allowed here.*80, 443") as refused:
        options.check(deployment_with_ports(("127.0.0.1", 80), ("127.0.0.1", 443), ("127.0.0.1", 8080)))
    assert "gateway.portOffset 10000 -s dev" in refused.value.next_step
    assert "sysctl net.ipv4.ip_unprivileged_port_start=80" in refused.value.next_step


def test_low_ports_are_refused_before_the_machine_is_set_up(
    rootless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.test.yaml").write_text("config:\n  dyber:gateway:\n    portOffset: 10000\n")
    monkeypatch.setattr(deploy, "ROOT", tmp_path)
    monkeypatch.setattr(deploy, "set_up", lambda home, display: pytest.fail("nothing is to be built"))
    with pytest.raises(StackError, match="below 1024.*80, 443"):
        deploy.deploy(stack="dev")
    ports.refuse_low_ports_of_file(tmp_path, "test")
    ports.refuse_low_ports_of_file(tmp_path, "not-there")


def test_a_system_that_allows_low_ports_refuses_none(rootless: Path) -> None:
    rootless.write_text("80\n")
    assert ports.too_low([("127.0.0.1", 80)]) == ([], 80)
    rootless.unlink()
    assert ports.too_low([("127.0.0.1", 80)]) == ([80], 1024)


def test_a_helper_with_the_right_to_all_ports_refuses_none(rootless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(low_ports.shutil, "which", lambda name: "/usr/bin/rootlesskit")
    monkeypatch.setattr(low_ports.os, "getxattr", lambda path, name: b"\1")
    assert low_ports.lowest_port(ROOTLESS) == 1


def test_an_engine_of_root_publishes_every_port(rootless: Path) -> None:
    assert low_ports.lowest_port(Engine("unix:///var/run/docker.sock", "27.0.1", "1.46", "default")) == 1


def test_doctor_names_the_stacks_that_need_low_ports(rootless: Path, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.test.yaml").write_text("config:\n  dyber:gateway:\n    portOffset: 10000\n")
    (finding,) = ports.findings(tmp_path)
    assert not finding.ok
    assert "dev" in finding.version and "test" not in finding.version
    assert "portOffset" in finding.advice
    (tmp_path / "Pulumi.dev.yaml").unlink()
    assert ports.findings(tmp_path)[0].ok
