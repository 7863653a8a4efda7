"""Tests that links are recognised in texts, and that short links are followed safely."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.walls import Walls
from dyber_kit.upstream.cache import Cache
from dyber_kit.website.links import LinkFinder, ShortLinkForm, ShortLinks, within

from tests.stand_in.running import StandIn, free_port

FORM = ShortLinkForm(["inn.link"], r"/[a-z0-9]{4,12}/?", ["http://127.0.0.1:9"], r"/s/[a-z0-9]{4,12}")


def links_of(base: str) -> ShortLinks:
    form = ShortLinkForm(["inn.link"], FORM.path, [base], FORM.site_path)
    return ShortLinks(form, Walls(title="驿站"), Cache("inn", "1"), keep_seconds=600)


@pytest_asyncio.fixture
async def links(inn: StandIn) -> AsyncIterator[ShortLinks]:
    links = links_of(inn.base)
    yield links
    await links.close()


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("看看 https://www.inn.example/posts/1?x=2，很好", "https://www.inn.example/posts/1?x=2"),
        ("【标题】inn.example/posts/1 复制打开", "https://inn.example/posts/1"),
        ("用 App 打开 inn://posts/1", "inn://posts/1"),
        ("WWW.INN.EXAMPLE/a", "https://WWW.INN.EXAMPLE/a"),
        ("https://elsewhere.example/?u=inn.example/posts", "https://elsewhere.example/?u=inn.example/posts"),
        ("notinn.example/posts", None),
        ("没有链接", None),
    ],
)
def test_the_first_link_of_a_text_is_found_with_its_scheme(text, link):
    assert LinkFinder(["inn.example"], ["inn"]).first(text) == link


@pytest.mark.parametrize(
    ("link", "short"),
    [
        ("https://inn.link/abc123", True),
        ("http://www.inn.link/abc123/", True),
        ("http://127.0.0.1:9/s/abc123", True),
        ("https://inn.link/abc123/more", False),
        ("https://inn.link:8443/abc123", False),
        ("https://inn.link.evil.example/abc123", False),
        ("https://inn.link@evil.example/abc123", False),
        ("ftp://inn.link/abc123", False),
        ("http://127.0.0.1:9/abc123", False),
        ("http://127.0.0.1:8/s/abc123", False),
        ("http://[bad/s/abc123", False),
    ],
)
def test_only_links_of_the_form_are_short_links(link, short):
    assert FORM.matches(link) is short


def test_a_host_is_within_a_domain_and_not_within_one_that_ends_alike():
    assert within("www.inn.example.", ["inn.example"]) and within("INN.example", ["inn.example"])
    assert not within("myinn.example", ["inn.example"]) and not within(None, ["inn.example"])


async def test_redirects_are_followed_up_to_a_link_that_is_no_short_link(links, inn):
    assert await links.expand(f"{inn.base}/s/hop01") == f"{inn.base}/posts?id=1"
    assert [code for code, _ in inn.app.state.followed] == ["hop01", "post1"]


async def test_a_text_that_is_no_short_link_is_returned_and_nothing_is_asked(links, inn):
    for text in ("手冲咖啡", f"{inn.base}/posts?id=1", "http://169.254.169.254/s/abcd"):
        assert await links.expand(text) == text
    assert inn.app.state.followed == []


async def test_a_short_link_is_followed_once_and_says_when(links, inn):
    first = await links.follow(f"{inn.base}/s/post1")
    again = await links.follow(f"{inn.base}/s/post1")
    assert (first.kept, again.kept) == (False, True)
    assert (again.url, again.fetched_at) == (first.url, first.fetched_at)
    assert len(inn.app.state.followed) == 1


async def test_cookies_of_the_site_are_not_sent_back(links, inn):
    await links.expand(f"{inn.base}/s/hop01")
    assert [cookies for _, cookies in inn.app.state.followed] == [None, None]


async def test_a_target_in_an_internal_network_is_returned_and_not_opened(links, inn):
    assert await links.expand(f"{inn.base}/s/away1") == "http://169.254.169.254/latest/meta-data"


async def test_a_short_link_whose_host_is_in_an_internal_network_is_refused():
    form = ShortLinkForm(["localhost"], r"/[a-z0-9]{4,12}")
    links = ShortLinks(form, Walls(title="驿站"), Cache("inn", "1"))
    with pytest.raises(ServiceError) as refusal:
        await links.expand("http://localhost/abcd")
    await links.close()
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("gone1", ErrorCode.NOT_FOUND),
        ("loop1", ErrorCode.NOT_FOUND),
        ("busy1", ErrorCode.RATE_LIMITED),
        ("down1", ErrorCode.UPSTREAM_UNREACHABLE),
    ],
)
async def test_a_short_link_that_leads_nowhere_says_why(links, inn, code, error):
    with pytest.raises(ServiceError) as refusal:
        await links.expand(f"{inn.base}/s/{code}")
    assert refusal.value.code is error
    assert len(inn.app.state.followed) <= 4


async def test_a_host_that_does_not_answer_is_unreachable():
    base = f"http://127.0.0.1:{free_port()}"
    links = links_of(base)
    with pytest.raises(ServiceError) as refusal:
        await links.expand(f"{base}/s/post1")
    await links.close()
    assert refusal.value.code is ErrorCode.UPSTREAM_UNREACHABLE
