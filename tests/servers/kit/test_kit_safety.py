"""Tests of secrets, private files, privacy mode and confirmations of writes."""

from __future__ import annotations

import os
import stat

import pytest
from dyber_kit import ErrorCode, ServiceError, Settings, environment_secret
from dyber_kit.errors import KINDS
from dyber_kit.files import set_aside, write_private
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.writes import confirm as confirm_module
from dyber_kit.writes.confirm import MAX_TOKEN_CHARS, Confirmations

from tests.support.patching import replace_in_this_thread


def test_a_secret_comes_from_its_file(tmp_path, monkeypatch):
    (tmp_path / "password").write_text("s3cret\n")
    monkeypatch.setenv("X_PASSWORD_FILE", str(tmp_path / "password"))
    assert environment_secret("X_PASSWORD") == "s3cret"


def test_a_secret_comes_from_its_variable(monkeypatch):
    monkeypatch.setenv("X_PASSWORD", "s3cret")
    assert environment_secret("X_PASSWORD") == "s3cret"


def test_a_secret_that_is_not_set_is_none():
    assert environment_secret("X_PASSWORD") is None


@pytest.mark.parametrize("content", [None, "", " \n", b"\xff\xfe"])
def test_the_error_for_an_unusable_secret_file_names_it(tmp_path, monkeypatch, content):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("X_PASSWORD_FILE", str(file))
    with pytest.raises(ValueError, match=f"X_PASSWORD_FILE.*{file}"):
        environment_secret("X_PASSWORD")


def test_a_secret_set_twice_is_refused_without_showing_it(tmp_path, monkeypatch):
    monkeypatch.setenv("X_PASSWORD", "s3cret")
    monkeypatch.setenv("X_PASSWORD_FILE", str(tmp_path / "x"))
    with pytest.raises(ValueError, match="X_PASSWORD_FILE") as caught:
        environment_secret("X_PASSWORD")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("variable", ["DYBER_READ_ONLY", "DYBER_PRIVACY", "MAX_ANSWER_CHARS"])
def test_the_error_for_an_invalid_setting_names_its_variable(variable, monkeypatch):
    monkeypatch.setenv(variable, "nonsense")
    with pytest.raises(ValueError, match=variable):
        Settings.from_environment()


def test_a_service_is_read_only_by_default(monkeypatch):
    assert Settings.from_environment().read_only is True
    monkeypatch.setenv("DYBER_READ_ONLY", "false")
    assert Settings.from_environment().read_only is False


def test_a_private_file_is_replaced_atomically_and_readable_by_its_owner_only(tmp_path):
    file = tmp_path / "new" / "state.json"
    write_private(file, b"one")
    write_private(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_private_file_survives_a_failed_replacement(tmp_path, monkeypatch):
    file = tmp_path / "state.json"
    write_private(file, b"one")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    replace_in_this_thread(monkeypatch, os, "fsync", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_private(file, b"two")
    assert file.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [file]


def test_a_damaged_file_is_kept_under_another_name(tmp_path):
    file = tmp_path / "state.json"
    file.write_text("{")
    kept = set_aside(file)
    assert (file.exists(), kept.read_text(), kept.name) == (False, "{", "state.json.damaged")
    assert set_aside(file) is None


def test_privacy_mode_hides_users_but_keeps_them_distinguishable(tmp_path):
    privacy = Privacy.create(True, tmp_path)
    assert privacy.user_id("5f1a") == privacy.user_id("5f1a") != privacy.user_id("5f1b")
    assert "5f1a" not in privacy.user_id("5f1a")
    assert privacy.nickname("小红薯") == "小**"
    assert (privacy.user_id(None), privacy.nickname(None)) == (None, None)


def test_hashed_ids_stay_the_same_after_a_restart_and_differ_between_installations(tmp_path):
    first = Privacy.create(True, tmp_path / "a").user_id("5f1a")
    assert Privacy.create(True, tmp_path / "a").user_id("5f1a") == first
    assert Privacy.create(True, tmp_path / "b").user_id("5f1a") != first


def test_without_privacy_mode_nothing_is_hidden(tmp_path):
    privacy = Privacy.create(False, tmp_path)
    assert (privacy.user_id("5f1a"), privacy.nickname("小红薯")) == ("5f1a", "小红薯")
    assert not list(tmp_path.iterdir())


CALL = {"note": "abc", "text": "好"}


def refused(confirmations: Confirmations, token: str, tool: str = "x_comment", call: dict | None = None) -> str:
    with pytest.raises(ServiceError) as caught:
        confirmations.redeem(token, tool, call or CALL)
    assert caught.value.code is ErrorCode.CONFIRMATION_REQUIRED
    return caught.value.message


def test_a_confirmed_call_is_accepted_once():
    confirmations = Confirmations()
    token = confirmations.issue("x_comment", CALL)
    assert len(token) <= MAX_TOKEN_CHARS
    confirmations.redeem(token, "x_comment", {"text": "好", "note": "abc"})
    assert refused(confirmations, token) == "确认码已经用过"


def test_a_token_is_valid_only_for_its_own_call():
    confirmations = Confirmations()
    token = confirmations.issue("x_comment", CALL)
    assert "参数已改变" in refused(confirmations, token, call={**CALL, "text": "坏"})
    assert "参数已改变" in refused(confirmations, token, tool="x_like")
    assert "参数已改变" in refused(Confirmations(), token)
    confirmations.redeem(token, "x_comment", CALL)


def test_a_token_expires(monkeypatch):
    confirmations = Confirmations(valid_seconds=60)
    token = confirmations.issue("x_comment", CALL)
    later = confirm_module.time.time() + 61
    replace_in_this_thread(monkeypatch, confirm_module.time, "time", lambda: later)
    assert refused(confirmations, token) == "确认码已过期"


def test_a_checked_token_is_used_up_only_when_it_is_spent():
    confirmations = Confirmations()
    token = confirmations.issue("x_comment", CALL)
    first, second = (confirmations.check(token, "x_comment", CALL) for _ in range(2))
    first.spend()
    with pytest.raises(ServiceError, match="已经用过") as caught:
        second.spend()
    assert "可能已经生效" in caught.value.next_step
    assert refused(confirmations, token) == "确认码已经用过"


def test_a_permit_stays_valid_after_its_token_expires_and_can_be_spent_once(monkeypatch):
    confirmations = Confirmations(valid_seconds=60)
    token = confirmations.issue("x_comment", CALL)
    first, second = (confirmations.check(token, "x_comment", CALL) for _ in range(2))
    later = confirm_module.time.time() + 61
    replace_in_this_thread(monkeypatch, confirm_module.time, "time", lambda: later)
    first.spend()
    with pytest.raises(ServiceError, match="已经用过"):
        second.spend()


def test_an_unknown_outcome_is_not_retryable():
    kind = KINDS[ErrorCode.OUTCOME_UNKNOWN]
    assert kind.retryable is False
    assert [code for code, other in KINDS.items() if other.status == kind.status] == [ErrorCode.OUTCOME_UNKNOWN]
    assert "可能已经生效" in kind.message
    assert "查看" in kind.next_step


def test_the_required_confirmation_says_that_dry_run_must_become_false():
    assert "dry_run 改为 false" in KINDS[ErrorCode.CONFIRMATION_REQUIRED].next_step


@pytest.mark.parametrize("token", ["", "x", "汉字", "A" * 44, "=" * 10])
def test_a_text_that_is_not_a_token_is_refused(token):
    refused(Confirmations(), token)
