"""Lets in nobody but the administrator, and gives nothing away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from dyber_console.identity.sessions import COOKIE

from tests.console.support.gateway import TOKEN, StandInGateway
from tests.console.support.running import HASH, PASSWORD, RunningConsole, console_on, wait_until

PAGES = (
    "/console/",
    "/console/calls",
    "/console/services/notes",
    "/console/tools",
    "/console/clients",
    "/console/changes",
)
FORMS = (
    "/console/logout",
    "/console/services/notes/login",
    "/console/services/notes/tools/notes_search",
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder: Path = tmp_path_factory.mktemp("security")
    with console_on(folder, StandInGateway()) as running:
        wait_until(lambda: running.console.logins.login_tools("notes"), "the tools were listed", 60)
        yield running


def client(target: RunningConsole) -> httpx2.Client:
    return httpx2.Client(base_url=target.base, headers={"Origin": target.base}, timeout=30)


def sign_in(
    opened: httpx2.Client, password: str = PASSWORD, address: str = "10.0.0.1", **fields: str
) -> httpx2.Response:
    data = {"password": password, **fields}
    return opened.post("/console/login", data=data, headers={"X-Forwarded-For": address})


@pytest.fixture
def signed_in(target: RunningConsole) -> Iterator[httpx2.Client]:
    with client(target) as opened:
        answer = sign_in(opened)
        assert answer.status_code == 303, answer.text
        # The cookie is for HTTPS and this machine, which browsers know and this client does not.
        value = re.search(f"{COOKIE}=([^;]+)", answer.headers["set-cookie"])
        assert value is not None
        opened.headers["Cookie"] = f"{COOKIE}={value[1]}"
        yield opened


def csrf(opened: httpx2.Client) -> str:
    found = re.search('name="csrf" value="([^"]+)"', opened.get("/console/").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_to_the_login_and_back(target: RunningConsole, path: str) -> None:
    with client(target) as opened:
        answer = opened.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/login")


def test_scripts_and_streams_get_no_page_without_a_session(target: RunningConsole) -> None:
    with client(target) as opened:
        answer = opened.get("/console/calls", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/console/login?next=/console/calls")
        assert opened.get("/console/events").status_code == 303


def test_neither_a_clients_token_nor_another_cookie_opens_a_page(target: RunningConsole) -> None:
    with client(target) as opened:
        for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"Cookie": f"{COOKIE}=guessed"}, {"Cookie": "a=b"}):
            assert opened.get("/console/", headers=headers).status_code == 303
        assert sign_in(opened, TOKEN, "10.0.0.9").status_code == 403


def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(target: RunningConsole) -> None:
    with client(target) as opened:
        first = sign_in(opened).headers["set-cookie"]
        kept = sign_in(opened, keep="1").headers["set-cookie"]
    assert first.startswith(f"{COOKIE}=") and COOKIE.startswith("__Host-")
    for attribute in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert attribute.lower() in first.lower()
    assert "domain" not in first.lower()
    assert "max-age" not in first.lower() and "max-age=2592000" in kept.lower()
    assert first.split(";")[0] != kept.split(";")[0]


def test_every_answer_has_the_headers(target: RunningConsole, signed_in: httpx2.Client) -> None:
    for path in (
        "/console/login",
        "/console/",
        "/console/calls/nothing",
        "/console/static/nothing",
        "/console/nothing",
    ):
        headers = signed_in.get(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        if not path.startswith("/console/static/"):
            assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io"])
def test_another_host_name_is_refused(target: RunningConsole, host: str) -> None:
    with client(target) as opened:
        assert opened.get("/console/login", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("path", [*FORMS, "/console/login", "/console/preferences"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(
    target: RunningConsole, signed_in: httpx2.Client, path: str, headers: dict[str, str]
) -> None:
    before = len(target.gateway.calls)
    answer = signed_in.post(path, data={"csrf": csrf(signed_in), "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert len(target.gateway.calls) == before


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "another", "é"])
def test_a_form_without_its_token_is_refused(
    target: RunningConsole, signed_in: httpx2.Client, path: str, token: str
) -> None:
    before = len(target.gateway.calls)
    assert signed_in.post(path, data={"csrf": token}).status_code == 403
    assert len(target.gateway.calls) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_is_served(signed_in: httpx2.Client, method: str) -> None:
    assert signed_in.request(method, "/console/").status_code == 405


def test_reading_changes_nothing(target: RunningConsole, signed_in: httpx2.Client) -> None:
    before = len(target.gateway.calls)
    for path in FORMS:
        assert signed_in.get(path).status_code in (303, 404, 405)
    assert len(target.gateway.calls) == before
    assert signed_in.get("/console/").status_code == 200


def test_a_tool_that_writes_is_never_called(target: RunningConsole, signed_in: httpx2.Client) -> None:
    data = {"csrf": csrf(signed_in), "a.text": "hello"}
    assert signed_in.post("/console/services/notes/tools/notes_publish", data=data).status_code == 403
    assert signed_in.post("/console/services/notes/tools/nothing", data=data).status_code == 403
    assert all(name != "notes_publish" for name, _ in target.gateway.calls)


def test_signing_out_ends_the_session(target: RunningConsole, signed_in: httpx2.Client) -> None:
    assert signed_in.get("/console/").status_code == 200
    assert signed_in.post("/console/logout", data={"csrf": csrf(signed_in)}).status_code == 303
    assert signed_in.get("/console/").status_code == 303


def test_wrong_passwords_lock_their_address_and_no_other(target: RunningConsole) -> None:
    with client(target) as opened:
        statuses = [sign_in(opened, "wrong", "10.1.1.1").status_code for _ in range(5)]
        assert statuses == [403, 403, 403, 403, 429]
        assert sign_in(opened, PASSWORD, "10.1.1.1").status_code == 429
        assert sign_in(opened, PASSWORD, "10.1.1.2").status_code == 303


async def test_tries_at_the_same_time_are_counted_too(target: RunningConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    matches = target.console.password._matches
    monkeypatch.setattr(target.console.password, "_matches", lambda text: checked.append(text) or matches(text))
    async with httpx2.AsyncClient(base_url=target.base, headers={"Origin": target.base}, timeout=60) as opened:
        answers = await asyncio.gather(
            *(
                opened.post("/console/login", data={"password": "wrong"}, headers={"X-Forwarded-For": "10.2.2.2"})
                for _ in range(12)
            )
        )
    assert {answer.status_code for answer in answers} <= {403, 429}
    assert len(checked) == 5


@pytest.mark.parametrize(
    "target_path", ["//evil.example", "https://evil.example", "/console/../x\\", "javascript:alert(1)"]
)
def test_nobody_is_led_elsewhere_after_the_login(target: RunningConsole, target_path: str) -> None:
    with client(target) as opened:
        answer = sign_in(opened, next=target_path)
        assert answer.headers["location"] == "/console/login?cookie=missing&next=%2Fconsole%2F"
        back = opened.post("/console/preferences", data={"back": target_path, "theme": "dark"})
        assert back.headers["location"] == "/console/"


def test_a_right_password_leads_on_when_the_cookie_comes_back(target: RunningConsole, signed_in: httpx2.Client) -> None:
    with client(target) as opened:
        there = sign_in(opened, next="/console/calls?tool=a").headers["location"]
    assert signed_in.get(there).headers["location"] == "/console/calls?tool=a"
    for elsewhere in ("//evil.example", "https://evil.example"):
        answer = signed_in.get("/console/login", params={"cookie": "missing", "next": elsewhere})
        assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize(
    ("language", "words"), [("en", "the browser did not keep the login"), ("zh", "浏览器没有保存登录")]
)
def test_a_browser_that_keeps_no_cookie_is_told_so(target: RunningConsole, language: str, words: str) -> None:
    with client(target) as opened:
        opened.headers["Accept-Language"] = language
        there = sign_in(opened, next="/console/calls").headers["location"]
        opened.cookies.clear()
        page = opened.get(there)
        assert page.status_code == 200
        assert words in page.text and "https://" in page.text
        assert 'name="next" value="/console/calls"' in page.text
        assert words not in opened.get("/console/login").text


def test_the_login_says_nothing_of_the_deployment(target: RunningConsole) -> None:
    with client(target) as opened:
        text = opened.get("/console/login").text
    for name in ("notes", "clips", "papers", "pet.home.arpa", "1.4.0"):
        assert name not in text


def test_no_page_has_a_secret(target: RunningConsole, signed_in: httpx2.Client) -> None:
    cookie = signed_in.headers["Cookie"].partition("=")[2]
    for path in PAGES:
        text = signed_in.get(path).text
        for secret in (TOKEN, TOKEN[:16], HASH, PASSWORD, cookie):
            assert secret not in text, path


def test_hostile_addresses_do_no_harm(signed_in: httpx2.Client) -> None:
    script = "<script>alert(1)</script>"
    for path, query in (
        ("/console/", {"q": script, "state": script}),
        ("/console/calls", {"tool": script, "client": script, "service": script, "before": "9" * 40, "slower": "1e9"}),
        ("/console/calls", {"tool": "'; DROP TABLE calls; --"}),
        ("/console/tools", {"q": script, "page": "99999999", "service": script}),
        ("/console/services/notes", {"tool": script, "account": script, "range": script}),
        ("/console/clients", {"client": script, "program": script}),
        (f"/console/calls/{'x' * 5000}", {}),
    ):
        answer = signed_in.get(path, params=query)
        assert answer.status_code in (200, 404), (path, answer.status_code)
        assert script not in answer.text
