"""The console of a deployed stack shows what happened, and calls go on without it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.deploy.checkout import BASE, Checkout, docker, hub_client, inspect


def eventually(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def password(checkout: Checkout) -> str:
    return str(json.loads(checkout.deploy_sh("console", "password", "--json").stdout)["password"])


@pytest.fixture(scope="module")
def with_console(deployed: Checkout) -> Iterator[Checkout]:
    """The stack with the console, which only a stack called dev has without a word about it."""
    before = deployed.stack_file.read_text()
    deployed.configure("console", {"enabled": True})
    deployed.deploy_sh()
    yield deployed
    deployed.stack_file.write_text(before)
    deployed.behind = True


@pytest.fixture(scope="module")
def visitor(with_console: Checkout) -> httpx2.Client:
    """A browser that is signed in."""
    deployed = with_console
    client = httpx2.Client(base_url=BASE, headers={"Origin": BASE}, timeout=30)
    eventually(lambda: client.get("/console/login").status_code == 200, "the console is there")
    answer = client.post("/console/login", data={"password": password(deployed)})
    assert answer.status_code == 303
    client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
    return client


async def echo(checkout: Checkout, text: str) -> None:
    async with hub_client(checkout.token) as client:
        result = await client.call_tool("template_echo", {"text": text})
        assert text in str(result)


async def test_it_shows_the_services_and_each_call_but_not_what_was_said(
    with_console: Checkout, visitor: httpx2.Client
) -> None:
    await echo(with_console, "unheard-of words")
    eventually(lambda: "template_echo" in visitor.get("/console/calls").text, "the call is shown")
    assert "unheard-of words" not in visitor.get("/console/calls").text
    overview = visitor.get("/console/").text
    assert "template" in overview and "xiaohongshu" in overview


def test_without_the_password_there_is_only_the_page_to_sign_in(with_console: Checkout) -> None:
    answer = httpx2.get(f"{BASE}/console/calls", headers={"Authorization": f"Bearer {with_console.token}"})
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/console/login")


async def test_without_it_calls_go_on_and_a_deployment_brings_it_back(with_console: Checkout) -> None:
    docker("rm", "--force", inspect("console")["Id"])
    await echo(with_console, "still here")
    page = httpx2.get(f"{BASE}/console/", timeout=150)
    assert page.status_code == 503
    assert "./deploy.sh logs console" in page.text
    with_console.deploy_sh()
    eventually(lambda: httpx2.get(f"{BASE}/console/login", timeout=150).status_code == 200, "it is back")
