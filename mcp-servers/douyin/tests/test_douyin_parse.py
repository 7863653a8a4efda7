"""Tests of how the site's objects become answers, also those of odd shapes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dyber_kit.upstream.privacy import Privacy

from tests.stand_in.platforms.douyin import data

from douyin_server.config import DEFAULT_API_URL, DEFAULT_BASE_URL
from douyin_server.model.references import References
from douyin_server.reading.parse import Parser
from douyin_server.reading.search_answers import json_objects

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)
PARSER = Parser(References(DEFAULT_BASE_URL, DEFAULT_API_URL), Privacy(False))


def test_an_odd_video_of_a_list_keeps_what_can_be_read():
    [found] = PARSER.videos([data.odd_aweme()], NOW)
    assert len(found.text) == 120 and found.text.endswith("长…") and "\u202e" not in found.text
    assert found.model_dump(include={"type", "author", "likes", "comments", "collects", "date", "lower_bounds"}) == {
        "type": "video",
        "likes": 17_000,
        "comments": 100_000,
        "date": "2025-07-23",
        "lower_bounds": ["comments"],
    }


@pytest.mark.parametrize(
    "entry", [None, "text", 7, [], {}, {"aweme_id": "12"}, {"aweme_id": None}, {"aweme_id": "x" * 19}]
)
def test_what_is_no_video_is_left_out_of_a_list(entry):
    assert [video.video_id for video in PARSER.videos([entry, data.aweme(), entry], NOW)] == [data.VIDEO]


def test_a_video_that_a_list_has_twice_is_shown_once():
    assert len(PARSER.videos([data.aweme(), data.aweme()], NOW)) == 1


def test_hashtags_come_from_the_list_and_from_the_text_each_once():
    [found] = PARSER.videos([data.aweme(desc="a #咖啡 #早餐 b", text_extra=[{"hashtag_name": "咖啡"}, None, {}])], NOW)
    assert found.tags == ["咖啡", "早餐"]


def test_an_odd_comment_keeps_what_can_be_read():
    odd = {
        "cid": 74,
        "text": "x\u200by\n\n\n\nz",
        "digg_count": "1.2万",
        "create_time": None,
        "user": None,
        "image_list": {},
    }
    [found] = PARSER.comments([odd], NOW)
    assert found.model_dump() == {"comment_id": "74", "author": "", "content": "xy\n\nz", "likes": 12_000}


def test_an_odd_hot_list_keeps_its_order():
    entries = [
        {"word": "甲", "position": None, "hot_value": "1.1万"},
        None,
        {"word": ""},
        {"word": "乙", "hot_value": None},
    ]
    found = [entry.model_dump() for entry in PARSER.hot(entries, NOW)]
    assert found == [{"rank": 1, "word": "甲", "heat": 11_000}, {"rank": 2, "word": "乙"}]


def test_an_odd_user_keeps_what_can_be_read():
    odd = {"nickname": "甲", "follower_count": "1.7万", "total_favorited": "", "short_id": 123456, "signature": None}
    found = PARSER.user(odd, data.USER, NOW)
    assert (found.fans, found.likes, found.douyin_id, found.description) == (17_000, None, "123456", "")


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("", 0),
        ("blocked", 0),
        ('{"a": 1}', 1),
        ('8\r\n{"a": 1}\r\n9\r\n{"b": {"c": "}{"}}\r\n0\r\n\r\n', 2),
        ('{"a": 1}{"b": ', 1),
    ],
)
def test_the_objects_of_a_stream_are_read_up_to_its_end(body, count):
    assert len(json_objects(body)) == count
