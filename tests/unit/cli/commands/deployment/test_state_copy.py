"""Copies of a state have no secrets, and two previews on a copy are compared; both without Pulumi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from cli.commands.deployment import plan
from cli.deployment.state.without_secrets import IS_SECRET, SIGNATURE, without_secrets
from cli.previews import copy_preview
from cli.previews.copy_preview import Failed, compared, isolated
from cli.previews.model import UNKNOWN, steps
from cli.system.errors import StackError

TOKEN = "correct-horse-battery-staple"
URN = "urn:pulumi:prod::dyber::docker:index/container:Container::"


def secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: IS_SECRET, "plaintext": json.dumps(value)}


def deployment(**outputs: Any) -> dict[str, Any]:
    return {
        "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:abc="}},
        "pending_operations": [{"type": "creating"}],
        "resources": [{"urn": URN + "a", "outputs": outputs}],
    }


def copied(**outputs: Any) -> dict[str, Any]:
    content = without_secrets(deployment(**outputs))
    assert set(content) == {"resources"}
    return dict(content["resources"][0]["outputs"])


def test_a_secret_keeps_its_form_and_nothing_else() -> None:
    value = {"tokens": [TOKEN, ""], "count": 7, "on": True, "none": None}
    result = copied(all=secret(value))["all"]
    assert result[SIGNATURE] == IS_SECRET
    plaintext = json.loads(result["plaintext"])
    assert plaintext["tokens"][0].startswith("placeholder-") and plaintext["tokens"][1] == ""
    assert (plaintext["count"], plaintext["on"], plaintext["none"]) == (0, False, None)


def test_the_same_secret_is_the_same_placeholder_within_a_copy_and_another_one_in_the_next() -> None:
    first, second = (copied(a=secret(TOKEN), b=secret({"x": TOKEN}), c=secret("another")) for _ in range(2))
    a, b, c = (json.loads(first[name]["plaintext"]) for name in "abc")
    assert a == b["x"] != c
    assert json.loads(second["a"]["plaintext"]) != a


def test_a_secret_that_is_also_in_clear_somewhere_is_replaced_there() -> None:
    result = copied(token=secret(TOKEN), log=f"Authorization: {TOKEN}!", urls=[{"of": TOKEN}])
    plaintext = json.loads(result["token"]["plaintext"])
    assert result["log"] == f"Authorization: {plaintext}!"
    assert result["urls"] == [{"of": plaintext}]
    assert TOKEN not in json.dumps(result)


def test_a_word_that_is_a_secret_by_chance_is_left_in_other_texts() -> None:
    assert copied(level=secret("debug"), text="debug and more")["text"] == "debug and more"


def test_a_secret_that_was_not_decrypted_stops_it() -> None:
    with pytest.raises(StackError):
        copied(a={SIGNATURE: IS_SECRET, "ciphertext": "v1:abc="})


def step(op: str, name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    states = {"oldState": old and {"inputs": old}, "newState": new and {"inputs": new}}
    return {"op": op, "urn": URN + name, **{key: value for key, value in states.items() if value}, **more}


def plaintext(base: list[dict[str, Any]], head: list[dict[str, Any]]) -> dict[str, str]:
    return {step.name: step.op for step in steps(compared({"steps": base}, {"steps": head}))}


def test_changes_that_both_previews_have_are_left_out() -> None:
    noise = step("update", "gateway", {"hash": "deployed"}, {"hash": "of placeholders"}, diffReasons=["hash"])
    assert plaintext([noise], [noise]) == {}


def test_a_change_is_compared_with_what_the_base_would_make() -> None:
    base = step("update", "gateway", {"hash": "deployed", "cpus": 1}, {"hash": "x", "cpus": 1}, diffReasons=["hash"])
    head = step("update", "gateway", {"hash": "deployed", "cpus": 1}, {"hash": "x", "cpus": 2},
                diffReasons=["hash", "cpus"])  # fmt: skip
    (result,) = steps(compared({"steps": [base]}, {"steps": [head]}))
    assert (result.old["cpus"], result.new["cpus"], list(result.reasons)) == (1, 2, ["cpus"])


def test_a_changed_secret_is_reported_without_its_value() -> None:
    base, head = (
        step("update", "gateway", {"a": 1}, {"a": secret(text)}, diffReasons=["a"]) for text in ("old", "new")
    )
    document = compared({"steps": [base]}, {"steps": [head]})
    assert [step.name for step in steps(document)] == ["gateway"]
    assert "plaintext" not in json.dumps(document)


def test_new_and_deleted_resources_are_reported() -> None:
    unchanged = step("same", "unchanged", {"a": 1}, {"a": 1})
    base = [unchanged, step("same", "gone", {"a": 1}, {"a": 1})]
    head = [unchanged, step("delete", "gone", {"a": 1}, None), step("create", "new", None, {"a": UNKNOWN})]
    assert plaintext(base, head) == {"gone": "delete", "new": "create"}


def test_another_operation_with_the_same_inputs_is_reported() -> None:
    base = step("update", "a", {"x": 1}, {"x": 2})
    head = [step(op, "a", {"x": 1}, {"x": 2}) for op in ("create-replacement", "replace", "delete-replaced")]
    assert plaintext([base], head) == {"a": "replace"}


def test_random_names_of_new_resources_are_no_difference() -> None:
    def previews(suffix: str) -> list[dict[str, Any]]:
        name = f"dyber-prod-network-{suffix}"
        network = step("create", "network", None, {"name": name, "__defaults": ["name"]})
        return [network, step("create", "server", None, {"network": name, "cpus": 1})]

    assert plaintext(previews("0a1b2c"), previews("ffffff")) == {}


def test_the_program_gets_no_credential(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin", "HOME": "/root", "PULUMI_HOME": "/p", "PULUMI_BACKEND_URL": "s3://states",
        "PULUMI_CONFIG_PASSPHRASE_FILE": "/secret", "PULUMI_ACCESS_TOKEN": "x", "AWS_ROLE_ARN": "x", "PGPASSWORD": "x",
        "VAULT_TOKEN": "x", "AZURE_CLIENT_SECRET": "x", "GOOGLE_CREDENTIALS": "x", "GH_TOKEN": "x", "GITHUB_TOKEN": "x",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x", "ACTIONS_RUNTIME_TOKEN": "x", "DYBER_SECRETS_PROVIDER": "awskms://x",
    }  # fmt: skip
    kept = isolated(given, tmp_path / "state")
    assert "x" not in kept.values() and "/secret" not in kept.values() and "awskms://x" not in kept.values()
    assert kept["PULUMI_BACKEND_URL"] == f"file://{tmp_path / 'state'}"
    assert (kept["PATH"], kept["PULUMI_HOME"]) == ("/bin", "/p")


def test_a_failed_preview_is_reported_with_its_own_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object) -> None:
        raise Failed({"diagnostics": [{"message": "no such setting"}]}, "error: update failed")

    monkeypatch.setattr(copy_preview, "preview", fail)
    result = plan._preview_on_a_copy("prod", tmp_path / "prod.json", "HEAD")
    assert result.preview is None and "no such setting" in result.error


def test_without_a_copy_the_comment_says_how_one_is_made(tmp_path: Path) -> None:
    result = plan._preview_on_a_copy("prod", tmp_path / "prod.json", "HEAD")
    assert "./deploy.sh state-copy -s prod" in result.error


def test_copies_without_a_base_are_refused() -> None:
    command = typer.main.get_command(app)
    with pytest.raises(typer.BadParameter, match="--base"):
        command.main(["plan", "-s", "prod", "--state-copies", "x"], standalone_mode=False)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff", b"[]", b'{"version": 3}'])
def test_a_damaged_copy_is_refused_with_the_command_that_makes_it_anew(tmp_path: Path, content: bytes) -> None:
    copy = tmp_path / "prod.json"
    copy.write_bytes(content)
    with pytest.raises(StackError) as refused:
        copy_preview.preview(tmp_path, "prod", copy, "main")
    assert str(copy) in refused.value.message and "./deploy.sh state-copy -s prod" in refused.value.next_step


def test_what_the_hub_lists_is_known_without_the_stacks_secrets() -> None:
    text = (
        "config:\n  dyber:hub: {enabled: true}\n  dyber:cache:\n    password:\n      secure: v1:abc:" + "d" * 200 + "\n"
    )
    (whole,) = plan._lists_of("test", text)
    assert (whole.address, whole.client) == ("/mcp", "desktop-pet")
    assert any(tool.exposed == "xhs_search_notes" for tool in whole.tools)
