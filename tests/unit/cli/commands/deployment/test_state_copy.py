"""A state without its secrets, and what two previews on it differ in: decided without Pulumi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from cli.commands.deployment import plan
from cli.deployment.state_without_secrets import IS_SECRET, SIGNATURE, without_secrets
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
    found = copied(all=secret(value))["all"]
    assert found[SIGNATURE] == IS_SECRET
    told = json.loads(found["plaintext"])
    assert told["tokens"][0].startswith("placeholder-") and told["tokens"][1] == ""
    assert (told["count"], told["on"], told["none"]) == (0, False, None)


def test_the_same_secret_is_the_same_placeholder_within_a_copy_and_another_one_in_the_next() -> None:
    first, second = (copied(a=secret(TOKEN), b=secret({"x": TOKEN}), c=secret("another")) for _ in range(2))
    a, b, c = (json.loads(first[name]["plaintext"]) for name in "abc")
    assert a == b["x"] != c
    assert json.loads(second["a"]["plaintext"]) != a


def test_a_secret_that_is_also_in_clear_somewhere_is_replaced_there() -> None:
    found = copied(token=secret(TOKEN), log=f"Authorization: {TOKEN}!", urls=[{"of": TOKEN}])
    told = json.loads(found["token"]["plaintext"])
    assert found["log"] == f"Authorization: {told}!"
    assert found["urls"] == [{"of": told}]
    assert TOKEN not in json.dumps(found)


def test_a_word_that_is_a_secret_by_chance_is_left_in_other_texts() -> None:
    assert copied(level=secret("debug"), text="debug and more")["text"] == "debug and more"


def test_a_secret_that_was_not_decrypted_stops_it() -> None:
    with pytest.raises(StackError):
        copied(a={SIGNATURE: IS_SECRET, "ciphertext": "v1:abc="})


def step(op: str, name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    states = {"oldState": old and {"inputs": old}, "newState": new and {"inputs": new}}
    return {"op": op, "urn": URN + name, **{key: value for key, value in states.items() if value}, **more}


def told(base: list[dict[str, Any]], head: list[dict[str, Any]]) -> dict[str, str]:
    return {one.name: one.op for one in steps(compared({"steps": base}, {"steps": head}))}


def test_what_both_previews_say_is_not_told() -> None:
    noise = step("update", "gateway", {"hash": "deployed"}, {"hash": "of placeholders"}, diffReasons=["hash"])
    assert told([noise], [noise]) == {}


def test_a_change_is_compared_with_what_the_base_would_make() -> None:
    base = step("update", "gateway", {"hash": "deployed", "cpus": 1}, {"hash": "x", "cpus": 1}, diffReasons=["hash"])
    head = step("update", "gateway", {"hash": "deployed", "cpus": 1}, {"hash": "x", "cpus": 2},
                diffReasons=["hash", "cpus"])  # fmt: skip
    (found,) = steps(compared({"steps": [base]}, {"steps": [head]}))
    assert (found.old["cpus"], found.new["cpus"], list(found.reasons)) == (1, 2, ["cpus"])


def test_a_secret_that_changes_is_told_without_its_value() -> None:
    base, head = (
        step("update", "gateway", {"a": 1}, {"a": secret(text)}, diffReasons=["a"]) for text in ("old", "new")
    )
    document = compared({"steps": [base]}, {"steps": [head]})
    assert [one.name for one in steps(document)] == ["gateway"]
    assert "plaintext" not in json.dumps(document)


def test_what_is_new_or_gone_is_told() -> None:
    kept = step("same", "kept", {"a": 1}, {"a": 1})
    base = [kept, step("same", "gone", {"a": 1}, {"a": 1})]
    head = [kept, step("delete", "gone", {"a": 1}, None), step("create", "new", None, {"a": UNKNOWN})]
    assert told(base, head) == {"gone": "delete", "new": "create"}


def test_another_operation_with_the_same_inputs_is_told() -> None:
    base = step("update", "a", {"x": 1}, {"x": 2})
    head = [step(op, "a", {"x": 1}, {"x": 2}) for op in ("create-replacement", "replace", "delete-replaced")]
    assert told([base], head) == {"a": "replace"}


def test_random_names_of_new_resources_are_no_difference() -> None:
    def previews(suffix: str) -> list[dict[str, Any]]:
        name = f"dyber-prod-network-{suffix}"
        network = step("create", "network", None, {"name": name, "__defaults": ["name"]})
        return [network, step("create", "server", None, {"network": name, "cpus": 1})]

    assert told(previews("0a1b2c"), previews("ffffff")) == {}


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


def test_a_preview_that_fails_is_told_in_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object) -> None:
        raise Failed({"diagnostics": [{"message": "no such setting"}]}, "error: update failed")

    monkeypatch.setattr(copy_preview, "preview", fail)
    found = plan._preview_on_a_copy("prod", tmp_path / "prod.json", "HEAD")
    assert found.preview is None and "no such setting" in found.error


def test_without_a_copy_the_comment_says_how_one_is_made(tmp_path: Path) -> None:
    found = plan._preview_on_a_copy("prod", tmp_path / "prod.json", "HEAD")
    assert "./deploy.sh state-copy -s prod" in found.error


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
