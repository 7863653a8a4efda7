"""Recovery finds the containers and data of lost deployments, and first removes what cannot exist twice."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from pulumi.automation.errors import CommandError

from cli.commands.data import recover
from cli.engine import engine
from cli.inventory import remains
from cli.stack_files.stack_file import without_salt
from cli.system.errors import StackError
from cli.terminal.console import Activities
from tests.support.fake_engine import FakeEngine, use_engine


def container(service: str, deployment: str, created: str = "2026-01-02T03:04:05Z", **more: Any) -> dict[str, Any]:
    return {
        "Id": f"{service}-{deployment}",
        "Name": f"/dyber-test-{service}",
        "Created": created,
        "Config": {"Labels": {"dyber.service": service, "dyber.deployment": deployment}},
        "HostConfig": {},
        **more,
    }


@pytest.fixture
def leftovers(monkeypatch: pytest.MonkeyPatch) -> list[remains.Remains]:
    """The deployments that an engine has of the stack test besides the present one, which is called own."""
    filters_used: list[tuple[str, ...]] = []

    def containers(*filters: str) -> list[dict[str, Any]]:
        filters_used.append(filters)
        mounts = [
            {"Type": "volume", "Name": "made-by-hand", "Destination": "/data"},
            {"Type": "volume", "Name": "gateway-configuration-1a2b3c", "Destination": "/etc/dyber"},
            {"Type": "tmpfs"},
        ]
        written = [{"Type": "volume", "Name": "template-secrets-1a2b3c", "Destination": "/data"}]
        read = [{"Type": "volume", "Name": "template-secrets-1a2b3c", "Destination": "/run/secrets"}]
        return [
            container("gateway", "own"),
            container("xiaohongshu", "lost", Mounts=mounts),
            container("template", "lost", created="2025-12-31T00:00:00Z", Mounts=read),
            container("template-secrets", "lost", Mounts=written),
            container("template", "other"),
        ]

    monkeypatch.setattr(engine, "containers", containers)
    monkeypatch.setattr(engine, "labelled_networks", lambda *_: [("lost", "n1", "net-1"), ("own", "n2", "net-2")])
    result = remains.find("test", "own")
    assert filters_used == [("label=dyber.project=dyber", "label=dyber.stack=test")]
    return result


def test_containers_are_grouped_by_deployment_without_those_of_the_present_one(
    leftovers: list[remains.Remains],
) -> None:
    assert [(item.deployment, len(item.containers), item.networks) for item in leftovers] == [
        ("lost", 3, {"n1": "net-1"}),
        ("other", 1, {}),
    ]
    assert leftovers[0].since == "2025-12-31"


def test_volumes_with_data_are_those_that_are_mounted_as_data_folders_only(
    leftovers: list[remains.Remains],
) -> None:
    assert recover._data(leftovers[0]) == {"made-by-hand"}
    assert leftovers[0].volumes() == {"made-by-hand", "gateway-configuration-1a2b3c", "template-secrets-1a2b3c"}


def test_one_of_several_deployments_has_to_be_named(leftovers: list[remains.Remains]) -> None:
    with pytest.raises(typer.BadParameter, match="lost.*other"):
        recover._chosen(leftovers, [])
    assert recover._chosen(leftovers, ["other"]) == [leftovers[1]]
    assert recover._chosen(leftovers[:1], []) == leftovers[:1]
    with pytest.raises(typer.BadParameter, match="nobody"):
        recover._chosen(leftovers, ["nobody"])


@pytest.mark.parametrize(
    ("service", "ports", "expected"),
    [
        ("gateway-front", {"80/tcp": [{"HostPort": "80"}]}, True),
        ("cache", {}, True),
        ("monitoring", {}, True),
        ("gateway", {}, False),
        ("xiaohongshu", {}, False),
    ],
)
def test_a_container_that_holds_a_port_or_data_is_removed_before_its_successor_starts(
    service: str, ports: dict[str, Any], expected: bool
) -> None:
    assert remains.blocks_replacement(container(service, "lost", HostConfig={"PortBindings": ports})) is expected


def test_a_stack_file_without_its_salt_is_otherwise_the_same() -> None:
    assert without_salt("# mine\nencryptionsalt: v1:abc=\nconfig:\n  dyber:logLevel: info\n") == (
        "# mine\nconfig:\n  dyber:logLevel: info\n"
    )


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a stack whose state and passphrase are lost; the stack opens once the salt is removed from it."""
    file = tmp_path / "Pulumi.test.yaml"

    def opened(stack: str) -> str:
        if "encryptionsalt" in file.read_text():
            result = SimpleNamespace(stdout="", stderr="error: incorrect passphrase", code=255)
            raise CommandError(result)
        return stack

    monkeypatch.setattr(recover, "ROOT", tmp_path)
    monkeypatch.setattr(recover.Deployment, "open", opened)
    monkeypatch.setattr(recover.auto, "LocalWorkspace", lambda work_dir: SimpleNamespace(list_stacks=list))
    return file


