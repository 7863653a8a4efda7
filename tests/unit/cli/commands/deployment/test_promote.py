"""What a promotion writes into the next stack's file, and the record of a release."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands.deployment.promote import short
from cli.engine import engine, images
from cli.engine.errors import EngineError
from cli.release import contracts
from cli.release import release as releases
from cli.release.release import KeyPath, Release, image_parts, pinned_images, pins
from cli.system.errors import StackError
from infra.parts.image_interface import INTERFACE
from infra.services.catalog import load_catalog
from infra.services.contract import Contract, load_lock
from infra.settings.stack import StackSettings, parse_settings

OLD, NEW = "sha256:" + "a" * 64, "registry.example.com/dyber/template@sha256:" + "b" * 64
TEMPLATE = ("services", "template")
CONTRACT = load_lock(contracts.SERVERS / "template")
CATALOG = {name: spec for name, spec in load_catalog(contracts.SERVERS).items() if name == "template"}


def release(**images: str) -> Release:
    assert CONTRACT is not None
    everything = {"template": NEW, "gateway": OLD, "front": OLD, "hub": OLD, **images}
    return Release("dev", "0123abc", everything, {"template": CONTRACT}, INTERFACE)


def settings(**values: Any) -> StackSettings:
    return parse_settings("test", {f"dyber:{key}": json.dumps(value) for key, value in values.items()}, environment={})


def changes(target: StackSettings, record: Release) -> dict[KeyPath, str | int | None]:
    lenient = target.model_copy(update={"profiles": ("dev",), "images": "build"})
    return pins(record, target, lenient.select(CATALOG))


def test_a_first_promotion_pins_every_image_and_says_what_each_tool_may_do() -> None:
    assert CONTRACT is not None
    assert changes(settings(), release()) == {
        (*TEMPLATE, "image"): NEW,
        (*TEMPLATE, "contract", "sha256"): CONTRACT.sha256,
        **{(*TEMPLATE, "contract", "tools", tool): "read" for tool in CONTRACT.tools},
        ("gatewayImage",): OLD,
        ("frontImage",): OLD,
        ("hubImage",): OLD,
        ("images",): "pinned",
        ("imagesInterface",): INTERFACE,
    }


def pinned(image: str = NEW, **tools: str) -> StackSettings:
    assert CONTRACT is not None
    contract = {**CONTRACT.settings, "tools": {**CONTRACT.settings["tools"], **tools}}
    services = {"template": {"image": image, "contract": contract, "memoryMib": 128}}
    parts = {"gatewayImage": OLD, "frontImage": OLD, "hubImage": OLD}
    return settings(images="pinned", services=services, **parts, imagesInterface=INTERFACE)


def test_promoting_the_same_again_writes_nothing() -> None:
    assert changes(pinned(), release()) == {}


def test_only_what_differs_is_written() -> None:
    assert changes(pinned(OLD), release()) == {(*TEMPLATE, "image"): NEW}


def test_a_tool_that_is_gone_is_removed_from_the_file() -> None:
    gone = (*TEMPLATE, "contract", "tools", "template_gone")
    assert changes(pinned(template_gone="write"), release()) == {gone: None}


def test_a_service_that_the_source_lacks_is_named() -> None:
    record = Release("dev", "", {"gateway": OLD, "front": OLD}, {}, INTERFACE)
    with pytest.raises(StackError, match="template.*dev") as refused:
        changes(settings(), record)
    assert "Pulumi.test.yaml" in refused.value.next_step


def test_a_profile_that_the_source_lacks_is_named_before_anything_is_written() -> None:
    target = settings(profiles=["cache"])
    with pytest.raises(StackError, match="cache") as raised:
        changes(target, release())
    assert "Pulumi.dev.yaml" in raised.value.next_step
    assert changes(target, release(cache=OLD))[("cacheImage",)] == OLD


def test_a_hub_that_the_source_lacks_is_named_before_anything_is_written() -> None:
    record = release()
    without = replace(record, images={part: image for part, image in record.images.items() if part != "hub"})
    with pytest.raises(StackError, match="hub|枢纽") as raised:
        changes(settings(hub={"enabled": True}), without)
    assert "Pulumi.dev.yaml" in raised.value.next_step and "Pulumi.test.yaml" in raised.value.next_step
    assert ("hubImage",) not in changes(settings(hub={"enabled": False}), without)


def test_a_console_that_the_source_lacks_is_named_before_anything_is_written() -> None:
    target = settings(console={"enabled": True})
    with pytest.raises(StackError, match="console|控制台") as raised:
        changes(target, release())
    assert "Pulumi.dev.yaml" in raised.value.next_step and "Pulumi.test.yaml" in raised.value.next_step
    assert changes(target, release(console=OLD))[("consoleImage",)] == OLD
    assert ("consoleImage",) not in changes(settings(), release())


def test_every_image_setting_of_a_stack_is_promoted() -> None:
    assert {"gateway", "front"} <= set(image_parts())
    assert pinned_images(pinned()) == {"template": NEW, "gateway": OLD, "front": OLD, "hub": OLD}


def test_a_record_of_a_release_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.write_text(release().dumps(), encoding="utf-8")
    assert Release.load(file) == release()


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"stack": "dev", "revision": "", "images": {"template": "template:latest"}, "tools": {}}'],
    ids=["empty", "no record", "a tag"],
)
def test_a_file_that_is_not_a_record_of_a_release_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "release.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StackError, match=r"release\.json"):
        Release.load(file)


def running(monkeypatch: pytest.MonkeyPatch, image: str | None) -> None:
    """The engine has a container of this deployment with that image, and one of another state's stack dev."""
    by_deployment = {"label=dyber.deployment=ours": image, "label=dyber.deployment=theirs": "sha256:" + "e" * 64}

    def containers(*filters: str, all_states: bool = True) -> list[dict[str, Any]]:
        matching = [by_deployment[item] for item in filters if item in by_deployment] or by_deployment.values()
        return [{"Image": image} for image in matching if image]

    monkeypatch.setattr(engine, "containers", containers)
    monkeypatch.setattr(images, "identity", lambda reference: reference)


