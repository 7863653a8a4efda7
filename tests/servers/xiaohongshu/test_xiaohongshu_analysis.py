"""Tests of the analysis of fixed notes; every expected number was calculated by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xiaohongshu_server.analysis.statistics import SampleNote, analyze


def note(number: int, **values: object) -> SampleNote:
    defaults = {"note_ref": f"n{number}", "title": f"标题{number}", "type": "image", "author": f"作者{number}"}
    return SampleNote(**(defaults | values))


COFFEE = [
    note(
        1, title="手冲咖啡3步入门", likes=100, collects=50, comments=10, shares=1, author="阿一",
        published_at=datetime(2026, 3, 1, 16, 30, tzinfo=UTC), time_estimated=True,
        opened=True, text="水温很重要。#手冲[话题]# #咖啡[话题]#", tags=("咖啡",),
        comment_texts=("水温多少合适", "豆子哪里买", "豆子新鲜吗"),
    ),
    note(
        2, title="咖啡豆子怎么选？", likes=300, collects=30, comments=20, author="阿一",
        published_at=datetime(2026, 3, 2, 1, 0, tzinfo=UTC),
        opened=True, text="豆子的烘焙和水温", tags=("咖啡", "豆子"),
    ),
    note(3, title="咖啡机开箱🎉", type="video", likes=10_000, lower_bounds=("likes",), author="阿二"),
    note(4, title="拉花", likes=None, collects=5, author=""),
]  # fmt: skip


def test_statistics_of_a_count_use_the_notes_that_show_it():
    likes = analyze(COFFEE).engagement["likes"]
    assert (likes.n, likes.median, likes.p90, likes.max) == (3, 300, 10_000, 10_000)


def test_the_ninetieth_percentile_is_a_value_of_the_sample():
    ten = [note(number, likes=number) for number in range(1, 11)]
    assert analyze(ten).engagement["likes"].p90 == 9


def test_a_count_that_no_note_shows_has_no_statistics():
    assert "shares" not in analyze([note(1)]).engagement


def test_rates_use_only_notes_that_show_both_counts():
    analysis = analyze(COFFEE)
    assert analysis.rate_collect_per_like == 0.2  # (50 + 30) / (100 + 300)
    assert analysis.rate_comment_per_like == 0.075


def test_without_likes_there_is_no_rate():
    assert analyze([note(1, likes=0, collects=3)]).rate_collect_per_like is None


def test_formats_have_their_share_and_median_likes():
    types = analyze(COFFEE).types
    assert (types["image"].share, types["image"].median_likes) == (0.75, 200)
    assert (types["video"].share, types["video"].median_likes) == (0.25, 10_000)


def test_top_notes_are_sorted_by_likes():
    assert [top.note_ref for top in analyze(COFFEE).top_notes] == ["n3", "n2", "n1", "n4"]


def test_likes_are_added_by_author_and_authors_without_a_name_left_out():
    authors = [(share.name, share.notes, share.total_likes) for share in analyze(COFFEE).top_authors]
    assert authors == [("阿二", 1, 10_000), ("阿一", 2, 400)]


def test_a_tag_counts_once_per_note_in_the_text_or_in_the_list():
    tags = {share.tag: (share.count, share.median_likes) for share in analyze(COFFEE).top_tags}
    assert tags == {"咖啡": (2, 200), "手冲": (1, 100), "豆子": (1, 300)}


def test_keywords_leave_out_the_query_and_words_of_a_single_note():
    counts = {share.word: share.df for share in analyze(COFFEE, "咖啡").keywords}
    assert counts == {"水温": 2}


def test_comment_themes_are_words_of_the_comments():
    assert [(theme.word, theme.df) for theme in analyze(COFFEE, "咖啡").comment_themes] == [("豆子", 2)]


def test_posting_times_are_in_chinas_time_zone():
    late = note(5, published_at=datetime(2026, 3, 1, 16, 30, tzinfo=UTC))
    posting = analyze([*COFFEE, late]).posting
    assert posting.by_hour == {"0": 1, "9": 1}  # 16:30 and 01:00 UTC
    assert posting.by_weekday == {"周一": 2}  # both on Monday the 2nd


def test_estimated_times_are_left_out_of_posting_times():
    posting = analyze(COFFEE).posting
    assert (posting.n, posting.by_hour) == (1, {"9": 1})
    assert posting.n_estimated == 1


def test_authors_with_the_same_name_are_counted_separately():
    people = [note(number, author="小**", author_ref=ref, likes=10) for number, ref in enumerate(["a", "b:t1", "b:t2"])]
    authors = analyze(people).top_authors
    assert [(share.name, share.user_ref, share.notes, share.total_likes) for share in authors] == [
        ("小**", "b:t1", 2, 20), ("小**", "a", 1, 10),
    ]  # fmt: skip


def test_lower_bounds_are_marked_in_the_analysis():
    analysis = analyze(COFFEE)
    assert (analysis.top_notes[0].likes, analysis.top_notes[0].lower_bounds) == (10_000, ["likes"])
    assert analysis.engagement["likes"].lower_bounds == 1
    assert [(share.name, share.lower_bound) for share in analysis.top_authors] == [("阿二", True), ("阿一", None)]


@pytest.mark.parametrize(
    ("comments", "caveat"), [((), "没有读到评论"), (("好", "哈哈"), "没有反复出现的实词"), (("豆子", "豆子"), None)]
)
def test_a_caveat_explains_missing_themes(comments, caveat):
    caveats = analyze([note(1, opened=True, comment_texts=comments)]).caveats
    about_themes = [line for line in caveats if "没有评论主题" in line]
    assert [caveat in line for line in about_themes] == ([True] if caveat else [])


def test_the_sample_has_its_size_and_dates():
    sample = analyze(COFFEE, partial=True).sample
    assert (sample.n, sample.n_detail, sample.partial) == (4, 2, True)
    assert (sample.first, sample.last) == ("2026-03-02", "2026-03-02")


def test_caveats_name_ranking_size_gaps_and_estimates():
    caveats = "\n".join(analyze(COFFEE, ranked=True, partial=True).caveats)
    for part in ("排序影响", "只有 4 条", "少于要求", "1 条笔记的数量", "只统计打开过的 1 条；另 1 条"):
        assert part in caveats
    assert "没有打开笔记详情" not in caveats


def test_a_caveat_says_that_without_opened_notes_only_titles_are_known():
    assert any("没有打开笔记详情" in caveat for caveat in analyze([note(1)]).caveats)


def test_an_empty_sample_is_empty_and_not_an_error():
    analysis = analyze([])
    assert (analysis.sample.n, analysis.engagement, analysis.caveats) == (0, {}, ["样本为空，没有可分析的内容"])


# These have no time zone, because Hypothesis adds it.
EARLIEST, LATEST = datetime(2013, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001


@settings(max_examples=40, deadline=None)
@given(st.lists(st.builds(
    SampleNote, note_ref=st.text(), title=st.text(max_size=30), type=st.sampled_from(["image", "video"]),
    author=st.text(max_size=5), likes=st.none() | st.integers(0, 10**7), collects=st.none() | st.integers(0, 10**7),
    published_at=st.none() | st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    opened=st.booleans(), text=st.text(max_size=100),
), max_size=12))  # fmt: skip
def test_any_sample_can_be_analysed_and_shares_are_between_0_and_1(notes):
    analysis = analyze(notes, "词")
    assert analysis.sample.n == len(notes)
    assert analysis.posting.n + analysis.posting.n_estimated <= len(notes)
    assert all(0 <= share.share <= 1 for share in analysis.types.values())
    assert all(0 < entry.weight < 1 for entry in analysis.keywords)
