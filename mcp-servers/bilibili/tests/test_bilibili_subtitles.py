"""Tests of subtitles: languages, words, parts, and reading on."""

from __future__ import annotations

from tests.stand_in.platforms.bilibili.data import BVID

MEMBER = {"video": BVID, "account": "member"}


async def test_the_chinese_subtitle_is_chosen_and_every_line_has_its_time(ask, site):
    result = await ask("get_subtitle", **MEMBER, max_chars=200)
    lines = result["text"].splitlines()
    assert lines[0] == "[0:00] 第 0 句 水温" and lines[7] == "[0:17] 现在 闷蒸三十秒"
    assert (result["language"], result["generated"], result["languages"]) == (
        "zh-CN",
        False,
        ["ai-zh", "zh-CN", "en-US"],
    )
    assert (result["count"], result["total"], result["title"]) == (len(lines), 120, "第1节")
    assert result["link"] == f"{site.base}/video/{BVID}?t=0" and result["warnings"] == []


async def test_the_cursor_reads_on_without_gaps_or_repetitions(ask):
    text, cursor = [], ""
    while True:
        result = await ask("get_subtitle", **MEMBER, max_chars=700, cursor=cursor)
        assert len(result["text"]) <= 700
        text += result["text"].splitlines()
        cursor = result.get("next_cursor", "")
        if not cursor:
            break
    assert len(text) == len(set(text)) == 120


async def test_only_lines_with_the_words_are_returned_with_a_link_to_the_first(ask):
    result = await ask("get_subtitle", **MEMBER, query=" 闷蒸 ")
    assert (result["text"], result["total"]) == ("[0:17] 现在 闷蒸三十秒", 1) and result["link"].endswith("?t=17")
    nothing = await ask("get_subtitle", **MEMBER, query="萃取")
    assert (nothing["text"], nothing["count"]) == ("", 0) and "120" in nothing["warnings"][0]


async def test_a_language_is_named_by_its_code_or_in_words(ask, refused):
    english = await ask("get_subtitle", **MEMBER, language="en")
    generated = await ask("get_subtitle", **MEMBER, language="中文（自动生成）")
    assert (english["language"], generated["language"], generated["generated"]) == ("en-US", "ai-zh", True)
    assert "自动识别" in generated["warnings"][0]
    assert "ai-zh, zh-CN, en-US" in await refused("get_subtitle", **MEMBER, language="ja")


async def test_a_part_is_named_by_its_number_or_by_the_link(ask, refused, site):
    by_link = await ask("get_subtitle", video=f"{site.base}/video/{BVID}?p=2", account="member")
    by_number = await ask("get_subtitle", **MEMBER, page=2)
    assert (by_link["page"], by_link["title"], by_number["title"]) == (2, "第2节", "第2节")
    assert (await refused("get_subtitle", **MEMBER, page=9)).startswith("NOT_FOUND：这个视频有 2 个分P")


async def test_guests_are_told_that_members_may_see_subtitles(refused, site):
    site.app.state.case = "no_subtitles"
    error = await refused("get_subtitle", video=BVID)
    assert error.startswith("NOT_FOUND：") and "bilibili_login_qrcode" in error
