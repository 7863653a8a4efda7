"""Tests of the words that carry the content of texts; every expected number was calculated by hand."""

from __future__ import annotations

import pytest
from dyber_kit.analysis.figures import Counted
from dyber_kit.analysis.words import Keyword, common_words, content_words, keywords


def test_a_word_that_a_text_repeats_has_more_weight():
    ranked = keywords(["水温 水温 水温", "豆子", "豆子", "水温"], 5)
    assert ranked == [Keyword("水温", 0.312, 2), Keyword("豆子", 0.25, 2)]


def test_a_word_counts_once_for_each_text_and_in_several_texts_at_least():
    assert common_words(["水温 水温", "水温 豆子", "滤纸"], 5) == [Counted(name="水温", count=2)]


def test_with_two_texts_a_word_of_one_of_them_counts():
    names = [entry.name for entry in common_words(["水温", "豆子"], 5)]
    assert sorted(names) == ["水温", "豆子"]


@pytest.mark.parametrize("find", [common_words, keywords])
def test_words_of_the_query_and_of_the_platform_are_left_out(find):
    texts = ["水温 豆子 笔记", "水温 豆子 笔记", "滤纸"]
    assert len(find(texts, 5, leave_out=["豆子"], stop_words={"笔记"})) == 1


@pytest.mark.parametrize(
    "text", ["", "的 了 是", "https://example.com/a", "[笑哭R] @某人", "！！！", "🎉🎉", "我们 点赞"]
)
def test_texts_without_content_have_no_words(text):
    assert content_words(text) == []


def test_a_mentioned_name_ends_at_a_punctuation_mark():
    assert content_words("@某人：水温") == ["水温"]


def test_latin_words_are_in_small_letters():
    assert content_words("Docker DOCKER C#") == ["docker", "docker", "c#"]
