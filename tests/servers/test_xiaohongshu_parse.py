"""Numbers, times, references and walls, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dyber_kit import ErrorCode, ServiceError
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import xiaohongshu_data as data
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.parse import (
    Count,
    clean_text,
    estimated_time,
    milliseconds_to_iso,
    note_detail,
    parse_count,
    search_items,
)
from xiaohongshu_server.references import NoteReference, note_url, parse_reference, search_url
from xiaohongshu_server.walls import page_wall, platform_code_wall, status_wall

BASE = "https://www.xiaohongshu.com"
ID = data.NORMAL_NOTE
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("80", Count(80, False)),
        (80, Count(80, False)),
        ("1,234", Count(1234, False)),
        ("1.7万", Count(17_000, False)),
        ("10万+", Count(100_000, True)),
        ("1.2亿", Count(120_000_000, False)),
        ("999+", Count(999, True)),
        ("赞", None),
        ("", None),
        (None, None),
        (True, None),
        ("-3", None),
        ("1.7万人", None),
    ],
)
def test_counts_are_read_as_the_site_shows_them(shown, expected):
    assert parse_count(shown) == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_plain_numbers_are_read_exactly(number):
    assert parse_count(str(number)) == Count(number, False)


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_no_text_makes_the_count_parser_fail(text):
    count = parse_count(text)
    assert count is None or count.value >= 0


def test_invisible_characters_are_removed_and_line_breaks_stay():
    assert clean_text(" a\u200b\u202eb\x00\n猫👩\u200d💻 ") == "ab\n猫👩\u200d💻"


def test_text_that_is_no_text_becomes_empty():
    assert clean_text({"a": 1}) == ""


def test_milliseconds_become_utc():
    assert milliseconds_to_iso(1702195200000) == "2023-12-10T08:00:00Z"


@pytest.mark.parametrize("value", [None, True, "x", -1, 0, 1e20])
def test_an_implausible_time_is_none(value):
    assert milliseconds_to_iso(value) is None


def test_a_notes_time_is_estimated_from_its_id():
    assert estimated_time("69ba1706" + "0" * 16, NOW).startswith("2026-03-18")


def test_no_time_is_estimated_from_the_future():
    assert estimated_time("ffffffff" + "0" * 16, NOW) is None


def test_search_items_drop_what_is_no_note_and_mark_lower_bounds():
    items = search_items([data.feed_item(1, "茶"), data.other_item(2), None, {"modelType": "note"}], BASE, NOW)
    assert len(items) == 1
    assert (items[0].likes, items[0].lower_bounds, items[0].type) == (100_000, ["likes"], "video")
    assert items[0].time_estimated


def test_a_search_item_uses_the_notes_token_and_not_its_authors():
    item = search_items([data.feed_item(0, "茶")], BASE, NOW)[0]
    assert item.note_ref == f"{ID}:{data.TOKEN}"


def test_topics_become_tags_and_leave_the_text_readable():
    note = note_detail(data.note(ID), NoteReference(ID), BASE, 4000, "now")
    assert note.tags == ["咖啡", "手冲"]
    assert "[话题]" not in note.content
    assert "#咖啡 #手冲" in note.content


def test_a_long_text_is_cut_and_says_so():
    note = note_detail(data.note(ID), NoteReference(ID), BASE, 100, "now")
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
def test_references_and_links_lead_to_the_same_note_with_its_whole_token(text):
    reference = parse_reference(text, BASE)
    assert (reference.note_id, reference.token) == (ID, data.TOKEN)


def test_a_reference_survives_a_round_trip_through_its_url():
    reference = NoteReference(ID, data.TOKEN)
    assert parse_reference(note_url(reference, BASE), BASE) == reference


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
def test_a_link_to_anywhere_else_is_refused(text):
    with pytest.raises(ServiceError) as refused:
        parse_reference(text, BASE)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_whatever_is_passed_the_browser_only_opens_the_configured_site(text):
    try:
        reference = parse_reference(text, BASE)
    except ServiceError:
        return
    assert note_url(reference, BASE).startswith(f"{BASE}/explore/")


def test_a_keyword_cannot_leave_its_place_in_the_address():
    assert search_url("a&b=c#d/e?", BASE).count("&") == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (461, ErrorCode.CAPTCHA_REQUIRED),
        (471, ErrorCode.CAPTCHA_REQUIRED),
        (429, ErrorCode.RATE_LIMITED),
        (401, ErrorCode.LOGIN_REQUIRED),
        (403, ErrorCode.ACCESS_RESTRICTED),
    ],
)
def test_statuses_of_the_sites_calls_have_codes(status, code):
    assert status_wall(status, on_page=False).code is code


def test_a_missing_call_of_the_page_is_no_wall():
    assert status_wall(404, on_page=False) is None


@pytest.mark.parametrize(("code", "expected"), [(300011, "ACCESS_RESTRICTED"), (-510001, "NOT_FOUND"), (0, None)])
def test_platform_codes_are_known(code, expected):
    wall = platform_code_wall(code)
    assert (wall.code if wall else None) == expected


def test_an_ordinary_page_is_no_wall():
    assert page_wall({"url": f"{BASE}/explore", "blocked_text": "", "text": "咖啡", "login_box": False}) is None


@pytest.mark.parametrize("value", ["ftp://x", "https://www.xiaohongshu.com/path", "nonsense"])
def test_an_unusable_base_url_is_named_at_start(value, monkeypatch):
    monkeypatch.setenv("XHS_BASE_URL", value)
    with pytest.raises(ValueError, match="XHS_BASE_URL"):
        SiteSettings.from_environment(None)
