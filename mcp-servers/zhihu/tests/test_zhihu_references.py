"""Tests of how callers may name questions, answers, articles and users."""

from __future__ import annotations

import pytest
from dyber_kit import ServiceError
from dyber_kit.language import using_language

from zhihu_server.model.references import Reference, References

REFERENCES = References("https://www.zhihu.com", "https://zhuanlan.zhihu.com")
ANSWER = Reference("answer", "188001", "4207849")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("answer:188001", Reference("answer", "188001")),
        ("https://www.zhihu.com/question/4207849/answer/188001", ANSWER),
        ("http://zhihu.com/question/4207849/answer/188001?utm_psn=1&share_code=x#top", ANSWER),
        ("www.zhihu.com/question/4207849/answer/188001", ANSWER),
        ("【习惯和意志力 - 作者的回答 - 知乎】https://www.zhihu.com/question/4207849/answer/188001，很好", ANSWER),
        ("https://www.zhihu.com/answer/188001", Reference("answer", "188001")),
        ("https://m.zhihu.com/question/4207849/answers/188001", ANSWER),
        ("zhihu://answers/188001", Reference("answer", "188001")),
        ("https://www.zhihu.com/api/v4/answers/188001?include=content", Reference("answer", "188001")),
        ("https://www.zhihu.com/tardis/bd/ans/188001", Reference("answer", "188001")),
        ("https://oia.zhihu.com/answers/188001", Reference("answer", "188001")),
        ("https://zhuanlan.zhihu.com/p/77001", Reference("article", "77001")),
        ("https://www.zhihu.com/p/77001", Reference("article", "77001")),
        ("zhihu://articles/77001", Reference("article", "77001")),
        ("https://www.zhihu.com/tardis/zm/art/77001", Reference("article", "77001")),
        ("https://link.zhihu.com/?target=https%3A//zhuanlan.zhihu.com/p/77001", Reference("article", "77001")),
    ],
)
def test_answers_and_articles_are_named_in_any_form(text, expected):
    assert REFERENCES.content(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "4207849", "question:4207849", "https://www.zhihu.com/question/4207849", "zhihu://questions/4207849",
        "https://www.zhihu.com/question/4207849/answers/updated", "https://www.zhihu.com/question/4207849/answer/188001",
        "https://www.zhihu.com/tardis/bd/qus/4207849", "https://api.zhihu.com/questions/4207849",
    ],
)  # fmt: skip
def test_questions_are_named_in_any_form(text):
    assert REFERENCES.question(text) == Reference("question", "4207849")


@pytest.mark.parametrize(
    "text",
    [
        "zhang-jia-wei", "@zhang-jia-wei", "user:zhang-jia-wei", "https://www.zhihu.com/people/zhang-jia-wei",
        "https://www.zhihu.com/people/zhang-jia-wei/answers?page=2", "https://www.zhihu.com/org/zhang-jia-wei",
        "zhihu://people/zhang-jia-wei",
    ],
)  # fmt: skip
def test_users_are_named_in_any_form(text):
    assert REFERENCES.user(text) == Reference("user", "zhang-jia-wei")


@pytest.mark.parametrize(
    "text",
    [
        "188001", "https://example.com/question/1/answer/2", "https://zhihu.com.example.com/p/1", "知乎",
        "https://www.zhihu.com/", "answer:", "https://evil.example/?u=https://x", "https://[/p/1",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ServiceError) as raised:
        REFERENCES.content(text)
    assert "answer:123456" in raised.value.text and raised.value.fields == ("content",)


def test_errors_are_in_the_language_of_the_caller():
    with pytest.raises(ServiceError) as raised:
        REFERENCES.content("知乎")
    assert "没有认出知乎的内容" in raised.value.text
    with using_language("en"):
        assert "names nothing on Zhihu" in raised.value.text


def test_another_kind_is_refused_with_the_tool_for_it():
    with pytest.raises(ServiceError, match="zhihu_get_question"):
        REFERENCES.content("https://www.zhihu.com/question/4207849")
    with pytest.raises(ServiceError, match="zhihu_get_content"):
        REFERENCES.question("answer:188001")
    with pytest.raises(ServiceError, match="想法"):
        REFERENCES.content("https://www.zhihu.com/pin/17")


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        (ANSWER, "https://www.zhihu.com/question/4207849/answer/188001"),
        (Reference("answer", "188001"), "https://www.zhihu.com/answer/188001"),
        (Reference("article", "77001"), "https://zhuanlan.zhihu.com/p/77001"),
        (Reference("user", "an"), "https://www.zhihu.com/people/an"),
        (Reference("question", "1"), "https://www.zhihu.com/question/1"),
    ],
)
def test_each_kind_has_its_address(reference, address):
    assert REFERENCES.url(reference) == address
    assert REFERENCES.find(reference.ref) == Reference(reference.kind, reference.id)
