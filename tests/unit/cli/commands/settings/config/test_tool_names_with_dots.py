"""Tools with dots in their names, such as `notes.search`, can be promoted, shown, changed and given to the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from cli.commands.deployment import promote
from cli.configuration import config_secrets
from cli.configuration.config_keys import parse
from cli.configuration.effective import Configuration
from cli.previews.values import changed_settings
from cli.release.release import Release, pins
from cli.stack_files.stack_file import StackFile
from infra.parts.image_interface import INTERFACE
from infra.rendering.gateway import inputs as gateway_inputs
from infra.services.catalog import load_catalog
from infra.services.contract import Contract, listed_contract
from infra.settings.stack import StackSettings, parse_settings, setting_tree
from tests.unit.cli.commands.settings.config.stacks import Dyber, shown

IMAGE = "sha256:" + "a" * 64
NAMES = ["notes.search", "a.b.c", "get_token", "secrets", "123", "on", "Null", "-", ".", "x" * 128, "true.false"]
TOOLS = "services.template.contract.tools"


def contract(names: list[str]) -> Contract:
    return listed_contract({"name": name, "annotations": {"readOnlyHint": name != "a.b.c"}} for name in names)


def read(root: Path) -> StackSettings:
    """Return the settings as the Pulumi program reads them from the stack's file."""
    values = {f"dyber:{key}": json.dumps(value) for key, value in StackFile(root / "Pulumi.test.yaml").values().items()}
    return parse_settings("test", values, environment={})


def release(tools: Contract) -> Release:
    images = dict.fromkeys(("template", "xiaohongshu", "gateway", "front", "hub"), IMAGE)
    return Release("dev", "0123", images, {"template": tools, "xiaohongshu": contract(["xhs.search"])}, INTERFACE)


@pytest.fixture
def promoted(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Promote a release with these tools into the stack test, and return the repository."""
    promote_into_the_file(root, monkeypatch, release(contract(NAMES)))
    return root


def promote_into_the_file(root: Path, monkeypatch: pytest.MonkeyPatch, record: Release) -> None:
    before = read(root)
    lenient = before.model_copy(update={"images": "build", "contracts": "off"})
    changes = pins(record, before, lenient.select(load_catalog(root / "mcp-servers")))
    reopened = SimpleNamespace(check_settings=lambda: read(root))
    monkeypatch.setattr(promote.Deployment, "open", lambda name: reopened)
    deployment: Any = SimpleNamespace(file=root / "Pulumi.test.yaml", stack=SimpleNamespace(name="test"))
    promote.write(deployment, changes)


def test_the_program_reads_a_promotion_as_it_was_released(promoted: Path) -> None:
    template = read(promoted).services["template"]
    assert template.contract is not None
    assert template.contract.model_dump() == contract(NAMES).settings


def test_promoting_again_writes_nothing_and_a_removed_tool_is_deleted(
    promoted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = promoted / "Pulumi.test.yaml"
    before = file.read_text(encoding="utf-8")
    promote_into_the_file(promoted, monkeypatch, release(contract(NAMES)))
    assert file.read_text(encoding="utf-8") == before
    promote_into_the_file(promoted, monkeypatch, release(contract(NAMES[1:])))
    template = read(promoted).services["template"]
    assert template.contract is not None
    assert sorted(template.contract.tools) == sorted(NAMES[1:])


def test_a_promotion_that_cannot_be_used_leaves_the_file_as_it_was(
    promoted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = promoted / "Pulumi.test.yaml"
    before = file.read_bytes()

    def refuse(name: str) -> None:
        raise ValueError(name)

    monkeypatch.setattr(promote.Deployment, "open", refuse)
    deployment: Any = SimpleNamespace(file=file, stack=SimpleNamespace(name="test"))
    with pytest.raises(ValueError, match="test"):
        promote.write(deployment, {("images",): "build"})
    assert file.read_bytes() == before


def test_the_gateway_accepts_each_tool_and_its_scopes_name_it(promoted: Path) -> None:
    settings = read(promoted)
    scoped = settings.model_copy(
        update={"clients": {"phone": type(settings.clients["desktop-pet"])(services={"template": tuple(NAMES)})}}
    )
    specs = scoped.select(load_catalog(promoted / "mcp-servers"))
    configuration = gateway_inputs.configuration(scoped, specs, {"phone": ["0" * 64]})
    scopes = next(text for name, text in configuration.items() if name.endswith("scopes.json"))
    assert sorted(json.loads(scopes)["clients"]["phone"]["template"].split()) == sorted(NAMES)
    assert sorted(json.loads(scopes)["read_tools"]["template"].split()) == sorted({*NAMES} - {"a.b.c"})


def test_each_tool_is_shown_under_a_key_that_config_accepts(
    promoted: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shown(capsys, dyber, TOOLS, "-s", "test")
    assert sorted(parse(key, setting_tree())[-1] for key in rows) == sorted(NAMES)
    for key, row in rows.items():
        assert shown(capsys, dyber, key, "-s", "test") == {key: row}
    assert rows[f'{TOOLS}["notes.search"]']["value"] == "read"


def test_a_tool_is_set_unset_and_compared(promoted: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    dyber("set", f'{TOOLS}["notes.search"]', "write", "-s", "test")
    template = Configuration("test").settings().services["template"].contract
    assert template is not None and template.tools["notes.search"] == "write"
    dyber("unset", f'{TOOLS}["a.b.c"]', "-s", "test")
    capsys.readouterr()
    assert dyber("diff", "dev", "test", "--json") == 1
    keys = [row["key"] for row in json.loads(capsys.readouterr().out)]
    assert f'{TOOLS}["notes.search"]' in keys
    assert f'{TOOLS}["a.b.c"]' not in keys


def test_for_a_name_without_its_quotes_the_quoted_name_is_suggested(root: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r'did you mean services\.x\.contract\.tools\["notes\.search"\]'):
        parse("services.x.contract.tools.notes.search", setting_tree())


def test_the_comment_of_a_pull_request_names_the_tools_and_hides_no_value_of_them(promoted: Path) -> None:
    text = (promoted / "Pulumi.test.yaml").read_text(encoding="utf-8")
    settings = {key: after for key, _, after in changed_settings("", text)}
    assert settings[f'{TOOLS}["notes.search"]'] == "read"
    assert (settings[f"{TOOLS}.get_token"], settings[f"{TOOLS}.secrets"]) == ("read", "read")


def test_pulumi_parses_the_path_of_a_secret_as_this_program_does(
    root: Path, dyber: Dyber, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = []
    monkeypatch.setattr(config_secrets, "store", lambda stack, root, key, value: stored.append((key, value)))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False, read=lambda: "a-long-password-of-tests"))
    dyber("set", "cache.password", "--secret")
    assert stored == [("cache.password", "a-long-password-of-tests")]
