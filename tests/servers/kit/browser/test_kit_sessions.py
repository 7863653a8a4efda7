"""Tests of sessions on the data volume, and of cookies in exported forms."""

from __future__ import annotations

import io
import json
import stat

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.cookies.imports import MAX_IMPORT_CHARS, import_cookies
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.session_command import manage_sessions
from dyber_kit.browser.sessions import SessionStore
from dyber_kit.browser.walls import Walls

STATE = {"cookies": [{"name": "web_session", "value": "SECRET", "domain": ".site.test"}], "origins": []}
COOKIE = {"name": "web_session", "value": "SECRET", "domain": ".site.test", "path": "/"}
PLATFORM = Platform("inn", Walls("Inn"), domains=("site.test",), login_cookie="web_session")


class InnSettings(PlatformSettings):
    PREFIX = "INN"


@pytest.fixture
def store(tmp_path) -> SessionStore:
    return SessionStore(tmp_path / "data")


def test_a_stored_session_is_read_back_and_readable_by_its_owner_only(store):
    store.write(STATE)
    assert store.read() == STATE
    assert stat.S_IMODE(store.path().stat().st_mode) == 0o600


def test_accounts_have_separate_sessions_and_are_listed_by_name(store):
    store.write(STATE)
    store.write({"cookies": []}, "work-2")
    assert store.accounts() == ["default", "work-2"]
    assert store.read("work-2") == {"cookies": []}


def test_only_names_of_cookies_are_listed(store):
    store.write(STATE)
    assert store.cookie_names() == ["web_session"]


def test_a_missing_session_is_none(store):
    assert (store.read(), store.stamp(), store.accounts(), store.cookie_names()) == (None, None, [], [])


def test_a_deleted_session_is_gone(store):
    store.write(STATE)
    assert (store.delete(), store.delete(), store.read()) == (True, False, None)


def test_the_stamp_changes_with_the_session(store):
    store.write(STATE)
    before = store.stamp()
    store.write({"cookies": []})
    assert store.stamp() != before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cookies": 1}', "\udcff"])
def test_a_damaged_session_is_renamed_and_logged_and_a_new_login_is_possible(store, content, caplog):
    store.write(STATE)
    damaged = content.encode("utf-8", "surrogateescape")
    store.path().write_bytes(damaged)
    assert store.read() is None
    assert store.accounts() == []
    assert store.stamp() is None
    assert "storage_state.json.damaged" in [record.file for record in caplog.records]
    assert store.path().with_name("storage_state.json.damaged").read_bytes() == damaged
    store.write(STATE)
    assert store.read() == STATE


def test_the_error_for_a_session_that_cannot_be_read_or_renamed_names_the_file(store):
    store.path().mkdir(parents=True)
    store.path().with_name("storage_state.json.damaged").write_text("in the way")
    with pytest.raises(ServiceError) as caught:
        store.read()
    assert caught.value.code is ErrorCode.LOGIN_REQUIRED
    assert "storage_state.json" in caught.value.next_step


@pytest.mark.parametrize("account", ["", "../x", "a/b", "a" * 41, ".hidden", "中文"])
def test_an_invalid_account_name_is_refused(store, account):
    with pytest.raises(ServiceError, match="账号名无效"):
        store.read(account)


def import_text(text: object, *domains: str) -> dict:
    text = text if isinstance(text, str) else json.dumps(text)
    return import_cookies(text, domains or ("site.test",)).state


def test_a_storage_state_is_imported():
    origin = {"origin": "https://www.site.test", "localStorage": [{"name": "a", "value": "b"}]}
    imported = import_text(
        {"cookies": [{**COOKIE, "expires": 1900000000, "sameSite": "None", "secure": True}], "origins": [origin]}
    )
    assert imported["origins"] == [origin]
    assert imported["cookies"] == [
        {**COOKIE, "expires": 1900000000.0, "httpOnly": False, "secure": True, "sameSite": "None"}
    ]


def test_an_extensions_list_is_imported():
    entry = {**COOKIE, "expirationDate": 1900000000.5, "hostOnly": False, "sameSite": "no_restriction", "storeId": "0"}
    cookie = import_text([entry])["cookies"][0]
    assert (cookie["expires"], cookie["sameSite"], cookie["secure"]) == (1900000000.5, "Lax", False)


def test_a_session_cookie_without_expiry_is_imported():
    assert import_text([{**COOKIE, "session": True, "sameSite": None}])["cookies"][0]["expires"] == -1


@pytest.mark.parametrize("text", ["a=1; b=x=y==; c=", "Cookie: a=1; b=x=y==; c=;", "a=1\nb=x=y==\nc="])
def test_a_header_is_imported(text):
    cookies = import_text(text)["cookies"]
    assert [(c["name"], c["value"], c["domain"]) for c in cookies] == [
        ("a", "1", ".site.test"), ("b", "x=y==", ".site.test"), ("c", "", ".site.test"),
    ]  # fmt: skip


def test_cookies_of_other_sites_are_dropped():
    others = [{**COOKIE, "domain": domain} for domain in (".bank.test", "evilsite.test", "site.test.evil.test")]
    assert [
        cookie["domain"] for cookie in import_text([*others, COOKIE, {**COOKIE, "domain": "www.site.test"}])["cookies"]
    ] == [
        ".site.test",
        "www.site.test",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "没有内容"),
        ("x" * (MAX_IMPORT_CHARS + 1), f"超过 {MAX_IMPORT_CHARS}"),
        ('{"cookies": [', "JSON 在第 1 行"),
        ("{}", "没有 cookies 列表"),
        ("[1]", "第 1 个 Cookie 不是"),
        ('[{"value": "SECRET"}]', "第 1 个 Cookie 的 name"),
        ('[{"name": "a", "value": "SECRET;x", "domain": "site.test"}]', "Cookie a 的 value"),
        ('[{"name": "a", "value": "SECRET"}]', "Cookie a 没有 domain"),
        ("a=1; SECRET", "第 2 段不是"),
        (
            '[{"name": "a", "value": "SECRET", "domain": "bank.test"}]',
            "没有 site.test 的 Cookie（找到的网站：bank.test）",
        ),
        ("[]", "找到的网站：无"),
    ],
)
def test_the_error_for_an_import_gives_the_reason_without_any_value(text, reason):
    with pytest.raises(ServiceError) as caught:
        import_text(text)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    assert reason in caught.value.message
    assert "SECRET" not in caught.value.text


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("zh", "账号 default：没有会话\n账号 default：已从Cookie 请求标头导入 web_session\n账号 default：已删除会话\n"),
        (
            "en",
            "Account default: there is no session\nAccount default: imported web_session (form: a Cookie request header)"
            "\nAccount default: the session was deleted\n",
        ),
    ],
)
def test_the_command_line_is_in_the_language_of_its_setting(tmp_path, monkeypatch, capsys, language, shown):
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    monkeypatch.setenv("DYBER_LANGUAGE", language)
    settings = InnSettings(base_url="https://site.test")
    for action in ("show", "import", "delete"):
        monkeypatch.setattr("sys.stdin", io.StringIO("Cookie: web_session=secret"))
        assert manage_sessions(PLATFORM, lambda _: settings, "inn_server.session", [action]) == 0
    assert capsys.readouterr().out == shown
