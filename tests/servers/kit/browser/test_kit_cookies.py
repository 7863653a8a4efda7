"""Tests of cookie imports: every known form is read, and errors say what to paste instead of another form."""

from __future__ import annotations

import json
import math

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.cookies.imports import CookieImport, expiry_seconds, import_cookies
from dyber_kit.language import using_language
from playwright.async_api import async_playwright

DOMAIN = "site.test"
IN_A_YEAR = 1_830_000_000
NETSCAPE = (
    "# Netscape HTTP Cookie File\n# https://example.test/\n\n"
    f"#HttpOnly_.{DOMAIN}\tTRUE\t/\tTRUE\t{IN_A_YEAR}\tweb_session\tsecret-s\n"
    f"www.{DOMAIN}\tFALSE\t/\tFALSE\t0\ta1\tsecret-a\n"
    "odd line\n.bank.test\tTRUE\t/\tTRUE\t0\tSID\tsecret-b\n"
)
BASH = (
    f"curl 'https://www.{DOMAIN}/api/x?y=1' \\\n  -X POST \\\n  -H 'accept: */*' \\\n"
    "  -H $'cookie: a1=secret-a; web_session=secret-s\\u0021' \\\n  --data-raw '{\"cookie\":\"no\"}' \\\n  --compressed"
)
COOKIE_OPTION = f"curl https://www.{DOMAIN}/ -b 'a1=secret-a; web_session=secret-s'"
WINDOWS = (
    f'curl ^"https://www.{DOMAIN}/api^" ^\n  -H ^"accept: */*^" ^\n'
    '  -H ^"Cookie: a1=secret-a; web_session=secret-s^%^21^" ^\n  --compressed'
)
SET_COOKIE = (
    f"HTTP/1.1 200 OK\nSet-Cookie: web_session=secret-s; Path=/; Domain={DOMAIN}; Max-Age=86400; HttpOnly; Secure\n"
    "set-cookie: a1=secret-a; expires=Thu, 01 Jan 2032 00:00:00 GMT\nSet-Cookie: gone=1; Max-Age=0\n"
)
HEADERS = "GET /explore HTTP/1.1\nHost: www.site.test\nCookie: a1=secret-a; web_session=secret-s\nAccept: */*"
HEADER_LINES = "accept\n*/*\ncookie\na1=secret-a; web_session=secret-s\nuser-agent\nx"


def import_text(text: object) -> CookieImport:
    text = text if isinstance(text, str) else json.dumps(text)
    return import_cookies(text, [DOMAIN, "other.test"], "web_session")


def import_error(text: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        import_text(text)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    assert "secret" not in caught.value.text
    return caught.value


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (NETSCAPE, "cookies.txt"),
        (NETSCAPE.replace("\t", " ").replace("\n", "\r\n"), "cookies.txt"),
        ({"a1": "secret-a", "web_session": "secret-s"}, '{"名": 值}'),
        ({"cookies": {"a1": "secret-a", "web_session": "secret-s"}}, '{"名": 值}'),
        (BASH, "cURL"),
        (COOKIE_OPTION, "cURL"),
        (WINDOWS, "cURL"),
        (SET_COOKIE, "Set-Cookie"),
        (HEADERS, "Cookie 请求标头"),
        (HEADER_LINES, "Cookie 请求标头"),
        ("\ufeffCookie: a1=secret-a; web_session=secret-s\r\n", "Cookie 请求标头"),
        ("a1=secret-a\nweb_session=secret-s", "名=值"),
    ],
)
def test_every_form_gives_the_same_cookies(text, form):
    imported = import_text(text)
    assert sorted(cookie["name"] for cookie in imported.state["cookies"]) == ["a1", "web_session"]
    assert all(cookie["domain"].endswith(DOMAIN) for cookie in imported.state["cookies"])
    assert form in str(imported.form)
    assert (imported.logged_in, imported.warnings) == (True, [])


def cookie(text: object, name: str = "web_session") -> dict:
    return next(each for each in import_text(text).state["cookies"] if each["name"] == name)


def test_a_cookies_txt_keeps_the_attributes_of_each_cookie():
    assert cookie(NETSCAPE) == {
        "name": "web_session", "value": "secret-s", "domain": f".{DOMAIN}", "path": "/", "expires": IN_A_YEAR,
        "httpOnly": True, "secure": True, "sameSite": "Lax",
    }  # fmt: skip
    assert (cookie(NETSCAPE, "a1")["domain"], cookie(NETSCAPE, "a1")["expires"]) == (f"www.{DOMAIN}", -1)


def test_a_command_is_unquoted_as_its_shell_would_do():
    assert cookie(BASH)["value"] == "secret-s!"
    assert cookie(WINDOWS)["value"] == "secret-s%21"


def test_a_set_cookie_line_keeps_its_attributes():
    imported = cookie(SET_COOKIE)
    assert (imported["domain"], imported["httpOnly"], imported["secure"]) == (f".{DOMAIN}", True, True)
    assert cookie(SET_COOKIE, "a1")["expires"] == 1_956_528_000


