"""Writes untrusted text so that nothing in it works or hides."""

from __future__ import annotations

import pytest
from dyber_console.pages.parts import wording
from dyber_console.pages.preferences import back_to


def test_text_of_a_service_is_escaped_and_shows_invisible_characters() -> None:
    text = str(wording.untrusted("<b>a\u202eb\u200b\x00</b>\n"))
    assert "<b>a" not in text
    assert "U+202E" in text and "U+200B" in text and "U+0000" in text
    assert "\u202e" not in text and "\x00" not in text
    assert text.endswith("\n")


def test_long_text_is_cut() -> None:
    assert str(wording.untrusted("x" * 50, 10)) == "x" * 10 + "…"


@pytest.mark.parametrize(
    ("title", "tile"),
    [("小红书", "小"), ("GitHub", "GH"), ("Weibo", "W"), ("Hugging Face 论文", "HF"), ("B 站", "B"), ("", "?")],
)
def test_a_tile_has_one_or_two_characters(title: str, tile: str) -> None:
    assert wording.tile_text(title) == tile


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example", "/console", "/console/\\evil", "/console/\n", "/consolevil/", ""],
)
def test_no_other_address_is_gone_back_to(path: str) -> None:
    assert back_to(path) == "/console/"


def test_a_page_is_gone_back_to() -> None:
    assert back_to("/console/calls?service=zhihu") == "/console/calls?service=zhihu"
