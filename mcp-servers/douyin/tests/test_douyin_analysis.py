"""Tests of the statistics of a sample, computed from videos and asked for by the tool."""

from __future__ import annotations

import pytest

from tests.stand_in.platforms.douyin import data

from douyin_server.analysis import analyze
from douyin_server.model.answers import VideoSummary

NOW = "2026-11-29T16:00:00+08:00"


def video(number: int, **values: object) -> VideoSummary:
    known = {"video_id": str(int(data.VIDEO) + number), "text": f"第 {number} 个", "type": "video", "likes": number}
    return VideoSummary(**(known | values))


def test_counts_are_spread_by_nearest_rank():
    found = analyze([video(number) for number in range(1, 12)], "browser", NOW, ranked=True, partial=False)
    spread = found.engagement["likes"]
    assert (spread.median, spread.p90, spread.max, spread.n) == (6, 10, 11, 11) and set(found.engagement) == {"likes"}
    assert [top.likes for top in found.top_videos] == list(range(11, 1, -1))


def test_rates_leave_out_videos_without_one_of_the_counts():
    sample = [video(100, collects=10), video(300, collects=None), video(0, likes=None, collects=5)]
    assert analyze(sample, "browser", NOW, ranked=False, partial=False).collects_per_like == 0.1


def test_authors_of_the_same_name_are_told_apart():
    sample = [
        video(1, author="阿明", user_ref="a"),
        video(2, author="阿明", user_ref="b"),
        video(4, author="阿明", user_ref="a"),
    ]
    authors = analyze(sample, "browser", NOW, ranked=True, partial=False).top_authors
    assert [(author.user_ref, author.videos, author.likes) for author in authors] == [("a", 2, 5), ("b", 1, 2)]


def test_times_are_counted_on_the_clock_of_china():
    posting = analyze(
        [video(1, published_at="2026-11-29T18:30:00+00:00")], "browser", NOW, ranked=False, partial=False
    ).posting
    assert (posting.n, posting.by_hour, posting.by_weekday) == (1, {"2": 1}, {"周一": 1})


def test_caveats_say_what_the_sample_does_not_show():
    caveats = analyze([video(1, lower_bounds=["likes"])], "browser", NOW, ranked=True, partial=True).caveats
    assert len(caveats) == 5
    assert analyze([], "browser", NOW, ranked=True, partial=False).caveats == ["样本是空的，没有可分析的内容"]


@pytest.mark.usefixtures("member")
async def test_a_search_is_analyzed(ask):
    answer = await ask("analyze", keyword="手冲", sample=20)
    assert (answer["n"], answer["types"], answer["median_seconds"]) == (20, {"video": 20}, 61)
    assert answer["top_videos"][0]["likes"] == 12345 and answer["top_tags"][0]["videos"] == 20
    assert answer["top_authors"] == [{"name": "咖啡阿明", "user_ref": data.USER, "videos": 20, "likes": 227_900}]


async def test_the_videos_of_a_user_are_analyzed_without_a_ranking(ask):
    answer = await ask("analyze", user=data.USER, sample=12)
    assert (answer["n"], answer["top_authors"], answer["last"]) == (12, [], "2025-07-23")
    assert not any("排序" in caveat for caveat in answer["caveats"])


@pytest.mark.parametrize("arguments", [{}, {"keyword": "手冲", "user": data.USER}])
async def test_an_analysis_needs_exactly_one_subject(refused, state, arguments):
    assert (await refused("analyze", **arguments)).startswith("INVALID_ARGUMENT：")
    assert state.requests == []