def test_only_the_salt_of_a_lost_passphrase_is_removed(file: Path) -> None:
    file.write_text("encryptionsalt: v1:abc=\nconfig:\n  dyber:logLevel: info # secure: no\n")
    assert recover._open("test") == "test"
    assert file.read_text() == "config:\n  dyber:logLevel: info # secure: no\n"


def test_values_encrypted_with_a_lost_passphrase_are_left_for_a_person_to_remove(file: Path) -> None:
    text = "encryptionsalt: v1:abc=\nconfig:\n  dyber:cache:\n    password:\n      secure: v1:x=\n"
    file.write_text(text)
    with pytest.raises(StackError, match="Pulumi.test.yaml"):
        recover._open("test")
    assert file.read_text() == text


@pytest.mark.parametrize("error", [KeyboardInterrupt, StackError])
def test_the_old_containers_serve_again_when_the_new_ones_cannot_take_their_place(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    fake_engine = FakeEngine()
    use_engine(monkeypatch, fake_engine)
    ports = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    old = container("gateway-front", "lost", HostConfig=ports, State={"Status": "running"})
    new = container("gateway-front", "new", HostConfig=ports, State={"Status": "running"})
    answers = iter([[], [new, container("template", "new")]])
    monkeypatch.setattr(engine, "containers", lambda *_: next(answers))
    fake_engine.descriptions = {item["Id"]: item for item in (old, new)}
    deployment = SimpleNamespace(deployment_id=lambda: "new")
    with (
        Activities() as display,
        pytest.raises(error),
        recover._stopped(deployment, [old], display),  # type: ignore[arg-type]
    ):
        assert fake_engine.changes == ["stop gateway-front-lost"]
        raise error("x")
    assert fake_engine.changes[1:] == [
        "stop gateway-front-new",
        "remove_container gateway-front-new",
        "start gateway-front-lost",
    ]


@pytest.mark.parametrize(
    ("subnet", "is_taken"), [("10.200.0.64/26", True), ("10.202.0.64/26", False), ("fd00::/64", False)]
)
def test_an_old_network_with_a_range_of_the_pool_is_named_with_the_command_for_another_range(
    monkeypatch: pytest.MonkeyPatch, leftovers: list[remains.Remains], subnet: str, is_taken: bool
) -> None:
    fake = SimpleNamespace(inspect_network=lambda network: {"IPAM": {"Config": [{"Subnet": subnet}]}})
    monkeypatch.setattr(engine, "asking", lambda: nullcontext(fake))
    deployment: Any = SimpleNamespace(name="test", settings=SimpleNamespace(network_pool="10.200.0.0/15"))
    with pytest.raises(StackError) if is_taken else nullcontext() as refused:
        recover._refuse_taken_ranges(deployment, leftovers)
    if refused is not None:
        assert "net-1" in refused.value.message
        assert "config set networkPool 10.202.0.0/15 -s test" in (refused.value.next_step or "")


def test_without_a_pool_the_ranges_of_old_networks_do_not_matter(leftovers: list[remains.Remains]) -> None:
    deployment: Any = SimpleNamespace(name="dev", settings=SimpleNamespace(network_pool=None))
    recover._refuse_taken_ranges(deployment, leftovers)