@pytest.mark.parametrize("image", [None, "sha256:" + "c" * 64], ids=["nothing runs", "another image runs"])
def test_only_what_really_runs_is_released(monkeypatch: pytest.MonkeyPatch, image: str | None) -> None:
    ours: Any = SimpleNamespace(stack=SimpleNamespace(name="dev"), deployment_id=lambda: "ours")
    running(monkeypatch, OLD)
    releases._check_it_runs(ours, "template", OLD)
    running(monkeypatch, image)
    with pytest.raises(StackError, match="template"):
        releases._check_it_runs(ours, "template", OLD)


def test_a_stack_that_was_never_deployed_has_no_container_of_another_state(monkeypatch: pytest.MonkeyPatch) -> None:
    running(monkeypatch, OLD)
    assert contracts.service_container("ours", "template") == {"Image": OLD}
    assert contracts.service_container(None, "template") is None


def test_a_pushed_image_is_named_by_the_digest_that_the_registry_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = f"sha256:{'d' * 64}"
    pushed = []
    monkeypatch.setattr(images, "push", lambda image, target: pushed.append((image, target)) or digest)
    assert releases.push(OLD, "localhost:5000/dyber", "front") == f"localhost:5000/dyber/front@{digest}"
    assert pushed == [(OLD, f"localhost:5000/dyber/front:{'a' * 16}")]


def test_a_push_that_fails_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def push(image: str, target: str) -> str:
        raise EngineError("denied: not logged in")

    monkeypatch.setattr(images, "push", push)
    with pytest.raises(StackError, match="denied: not logged in") as refused:
        releases.push(OLD, "localhost:5000/dyber", "front")
    assert "docker login" in refused.value.next_step


@pytest.mark.parametrize("value", ["https://registry.example.com", "registry.example.com/", "Registry/x", "a b"])
def test_an_invalid_registry_is_refused(value: str) -> None:
    with pytest.raises(Exception, match="registry"):
        settings(registry=value)


def test_a_digest_is_shown_short() -> None:
    assert short(NEW) == "registry.example.com/dyber/template@sha256:bbbbbbbbbbbb…"


def test_a_contract_without_tools_is_a_contract() -> None:
    assert len(Contract({}).sha256) == 64


@pytest.mark.parametrize(
    ("interface", "step"), [(0, "./deploy.sh deploy -s dev"), (INTERFACE + 1, "./deploy.sh update")]
)
def test_images_that_this_program_cannot_run_are_not_promoted(interface: int, step: str) -> None:
    with pytest.raises(StackError, match=str(interface)) as refused:
        changes(settings(), replace(release(), interface=interface))
    assert step in refused.value.next_step


def test_promoting_again_adds_the_interface_number_that_an_older_file_lacks() -> None:
    assert changes(pinned().model_copy(update={"images_interface": 0}), release()) == {("imagesInterface",): INTERFACE}


def test_a_record_without_an_interface_number_counts_as_older_images(tmp_path: Path) -> None:
    content = json.loads(release().dumps())
    del content["interface"]
    file = tmp_path / "release.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    assert Release.load(file).interface == 0
