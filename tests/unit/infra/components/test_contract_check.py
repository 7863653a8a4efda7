"""If contracts are enforced, the containers of a service depend on the check of its image's tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest
from pydantic import SecretStr

from infra.components.docker.defaults import StackIdentity
from infra.components.docker.images import Image
from infra.components.docker.service import McpService, McpServiceArgs
from infra.services.catalog import load_spec
from infra.services.contract import LOCK_FILE
from tests.unit.infra.mocked import set_new_event_loop

TEMPLATE = Path(__file__).resolve().parents[4] / "mcp-servers" / "template"
LOCK = (TEMPLATE / LOCK_FILE).read_text(encoding="utf-8")


class Engine(pulumi.runtime.Mocks):
    """Answers as if the image printed `printed`, and records the containers that are declared."""

    def __init__(self, printed: str) -> None:
        self.printed = printed
        self.containers: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "docker:index/container:Container":
            self.containers[args.name] = args.inputs
            if args.inputs.get("attach"):
                outputs.update(exitCode=0, containerLogs=self.printed)
        return f"{args.name}-id", {"name": args.name, **outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}


def declare(engine: Engine, check_contract: bool = True, **secrets: str) -> dict[str, dict[str, Any]]:
    """Return the containers that the service template declares when the stack gives it `secrets`."""
    set_new_event_loop()
    pulumi.runtime.set_mocks(engine, project="dyber", stack="dev", preview=False)

    @pulumi.runtime.test
    def program() -> None:
        image = Image("dyber-template:1", "sha256:1")
        spec = load_spec(TEMPLATE / "service.yaml")
        given = {name: SecretStr(value) for name, value in secrets.items()}
        McpService(
            "template",
            McpServiceArgs(
                StackIdentity("dev", "0123"), spec, image, "info", None, check_contract=check_contract, secrets=given
            ),
        )

    program()
    return engine.containers


def test_the_server_gets_the_hash_of_the_checked_contract() -> None:
    containers = declare(Engine(LOCK))
    (stated,) = (value for value in containers["template-server"]["envs"] if value.startswith("DYBER_TOOLS_SHA256="))
    assert stated.split("=")[1] in LOCK


def test_the_check_runs_the_same_image_in_the_same_environment_without_a_network() -> None:
    containers = declare(Engine(LOCK))
    check, server = containers["template-contract"], containers["template-server"]
    assert check["image"] == server["image"]
    assert set(check["envs"]) == {value for value in server["envs"] if not value.startswith("DYBER_TOOLS_SHA256=")}
    assert (check["networkMode"], check.get("networksAdvanced"), check["readOnly"]) == ("none", None, True)


def test_the_check_gets_no_secret() -> None:
    containers = declare(Engine(LOCK), API_KEY="correct-horse")
    assert any(value.startswith("API_KEY_FILE=") for value in containers["template-server"]["envs"])
    check = containers["template-contract"]
    assert "API_KEY" not in str(check["envs"]) and not check.get("mounts")


def test_an_image_with_other_tools_gets_no_container_that_takes_calls() -> None:
    engine = Engine((TEMPLATE.parent / "xiaohongshu" / LOCK_FILE).read_text(encoding="utf-8"))
    with pytest.raises(pulumi.RunError, match="The tools of service template are not those of its contract"):
        declare(engine)
    assert set(engine.containers) == {"template-contract"}


def test_without_enforced_contracts_nothing_is_checked() -> None:
    containers = declare(Engine(LOCK), check_contract=False)
    assert set(containers) == {"template-server"}
    assert not any(value.startswith("DYBER_TOOLS_SHA256=") for value in containers["template-server"]["envs"])
