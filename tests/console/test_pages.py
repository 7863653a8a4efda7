"""Shows every page without barriers, without complaints of the browser, in both languages and themes, on all widths."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from dyber_console.verdicts.facts import ServiceFacts
from playwright.sync_api import Page

from tests.console.conftest import Visit
from tests.console.support.running import RunningConsole
from tests.support import axe

SLOW = "b7c1e0f4a92d4c5d8f16"
PAGES = (
    "",
    "?state=todo",
    "calls",
    "calls?client=phone&outcome=ok&slower=1",
    "calls?tool=nothing",
    f"calls/{SLOW}",
    "calls/unknown-call",
    "services/notes?tool=notes_search",
    "services/clips?range=30d",
    "services/nothing",
    "nopage",
    "tools",
    "clients",
    "changes",
)
LOOKS = [
    (width, theme, language)
    for width, theme, language in (
        (1440, "light", "zh"),
        (1440, "dark", "en"),
        (390, "light", "en"),
        (390, "dark", "zh"),
        (1920, "light", "en"),
        (768, "dark", "zh"),
        (320, "light", "en"),
    )
]
CHINESE = re.compile("[\u4e00-\u9fff]")


def barriers(page: Page, script: str) -> list[str]:
    """Return what axe finds in a page, in short."""
    # The policy of the page forbids scripts of others, but not those of the browser's own tools.
    page.evaluate(script)
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary'][:300]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("width", "theme", "language"), LOOKS, ids=str)
def test_every_page_is_without_barriers_and_complaints(
    console: RunningConsole, visit: Callable[..., Visit], width: int, theme: str, language: str
) -> None:
    opened = visit(
        console,
        viewport={"width": width, "height": 844},
        color_scheme=theme,
        locale="zh-CN" if language == "zh" else "en-US",
        # axe measures contrast, which movements would disturb.
        reduced_motion="reduce",
    )
    script = axe.script()
    faults: dict[str, object] = {}
    for path in PAGES:
        opened.complaints.clear()
        response = opened.open(path)
        expected = 404 if path in ("calls/unknown-call", "services/nothing", "nopage") else 200
        assert response.status == expected, (path, response.status, opened.page.inner_text("body")[:2000])
        page = opened.page
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        complaints = [text for text in opened.complaints if "404" not in text]
        found = [barriers(page, script), complaints, [sideways] if sideways > 0 else []]
        if any(found):
            faults[path] = found
    assert faults == {}, json.dumps(faults, ensure_ascii=False, indent=1)


def test_a_page_in_english_has_no_chinese_but_names(console: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(console)
    services = console.console.files.deployment.services
    whole = [title for name, each in services.items() for title in (each.title, ServiceFacts(name, each.title).short)]
    titles = sorted({title[:length] for title in whole for length in (None, 14, 10)}, key=len, reverse=True)
    for path in PAGES:
        opened.open(path)
        opened.page.evaluate("document.querySelectorAll('.tile').forEach((tile) => tile.remove())")
        text = opened.page.inner_text("main") + opened.page.title()
        for title in titles:
            text = text.replace(title, "")
        assert [line for line in text.splitlines() if CHINESE.search(line)] == [], path


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_the_filters_of_the_calls_are_named_and_in_order_on_a_phone(
    console: RunningConsole, visit: Callable[..., Visit], width: int, language: str
) -> None:
    page = (opened := visit(console, viewport={"width": width, "height": 844}, locale=language)).page
    opened.open("calls")

    def boxes(selector: str) -> list[Any]:
        found = [each.bounding_box() for each in page.locator(selector).all()]
        assert found and None not in found
        return found

    row = boxes(".filter-row")[0]
    names = page.locator(".filter-row label:not(.seg label), .filter-row legend")
    assert names.count() == 5
    assert names.evaluate_all("all => all.every((each) => getComputedStyle(each).clipPath === 'none')")
    buttons = boxes(".filter-row .seg label")
    assert len({button["y"] for button in buttons}) == 1
    edge = boxes(".filter-row .seg")[0]
    assert buttons[-1]["x"] + buttons[-1]["width"] <= edge["x"] + edge["width"]
    submit = boxes(".filter-row .btn")[0]
    assert submit["width"] == row["width"] and submit["y"] > buttons[0]["y"]
    upper, lower = boxes(".filters")
    assert upper["y"] + upper["height"] == pytest.approx(lower["y"], abs=1)


def test_every_page_has_a_title_of_its_own(console: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(console, locale="zh-CN")
    titles = []
    for path in ("", "calls", "tools", "clients", "changes", "services/notes", "nopage"):
        opened.open(path)
        titles.append(opened.page.title())
    assert len(set(titles)) == len(titles), titles
    assert titles[1].endswith(" · 调用 · prod · DyberPet 控制台")


@pytest.mark.parametrize("path", ["nopage", "services/notes/nothing", "logout", "preferences"])
def test_an_address_without_a_page_leads_back(console: RunningConsole, visit: Callable[..., Visit], path: str) -> None:
    opened = visit(console)
    assert opened.open(path).status == 404
    opened.page.click("text=To the overview")
    opened.page.wait_for_url(f"{console.base}/console/")


def test_the_first_view_is_small(console: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(console)
    sizes: dict[str, int] = {}
    session = opened.page.context.new_cdp_session(opened.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    urls: dict[str, str] = {}
    session.on("Network.responseReceived", lambda event: urls.update({event["requestId"]: event["response"]["url"]}))
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({urls.get(event["requestId"], ""): int(event["encodedDataLength"])}),
    )
    opened.open("")
    opened.page.wait_for_load_state("load")
    ours = {url: size for url, size in sizes.items() if url.startswith(console.base)}
    assert len(ours) >= 4
    assert sum(ours.values()) < 60_000, ours
