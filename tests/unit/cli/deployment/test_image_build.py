"""The build of a single image takes a stack's settings, and its failure says which package is to blame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.deployment import image_build
from cli.deployment.events import DeployError
from cli.system.errors import StackError

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
