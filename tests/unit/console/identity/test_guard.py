"""Tells the console's own pages from other sites."""

from __future__ import annotations

import pytest
from dyber_console.identity.guard import Origin, caller_address, comes_from_page, host_name

PAGE = Origin("https", "pet.home.arpa")


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://pet.home.arpa"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "same-site", "origin": "https://pet.home.arpa"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://pet.home.arpa"}, True),
        ({"origin": "http://pet.home.arpa"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_a_request_that_changes_something_must_come_from_a_page(headers: dict[str, str], is_ours: bool) -> None:
    assert comes_from_page(headers, PAGE) is is_ours


@pytest.mark.parametrize(
    ("origin", "keeps"),
    [
        (Origin("https", "pet.home.arpa"), True),
        (Origin("http", "localhost:8080"), True),
        (Origin("http", "[::1]:8080"), True),
        (Origin("http", "192.168.1.2"), False),
    ],
)
def test_browsers_keep_the_cookie_over_https_or_on_this_machine(origin: Origin, keeps: bool) -> None:
    assert origin.keeps_cookies is keeps


@pytest.mark.parametrize(
    ("host", "name"),
    [("Pet.Home.arpa:8443", "pet.home.arpa"), ("[::1]:80", "[::1]"), ("", ""), ("[bad", ""), ("a@b:1", "b")],
)
def test_a_host_has_a_name_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


def test_the_callers_address_is_the_last_that_the_gateway_added() -> None:
    assert caller_address({"x-forwarded-for": "1.1.1.1, 192.168.1.20"}, "172.20.0.2") == "192.168.1.20"
    assert caller_address({}, "172.20.0.2") == "172.20.0.2"
