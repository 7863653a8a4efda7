"""Tests of the checks of texts before a page is opened, and of the width of titles."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.contract import all_tools
from xiaohongshu_server.model.arguments import MAX_TITLE_WIDTH, search_words, title, title_width, written_text
from xiaohongshu_server.service import build_app

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller
from tests.stand_in.running import free_port
from tests.stand_in.services import tools_of

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def refusal(check, *arguments, **options) -> str:
    with pytest.raises(ServiceError) as caught:
        check(*arguments, **options)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("a" * 30, 30), ("手冲咖啡", 8), ("手冲ab", 6), ("，。", 4), ("\U0001f600" * 20, 40), (FAMILY * 10, 20),
        ("\U0001f44d\U0001f3fd", 2), ("\U0001f1e8\U0001f1f3", 2), ("\U0001f1e8\U0001f1f3" * 2, 4), ("1\ufe0f\u20e3", 2),
        ("\u2764\ufe0f", 2), ("e\u0301", 1), ("", 0), ("\u200d", 0), ("\U0001f3f4\U000e0067\U000e007f", 2), ("ｶﾞ", 2),
    ],
)  # fmt: skip
def test_a_titles_width_counts_wide_characters_twice_and_a_composed_emoji_as_one(text, width):
    assert title_width(text) == width


@pytest.mark.parametrize("good", ["a" * 40, "汉" * 20, "\U0001f600" * 20, FAMILY * 20, "汉" * 19 + "ab"])
def test_a_title_of_the_full_width_is_accepted(good):
    assert title(good) == good


@pytest.mark.parametrize("bad", ["a" * 41, "汉" * 20 + "a", "\U0001f600" * 21])
def test_a_wider_title_is_refused_with_the_rule(bad):
    with pytest.raises(ServiceError, match="title 太长") as caught:
        title(bad)
    assert str(MAX_TITLE_WIDTH) in caught.value.message
    assert "20 个汉字或 40 个字母" in caught.value.next_step


def test_the_schema_has_the_rule_and_accepts_every_title_of_that_width():
    tools = {tool.name: tool.parameters for tool in tools_of(build_app(all_tools(free_port())))}
    for name in ("xhs_publish_image", "xhs_publish_video"):
        rules = tools[name]["properties"]["title"]
        assert f"宽度最多 {MAX_TITLE_WIDTH}" in rules["description"]
        assert rules["maxLength"] >= len(FAMILY) * MAX_TITLE_WIDTH // 2


BLANK = ["", " ", "\n\t ", "\u200b", "\u3000", "\u3164\ufeff"]


@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_text_is_refused(blank):
    assert "空白" in refusal(search_words, "keyword", blank)
    assert "空白" in refusal(written_text, "content", blank)
    assert search_words("keyword", blank, empty=True) == ""


@pytest.mark.parametrize("odd", ["a\x00b", "\x1b[0m", "a\x7f", "\x85"])
def test_control_characters_are_refused_by_code_point(odd):
    assert f"U+{ord(next(char for char in odd if not char.isprintable())):04X}" in refusal(search_words, "keyword", odd)
    assert "控制字符" in refusal(written_text, "content", odd)


def test_line_ends_become_blanks_in_a_text_of_one_line():
    assert search_words("keyword", " 手冲\t咖啡\r\n入门 ") == "手冲 咖啡 入门"
    assert "不能换行" in refusal(title, "一\n二")
    assert written_text("content", "一\r\n二 ") == "一\n二"


def test_too_many_words_are_refused():
    assert "最多 100" in refusal(search_words, "keyword", "字" * 101)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        *(("xhs_search_notes", {"keyword": blank}) for blank in BLANK[1:]),
        ("xhs_search_notes", {"keyword": "a\x00"}),
        ("xhs_suggest", {"keyword": "a\x00"}),
        ("xhs_analyze", {"keyword": " ", "user": " ", "notes": " , "}),
        ("xhs_analyze", {"keyword": "a\x00"}),
        ("xhs_get_note", {"note": " "}),
        ("xhs_get_comments", {"note": " "}),
        ("xhs_get_user", {"user": " "}),
        ("xhs_comment", {"note": REF, "content": " "}),
        ("xhs_reply", {"note": REF, "comment_id": "comment-1", "content": "\u200b"}),
        ("xhs_publish_image", {"images": "a.jpg", "title": " ", "content": "x"}),
        ("xhs_publish_image", {"images": "a.jpg", "title": "汉" * 21, "content": "x"}),
        ("xhs_publish_video", {"video": "a.mp4", "title": "x", "content": "\u200b"}),
        ("xhs_publish_image", {"images": " , ", "title": "x", "content": "x"}),
    ],
)
async def test_no_page_is_opened_for_an_invalid_text(xiaohongshu, stand_in, tool, arguments):
    stand_in.app.state.pages.clear()
    text = await Caller(xiaohongshu).refusal(tool, **arguments)
    assert text.startswith("INVALID_ARGUMENT：")
    assert stand_in.app.state.pages == []
