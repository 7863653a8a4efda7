"""Tests of reading the site's objects and of references, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import local_day
from dyber_kit.upstream.privacy import Privacy
from hypothesis import given, settings
from hypothesis import strategies as st
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.model.references import (
    NoteReference,
    UserReference,
    first_link,
    note_url,
    parse_note,
    parse_user,
    search_url,
    short_link_form,
    user_url,
)
from xiaohongshu_server.reading.parse import Parser, comment_tokens, estimated_time, feed_tokens

from tests.stand_in.platforms.xiaohongshu import data

BASE = "https://www.xiaohongshu.com"
ID = data.NORMAL_NOTE
NOW = datetime(2026, 11, 22, tzinfo=UTC)


PARSER = Parser(BASE, Privacy(False))


def test_a_notes_time_is_estimated_from_its_id():
    assert local_day(estimated_time("69ba1706" + "0" * 16, NOW)) == "2026-03-18"


def test_no_time_is_estimated_from_the_future():
    assert estimated_time("ffffffff" + "0" * 16, NOW) is None


def test_search_items_that_are_not_notes_are_dropped_and_lower_bounds_are_marked():
    items = PARSER.notes(
        [data.feed_item(1, "茶"), data.other_item(2), data.live_item(), None, {"modelType": "note"}], NOW
    )
    assert len(items) == 1
    assert (items[0].likes, items[0].lower_bounds, items[0].type) == (100_000, ["likes"], "video")
    assert items[0].date == "2024-10-01"


def test_a_search_item_has_the_token_of_the_note_and_not_of_its_author():
    item = PARSER.notes([data.feed_item(0, "茶")], NOW)[0]
    assert item.note_ref == f"{ID}:{data.TOKEN}"


def test_topics_become_tags_and_leave_the_text_readable():
    note = PARSER.note(data.note(ID), NoteReference(ID), 4000, NOW)
    assert note.tags == ["咖啡", "手冲"]
    assert "[话题]" not in note.content
    assert "#咖啡 #手冲" in note.content


def test_a_long_text_is_cut_and_marked_as_truncated():
    note = PARSER.note(data.note(ID), NoteReference(ID), 100, NOW)
    assert (len(note.content), note.truncated) == (100, True)


@pytest.mark.parametrize(
    "text",
    [
        f"{ID}:{data.TOKEN}",
        f"{BASE}/explore/{ID}?xsec_token=ABtoken_x-y%2Bz%2F9%3D&xsec_source=pc_search",
        f"{BASE}/explore/{ID}?xsec_token=ABtoken_x-y+z/9=&xsec_source=pc_search",
        f"https://xiaohongshu.com/discovery/item/{ID}?xsec_token=ABtoken_x-y%2Bz%2F9%3D",
        f"{BASE}/user/profile/{'a' * 24}/{ID}?xsec_token=ABtoken_x-y%2Bz%2F9%3D",
    ],
)
def test_references_and_links_to_a_note_are_parsed_with_the_complete_token(text):
    reference = parse_note(text, BASE)
    assert (reference.note_id, reference.token) == (ID, data.TOKEN)


def test_a_reference_is_parsed_back_from_its_url():
    reference = NoteReference(ID, data.TOKEN)
    assert parse_note(note_url(reference, BASE), BASE) == reference


@pytest.mark.parametrize(
    "text",
    [
        f"http://169.254.169.254/explore/{ID}",
        f"http://localhost:8002/explore/{ID}",
        f"https://xiaohongshu.com.evil.example/explore/{ID}",
        f"https://evilxiaohongshu.com/explore/{ID}",
        f"https://www.xiaohongshu.com@evil.example/explore/{ID}",
        f"https://www.xiaohongshu.com:6379/explore/{ID}",
        f"https://www.xiaohongshu.com:bad/explore/{ID}",
        f"file:///explore/{ID}",
        "javascript:alert(1)",
        f"{BASE}/explore/not-an-id",
        "https://xhslink.com/a/abc",
        "随便",
    ],
)
def test_a_link_to_another_site_is_refused(text):
    with pytest.raises(ServiceError) as raised:
        parse_note(text, BASE)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_for_any_argument_the_url_is_on_the_configured_site(text):
    try:
        reference = parse_note(text, BASE)
    except ServiceError:
        return
    assert note_url(reference, BASE).startswith(f"{BASE}/explore/")


def test_a_keyword_cannot_change_other_parts_of_the_url():
    assert search_url("a&b=c#d/e?", BASE).count("&") == 1


@pytest.mark.parametrize("value", ["ftp://x", "https://www.xiaohongshu.com/path", "nonsense"])
def test_the_error_for_an_invalid_base_url_names_the_variable(value, monkeypatch):
    monkeypatch.setenv("XHS_BASE_URL", value)
    with pytest.raises(ValueError, match="XHS_BASE_URL"):
        SiteSettings.from_environment(None)


@pytest.mark.parametrize("value", ["Main", "a,a", "a b", "x" * 33])
def test_the_error_for_invalid_accounts_names_the_variable(value, monkeypatch):
    monkeypatch.setenv("XHS_ACCOUNTS", value)
    with pytest.raises(ValueError, match="XHS_ACCOUNTS"):
        SiteSettings.from_environment(None)


def test_accounts_have_the_order_of_the_variable(monkeypatch):
    monkeypatch.setenv("XHS_ACCOUNTS", "main, second")
    assert SiteSettings.from_environment(None).accounts == ("main", "second")


def test_tokens_of_notes_and_authors_are_not_mixed_up():
    tokens = feed_tokens([data.feed_item(0, "茶"), data.other_item(1)])
    assert tokens == {ID: data.TOKEN, data.user(0)["userId"]: data.USER_TOKEN}
    assert comment_tokens(data.comments(ID, 1, 1)) == {data.user(1)["userId"]: data.USER_TOKEN}


def test_privacy_masks_people_and_keeps_notes_usable():
    masked = Parser(BASE, Privacy(True, b"salt"))
    note = masked.note(data.note(ID), NoteReference(ID, data.TOKEN), 4000, NOW)
    assert (note.author.name, note.location, note.note_ref) == ("用**", None, f"{ID}:{data.TOKEN}")
    assert note.author.user_ref.startswith("u_")
    (comment,) = masked.comments(data.comments(ID, 0, 1), True, NOW)
    assert (comment.author, comment.location, comment.replies[0].author) == ("用**", None, "用**")
    reference = UserReference(data.USER, data.USER_TOKEN)
    user = masked.user(data.user_page(data.USER), [], reference, NOW)
    assert data.USER not in user.model_dump_json()
    assert "123456789" not in user.model_dump_json()


@pytest.mark.parametrize(
    "text",
    [
        f"{data.USER}:{data.USER_TOKEN}",
        f"{BASE}/user/profile/{data.USER}?xsec_token={data.USER_TOKEN}&xsec_source=pc_note",
        f"看看TA https://www.rednote.com/user/profile/{data.USER}?xsec_token={data.USER_TOKEN} ，很有趣",
    ],
)
def test_references_and_links_to_a_user_are_parsed(text):
    assert parse_user(text, BASE) == UserReference(data.USER, data.USER_TOKEN)


def test_a_user_reference_is_parsed_back_from_its_url():
    reference = UserReference(data.USER, data.USER_TOKEN)
    assert parse_user(user_url(reference, BASE), BASE) == reference


def test_a_link_to_a_note_below_a_profile_is_a_note():
    reference = parse_note(f"{BASE}/user/profile/{data.USER}/{ID}?xsec_token=abc", BASE)
    assert reference == NoteReference(ID, "abc")


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("48 小红书 http://xhslink.com/o/AbC12 复制", "http://xhslink.com/o/AbC12"),
        ("看https://xhslink.cn/m/x，快", "https://xhslink.cn/m/x"),
        (" 没有链接 ", "没有链接"),
    ],
)
def test_the_first_link_of_a_pasted_text_is_returned(text, link):
    assert first_link(text) == link


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("http://xhslink.com/o/AbC12", True),
        ("https://xhslink.cn/m/x/", True),
        ("https://www.xhslink.com/a1B2", True),
        (f"{BASE}/explore/{ID}", False),
        ("http://xhslink.com.evil.example/o/x", False),
        ("http://xhslink.com:6379/o/x", False),
        ("http://xhslink.com/o/x/../../y", False),
        ("http://[bad/o/x", False),
    ],
)
def test_only_share_links_of_the_platform_are_followed(url, short):
    assert short_link_form(BASE).matches(url) is short