@pytest.mark.parametrize(
    ("text", "recognised", "instead"),
    [
        ("curl 'https://example.test/' -H 'cookie: web_session=secret'", "发给 example.test 的 cURL", DOMAIN),
        (f"curl 'https://www.{DOMAIN}/' -H 'accept: */*'", "没有 cookie 标头", DOMAIN),
        (f"curl https://www.{DOMAIN}/ -b jar.txt", "在一个文件里", "cookies.txt"),
        (f"curl 'https://www.{DOMAIN}/ -b 'web_session=secret'", "引号不完整", "重新"),
        ("$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession", "PowerShell", "cURL"),
        ('fetch("https://www.site.test/", {"headers": {"cookie": "web_session=secret"}})', "fetch", "cookie"),
        ({"log": {"version": "1.2", "entries": []}}, "HAR", "cookie"),
        ("<!DOCTYPE html><html>secret</html>", "网页的源代码", "cookie"),
        ("# Netscape HTTP Cookie File\n", "cookies.txt", "重新导出"),
        ({"data": {"web_session": "secret"}}, "没有 cookies 列表", "可用的格式"),
        ('{"a": "secret"', "JSON 在第 1 行", "重新"),
        ("[" * 100_000, "嵌套", "可用的格式"),
    ],
)
def test_the_error_for_an_unusable_form_says_what_to_paste_instead(text, recognised, instead):
    error = import_error(text)
    assert recognised in error.message
    assert instead in error.next_step


GOOD = {"name": "web_session", "value": "secret-s", "domain": f".{DOMAIN}", "path": "/"}


@pytest.mark.parametrize(
    "invalid_fields",
    [{"name": ""}, {"name": "a[b]"}, {"value": "x;y"}, {"value": None}, {"value": "x" * 5000}, {"expires": "soon"}],
)
def test_a_cookie_of_another_site_is_dropped_before_it_is_checked(invalid_fields):
    imported = import_text([{**GOOD, "domain": ".bank.test", **invalid_fields}, GOOD])
    assert [each["name"] for each in imported.state["cookies"]] == ["web_session"]


@pytest.mark.parametrize("invalid", [{"name": "a[b]"}, {"value": "x;y"}, {"value": "x" * 5000}])
def test_the_error_for_an_unusable_cookie_of_the_platform_names_it(invalid):
    assert "Cookie" in import_error([GOOD, {**GOOD, **invalid}]).message


def test_the_last_of_several_equal_cookies_counts():
    assert cookie([{**GOOD, "value": "old"}, GOOD])["value"] == "secret-s"


@pytest.mark.parametrize("cookies", [{"a1": "x"}, {"a1": "x", "web_session": ""}, "a1=x; webId=y"])
def test_without_the_login_cookie_a_warning_says_that_the_session_is_not_logged_in(cookies):
    imported = import_text(cookies)
    assert not imported.logged_in
    assert "没有 web_session" in str(imported.warnings[0])
    assert "不会是登录状态" in str(imported.warnings[0])


def test_a_warning_reports_an_expired_login_cookie():
    imported = import_text([{**GOOD, "expires": 1_500_000_000}])
    assert not imported.logged_in
    assert "web_session 已过期" in str(imported.warnings[0])


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [
        (1_790_000_000, 1_790_000_000), (1_790_000_000.25, 1_790_000_000.25), (1_790_000_000_000, 1_790_000_000),
        (1_790_000_000_000_000, 1_790_000_000), ("1790000000", 1_790_000_000), ("1790000000000", 1_790_000_000),
        ("2026-09-21T14:13:20Z", 1_790_000_000), ("2026-09-21T14:13:20.000Z", 1_790_000_000),
        ("Mon, 21 Sep 2026 14:13:20 GMT", 1_790_000_000), ("2026-09-21 14:13:20", 1_790_000_000),
        (0, -1), (-1, -1), (-1_790_000_000, -1), (math.nan, -1), (math.inf, -1), (-math.inf, -1), (10**400, -1),
        (True, -1), (None, -1), ("Session", -1), ("", -1), ("nan", -1), ([], -1), ({}, -1), (1e300, -1),
    ],
)  # fmt: skip
def test_an_expiry_is_seconds_or_a_session_cookie(expires, seconds):
    assert expiry_seconds(expires) == seconds


@pytest.mark.parametrize("key", ["expires", "expirationDate", "expiry", "Expires"])
def test_an_expiry_is_read_under_each_of_its_names(key):
    assert cookie([{**GOOD, key: IN_A_YEAR * 1000}])["expires"] == IN_A_YEAR


def test_cookies_with_a_prefix_get_the_attributes_that_browsers_require():
    imported = import_text([{**GOOD, "name": "__Host-x"}, {**GOOD, "name": "__Secure-x"}, GOOD]).state["cookies"]
    assert [(each["domain"], each["secure"]) for each in imported] == [
        (DOMAIN, True), (f".{DOMAIN}", True), (f".{DOMAIN}", False),
    ]  # fmt: skip


async def test_a_real_browser_accepts_every_imported_cookie(chromium):
    expiries = [(-5, "unspecified"), ("nonsense", None), (1e13, "no_restriction"), (1e300, "Strict"), (9.9e10, "none")]
    entries = [
        {**GOOD, "name": f"c{number}", "expirationDate": expires, "sameSite": same_site}
        for number, (expires, same_site) in enumerate(expiries)
    ]
    entries += [{**GOOD, "name": "__Host-x"}, {**GOOD, "value": '汉字 "'}]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        for export in (NETSCAPE, BASH, SET_COOKIE, entries):
            context = await browser.new_context(storage_state=import_text(export).state)
            assert await context.cookies()
        await browser.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The cookies cannot be imported: there is no content"),
        ("[{", "The cookies cannot be imported: The JSON is incomplete or has a fault in line 1"),
        (
            "Set-Cookie: a=secret; Domain=elsewhere.test",
            "The cookies cannot be imported: the form is Set-Cookie lines, but there are no cookies of "
            f"{DOMAIN} (sites in it: elsewhere.test)",
        ),
    ],
)
def test_an_error_is_in_the_language_of_the_request(text, message):
    with using_language("en"):
        error = import_error(text)
        assert error.message == message
        assert "Copy" in error.next_step or "Forms that can be imported" in error.next_step
