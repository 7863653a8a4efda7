"""The build of a single image takes a stack's settings, and its failure says which package is to blame."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.deployment import image_build
from cli.deployment.events import DeployError, EventDisplay
from cli.engine.resource_types import CONTAINER, IMAGE
from cli.system.errors import StackError
from cli.terminal.console import Activities
from infra.services.catalog import ServiceSpec
from infra.settings.build import BuildSettings
from infra.single_image import PARTS

WANTED = "sha512-" + "B" * 86 + "=="
OUTPUT = f"""\
#11 [files-npm 4/4] RUN npm ci
#12 25.83 npm error code EINTEGRITY
#12 25.83 npm error Integrity checksum failed when using sha512: wanted {WANTED} but got sha512-x==.
#12 25.83 npm error A complete log of this run can be found in: /root/.npm/_logs/x.log
#12 ERROR: executor failed running [/bin/sh -c npm ci]: exit code: 1
"""


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


def failure(folder: Path, output: str) -> DeployError:
    log = folder / "build.log"
    log.write_text(output, encoding="utf-8")
    return image_build._with_output(DeployError("no", "", ["exit code 1"]), "weather", folder, log)


def test_a_package_that_npm_refuses_by_its_hash_is_named(tmp_path: Path) -> None:
    packages = {"": {}, "node_modules/a": {"integrity": "sha512-a=="}, "node_modules/@b/c": {"integrity": WANTED}}
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}), encoding="utf-8")
    error = failure(tmp_path, OUTPUT)
    assert error.details[-1] == "@b/c is not what package-lock.json says"
    assert "./deploy.sh lock weather" in error.next_step
    assert not [line for line in error.details if "complete log" in line or "executor failed" in line]


def test_a_build_without_output_keeps_the_message_of_the_engine(tmp_path: Path) -> None:
    assert failure(tmp_path, "").details == ["exit code 1"]


def test_a_stack_that_is_not_deployed_says_how_images_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.deployment import deployment

    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    monkeypatch.setenv("DYBER_NPM_REGISTRY", "https://machine.example")
    monkeypatch.setenv("DYBER_GOPROXY", "https://machine.example/go")
    text = "config:\n  dyber:build: {goProxy: https://stack.example/go}\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    build = image_build.build_settings("dev")
    assert (build.npm_registry, build.go_proxy) == ("https://machine.example", "https://stack.example/go")
    with pytest.raises(StackError):
        image_build.build_settings("nosuch")


def event(resource_type: str, name: str) -> Any:
    metadata = SimpleNamespace(urn=f"urn:pulumi:dev::dyber::{resource_type}::{name}", type=resource_type)
    fields = ("resource_pre_event", "res_outputs_event", "diagnostic_event", "policy_event", "summary_event")
    return SimpleNamespace(**dict.fromkeys(fields), res_op_failed_event=SimpleNamespace(metadata=metadata))


def test_an_update_tells_which_images_could_not_be_built() -> None:
    events = EventDisplay(Activities(), quiet=True)
    for resource_type, name in ((IMAGE, "weather-image"), (CONTAINER, "weather-server")):
        events.handle(event(resource_type, name))
    assert events.failed_images == ["weather-image"]


def built(monkeypatch: pytest.MonkeyPatch, outcome: DeployError | None) -> list[str]:
    """Let the next builds end with `outcome`; return the names of the services that are built."""
    names: list[str] = []

    def build_image(spec: ServiceSpec, build: BuildSettings, display: Activities) -> str:
        names.append(spec.name)
        if outcome:
            raise outcome
        return "dyber-template:1"

    monkeypatch.setattr(image_build, "build_image", build_image)
    return names


def test_a_failed_update_has_the_last_lines_of_the_builds_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = built(monkeypatch, DeployError("the image of template was not built", "lock it", ["#12 npm error"]))
    failed = DeployError("it failed", "look", ["exit code: 1"])
    images = ["template-image", "unknown-image"]
    error = image_build.with_reasons(failed, images, BuildSettings(), Activities())
    assert names == ["template"]
    assert (error.message, error.next_step) == ("it failed", "lock it")
    assert error.details == ["exit code: 1", "the image of template was not built:", "#12 npm error"]


def test_an_update_whose_image_can_be_built_afterwards_keeps_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    built(monkeypatch, None)
    failed = DeployError("it failed", "look", ["exit code: 1"])
    assert image_build.with_reasons(failed, ["template-image"], BuildSettings(), Activities()) is failed


@pytest.mark.parametrize("locks", [False, True])
def test_a_build_that_fails_for_a_known_reason_has_its_next_step(tmp_path: Path, locks: bool) -> None:
    (tmp_path / "build.log").write_text("#9 2.1 Temporary failure resolving 'deb.example'\n", encoding="utf-8")
    failed = DeployError("no", "", [])
    error = image_build._with_output(failed, "gateway", tmp_path if locks else None, tmp_path / "build.log")
    assert "DYBER_APT_MIRROR" in error.next_step and "gateway" in error.message


def test_a_part_that_was_not_built_is_built_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def build_part(name: str, build: BuildSettings, display: Activities) -> str:
        raise DeployError(f"the image of {name} was not built", "look", ["#9 apt"])

    monkeypatch.setattr(image_build, "build_part", build_part)
    failed = DeployError("it failed", "", [])
    images = [f"{name}-image" for name in PARTS]
    error = image_build.with_reasons(failed, images, BuildSettings(), Activities())
    assert [line for line in error.details if line.startswith("the image")] == [
        f"the image of {name} was not built:" for name in PARTS
    ]
