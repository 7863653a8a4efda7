"""The contract of a service is read from its lock file, and accepted only if its hash is that of its tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dyber_kit.contract import render, tools_contract

from infra.components.docker.contract_check import difference
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog, load_spec
from infra.services.contract import (
    LOCK_FILE,
    contract_text,
    listed_contract,
    load_lock,
    parse_contract,
    printed_contract,
)
from infra.settings.stack import parse_settings
from tests.servers.conformance.service import build_app

SERVERS = Path(__file__).resolve().parents[4] / "mcp-servers"
TEMPLATE = SERVERS / "template"


@pytest.fixture
def lock() -> str:
    return (TEMPLATE / LOCK_FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted(file.parent for file in SERVERS.glob(f"*/{LOCK_FILE}")), ids=lambda p: p.name)
def test_every_lock_file_has_the_hash_that_the_kit_gave_it(folder: Path) -> None:
    contract = load_lock(folder)
    assert contract is not None
    assert contract.sha256 == json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))["sha256"]


def test_a_lock_file_edited_by_hand_is_refused(lock: str) -> None:
    edited = lock.replace("原样返回文字", "读过再返回文字")
    with pytest.raises(ConfigurationError, match=r"tools\.lock\.json: sha256 = .*edited by hand"):
        parse_contract(edited, "tools.lock.json")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"sha256": "x", "tools": []}', '{"sha256": 1, "tools": {"a": 2}}']
)
def test_what_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        parse_contract(text, "tools.lock.json")


def test_prompts_and_resources_are_part_of_the_contract_that_the_kit_makes() -> None:
    text = render(tools_contract(build_app()))
    contract = parse_contract(text, "tools.lock.json")
    assert contract.sha256 == json.loads(text)["sha256"]
    assert set(contract.others) == {"prompts", "resources", "resource_templates", "completions"}
    edited = text.replace("Return one message with the arguments", "Obey the arguments")
    with pytest.raises(ConfigurationError, match="edited by hand"):
        parse_contract(edited, "tools.lock.json")


def test_a_service_with_tools_alone_has_a_contract_of_tools_alone(lock: str) -> None:
    assert parse_contract(lock, "tools.lock.json").others == {}
    assert set(json.loads(lock)) == {"service", "sha256", "tools"}


def test_the_contract_is_found_between_lines_of_log(lock: str) -> None:
    output = '{"level": "INFO", "message": "starting"}\n' + lock + "bye\n"
    assert contract_text(output) == lock
    assert printed_contract(output, "template") == load_lock(TEMPLATE)


def test_tools_as_a_client_lists_them_make_the_same_contract(lock: str) -> None:
    tools = json.loads(lock)["tools"]
    listed = [{"name": name, **{key: tool[key] for key in tool if key != "sha256"}} for name, tool in tools.items()]
    assert listed_contract(reversed(listed)).sha256 == json.loads(lock)["sha256"]


def annotated(**hints: bool) -> dict[str, object]:
    return {"name": "tool", "annotations": hints}


def test_a_tool_that_reads_but_is_another_call_each_time_is_promoted_as_such() -> None:
    once = listed_contract([annotated(readOnlyHint=True, idempotentHint=False)])
    assert (once.once_tools, once.settings["tools"]) == (("tool",), {"tool": "read-once"})
    assert once.read_only == {"tool": True}


@pytest.mark.parametrize(
    ("hints", "kind"),
    [
        ({"readOnlyHint": True, "idempotentHint": True}, "read"),
        ({"readOnlyHint": True}, "read"),
        ({"idempotentHint": True}, "write"),
        ({"idempotentHint": False}, "write"),
        ({}, "write"),
    ],
)
def test_other_tools_are_promoted_as_reading_or_writing(hints: dict[str, bool], kind: str) -> None:
    assert listed_contract([annotated(**hints)]).settings["tools"] == {"tool": kind}


def test_a_promoted_contract_says_by_name_what_a_tool_may_do() -> None:
    writing = listed_contract([{"name": "post"}, {"name": "get", "annotations": {"readOnlyHint": True}}])
    assert writing.settings == {"sha256": writing.sha256, "tools": {"post": "write", "get": "read"}}


def test_the_promoted_contract_replaces_the_lock_file_for_that_stack() -> None:
    promoted = {"sha256": "a" * 64, "tools": {"template_echo": "write"}}
    settings = parse_settings(
        "prod",
        {"dyber:profiles": '["dev"]', "dyber:services": json.dumps({"template": {"contract": promoted}})},
        environment={},
    )
    (spec,) = (spec for spec in settings.select(load_catalog(SERVERS)) if spec.name == "template")
    assert (spec.contract_sha256, spec.tools) == ("a" * 64, {"template_echo": False})


def test_a_service_without_a_lock_file_is_named_where_contracts_are_enforced(tmp_path: Path) -> None:
    folder = tmp_path / "weibo"
    (folder / "weibo_server").mkdir(parents=True)
    (folder / "weibo_server" / "__main__.py").touch()
    (folder / "service.yaml").write_text("title: 微博\nport: 8003\npackage: weibo_server\n", encoding="utf-8")
    settings = parse_settings("test", {"dyber:contracts": "enforced"}, environment={})
    with pytest.raises(ConfigurationError, match=r"mcp-servers/weibo/tools\.lock\.json: .*tools lock weibo"):
        settings.select(load_catalog(tmp_path))
    assert parse_settings("test", {}, environment={}).select(load_catalog(tmp_path))


SPEC = load_spec(TEMPLATE / "service.yaml")


def test_an_image_with_the_contracts_tools_may_be_put_in_service(lock: str) -> None:
    assert difference(SPEC, 0, lock) == ""


def test_an_image_with_other_tools_is_refused_with_what_differs(lock: str) -> None:
    content = json.loads(lock)
    content["tools"]["template_echo"]["description"] = "Send a text back, and read ~/.ssh."
    del content["tools"]["template_countdown"]
    message = difference(SPEC, 0, _rehashed(content))
    assert "The tools of service template are not those of its contract" in message
    assert "the old container keeps serving" in message
    assert "✗ template_countdown: tool removed" in message
    assert "+ Send a text back, and read ~/.ssh." in message
    assert "./deploy.sh tools lock template" in message


def test_what_an_image_says_of_its_own_hash_is_not_believed(lock: str) -> None:
    lie = lock.replace("原样返回文字", "返回文字，并读取 ~/.ssh")
    assert "did not list its tools" in difference(SPEC, 0, lie)


def test_a_pinned_stack_that_calls_a_writing_tool_read_only_is_refused(lock: str) -> None:
    promoted = SPEC.model_copy(update={"tools": {**SPEC.tools, "template_echo": False}})
    assert "are not those of its contract" in difference(promoted, 0, lock)


def test_a_promoted_contract_that_the_lock_file_no_longer_has_is_told_by_names(lock: str) -> None:
    promoted = SPEC.model_copy(update={"contract_sha256": "b" * 64, "tools": {"template_echo": True, "gone": True}})
    message = difference(promoted, 0, lock)
    assert "gone: read → -" in message and "template_countdown: - → read" in message


def test_an_image_that_cannot_tell_its_tools_is_refused_in_its_own_words() -> None:
    message = difference(SPEC, 1, "Traceback …\nModuleNotFoundError: No module named 'x'\n")
    assert "exit code 1" in message and "No module named 'x'" in message


def _rehashed(content: dict) -> str:
    listed = [{"name": name, **tool} for name, tool in content["tools"].items()]
    for tool in listed:
        tool.pop("sha256")
    return json.dumps({**content, "sha256": listed_contract(listed).sha256}, indent=2)


@pytest.mark.parametrize("kind", ["read", "read-once"])
def test_a_promoted_tool_is_not_sent_again_where_the_contract_or_the_lock_file_says_so(kind: str) -> None:
    catalog = load_catalog(SERVERS)
    (name,) = catalog["xiaohongshu"].once_tools
    promoted = {"sha256": "0" * 64, "tools": {name: kind, "xhs_search_notes": "read-once"}}
    settings = parse_settings("test", {"dyber:services": json.dumps({"xiaohongshu": {"contract": promoted}})}, {})
    (spec,) = [spec for spec in settings.select(catalog) if spec.name == "xiaohongshu"]
    assert sorted(spec.once_tools) == sorted([name, "xhs_search_notes"])
    assert spec.tools == {name: True, "xhs_search_notes": True}
