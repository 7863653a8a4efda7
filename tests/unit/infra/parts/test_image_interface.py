"""Images by digest that were built for another interface are refused before anything changes."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from cli.deployment.deployment import Deployment
from infra.parts import image_interface
from infra.parts.image_interface import INTERFACE, PLAIN, WITH_ALERTS
from infra.rendering.gateway.inputs import REPOSITORY
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog
from infra.settings.services import ServiceSettings
from infra.settings.stack import StackSettings, parse_settings
from tests.unit.infra.test_program import SERVICES, declare

DIGEST = "sha256:" + "a" * 64
PINNED: dict[str, Any] = {
    "images": "pinned",
    "services": {name: {"image": DIGEST} for name in load_catalog(REPOSITORY / "mcp-servers")},
    "gatewayImage": DIGEST,
    "frontImage": DIGEST,
    "hubImage": DIGEST,
}


def refusal(stack: str = "test", **values: Any) -> str:
    settings = parse_settings(stack, {f"dyber:{key}": json.dumps(value) for key, value in values.items()}, {})
    with pytest.raises(ConfigurationError) as refused:
        image_interface.refuse_incompatible_images(settings)
    return str(refused.value)


def test_images_without_an_interface_number_are_refused_with_the_next_step() -> None:
    message = refusal(**PINNED)
    assert "Pulumi.test.yaml: dyber:imagesInterface = 0: gatewayImage, frontImage, hubImage" in message
    assert "promote again: ./deploy.sh promote dev test" in message
    assert "./deploy.sh promote test prod" in refusal("prod", **PINNED)
    assert "./deploy.sh promote <from> elsewhere" in refusal("elsewhere", **PINNED)


@pytest.mark.parametrize("key", ["gatewayImage", "frontImage", "hubImage", "cacheImage", "monitoringImage"])
def test_a_single_image_by_digest_is_checked_too(key: str) -> None:
    assert f"imagesInterface = 0: {key}" in refusal(**{"profiles": ["cache", "monitoring"], key: DIGEST})


def test_images_of_a_newer_program_ask_for_an_update() -> None:
    assert "./deploy.sh update" in refusal(**PINNED, imagesInterface=INTERFACE + 1)


def test_built_images_and_images_of_the_same_interface_are_accepted() -> None:
    for values in ({}, {**PINNED, "imagesInterface": INTERFACE}):
        settings = parse_settings("test", {f"dyber:{key}": json.dumps(value) for key, value in values.items()}, {})
        image_interface.refuse_incompatible_images(settings)


@pytest.mark.parametrize(("hub", "accepted"), [(True, False), (False, True)])
def test_images_of_before_the_hub_still_run_in_a_stack_without_it(hub: bool, accepted: bool) -> None:
    values = {**PINNED, "hub": {"enabled": hub}, "imagesInterface": PLAIN}
    settings = parse_settings("test", {f"dyber:{key}": json.dumps(value) for key, value in values.items()}, {})
    if accepted:
        image_interface.refuse_incompatible_images(settings)
    else:
        assert f"this program needs {INTERFACE}" in refusal(**values)


@pytest.mark.parametrize(("interface", "works"), [(WITH_ALERTS, True), (WITH_ALERTS - 1, False)])
def test_images_without_alertmanager_work_only_in_stacks_that_send_no_alerts(interface: int, works: bool) -> None:
    alerts = {"receivers": {"team": {"kind": "bark", "url": "https://api.day.app/key"}}}
    values = {**PINNED, "profiles": ["monitoring"], "monitoringImage": DIGEST, "imagesInterface": interface}
    image_interface.refuse_incompatible_images(StackSettings(stack="test", **values))
    sending = {**values, "monitoring": {"alerts": alerts}}
    if works:
        image_interface.refuse_incompatible_images(StackSettings(stack="test", **sending))
    else:
        assert "monitoringImage" in refusal(**sending)


@pytest.mark.parametrize(
    ("image", "interface", "keeps"),
    [(DIGEST, 0, False), (DIGEST, 1, False), (DIGEST, INTERFACE, True), (None, 0, True)],
)
def test_an_image_of_before_scopes_is_not_taken_to_keep_to_them(image: str | None, interface: int, keeps: bool) -> None:
    services = {"template": ServiceSettings(image=image)}
    settings = StackSettings(stack="test", services=services, images_interface=interface)
    spec = load_catalog(REPOSITORY / "mcp-servers")["template"]
    assert spec.enforces_scopes
    assert settings.with_stack_values(spec).enforces_scopes == keeps


def test_the_program_refuses_older_images_before_it_declares_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    services = {name: {"image": DIGEST} for name in SERVICES}
    with pytest.raises(pulumi.RunError, match="imagesInterface"):
        declare(monkeypatch, **{**PINNED, "services": services})


def test_commands_refuse_older_images_before_pulumi_is_started() -> None:
    settings = parse_settings("dev", {f"dyber:{key}": json.dumps(value) for key, value in PINNED.items()}, {})
    stack: Any = None
    with pytest.raises(ConfigurationError, match="imagesInterface"):
        Deployment(stack, settings).check_settings()
