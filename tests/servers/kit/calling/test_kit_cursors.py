"""Tests of paging cursors, and of answers that are kept within their size."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import answer_chars, decode_cursor, encode_cursor, fit_answer, fit_items
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel


class Page(BaseModel):
    items: list[str]
    count: int
    text: str = ""
    truncated: bool = False


class PageWithCursor(Page):
    next_cursor: str | None = None


class Bare(BaseModel):
    items: list[str]


def test_a_decoded_cursor_is_its_position():
    assert decode_cursor("search:茶", encode_cursor("search:茶", {"page": 2, "id": "x"})) == {"page": 2, "id": "x"}


@pytest.mark.parametrize(
    "change", [lambda c: c[:-2], lambda c: "A" + c[1:], lambda c: "", lambda c: "??", lambda c: c * 2]
)
def test_an_altered_cursor_is_refused(change):
    with pytest.raises(ServiceError) as caught:
        decode_cursor("search", change(encode_cursor("search", {"page": 2})))
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    assert "next_cursor" in caught.value.next_step


def test_a_cursor_of_another_query_is_refused():
    with pytest.raises(ServiceError, match="不属于这次查询"):
        decode_cursor("search:咖啡", encode_cursor("search:茶", {"page": 2}))


@given(st.text(max_size=200))
def test_any_other_text_is_refused_with_a_code(text):
    with pytest.raises(ServiceError):
        decode_cursor("search", text)


def test_a_position_that_is_too_long_for_a_cursor_is_an_error_with_a_next_step():
    with pytest.raises(ServiceError, match=r"放不进游标（.*最多 1000 个）。下一步：请用更具体的查询") as raised:
        encode_cursor("search", {"x": "y" * 2000})
    assert raised.value.code is ErrorCode.UPSTREAM_CHANGED


def test_a_text_that_is_longer_than_any_cursor_is_refused_without_being_read():
    body = json.dumps({"x": "y" * 2000}).encode()
    cursor = base64.urlsafe_b64encode(hashlib.sha256(b"search\0" + body).digest()[:6] + body).rstrip(b"=").decode()
    with pytest.raises(ServiceError, match="cursor 无法识别") as raised:
        decode_cursor("search", cursor)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT


def test_items_are_kept_from_the_start_while_they_fit():
    assert fit_items(["aaaa", "bbbb", "cccc"], 17) == ["aaaa", "bbbb"]
    assert fit_items(["a" * 100], 10) == ["a" * 100]


def test_an_answer_that_fits_is_returned_unchanged():
    page = Page(items=["a"], count=1)
    assert fit_answer(page, 1000) is page


@given(
    st.lists(st.text(max_size=80), max_size=30),
    st.text(max_size=400),
    st.integers(min_value=120, max_value=2000),
)
def test_a_cut_answer_stays_within_its_size_and_is_marked_as_truncated(items, text, max_chars):
    page = Page(items=items, count=len(items), text=text)
    size = answer_chars(page)
    try:
        fitted = fit_answer(page, max_chars)
    except ServiceError:
        assert size > max_chars
        return
    assert answer_chars(fitted) <= max_chars
    assert fitted.truncated is (size > max_chars)
    assert fitted.count == len(fitted.items)
    assert fitted.items == items[: len(fitted.items)]


def test_the_longest_list_is_cut_first():
    fitted = fit_answer(Page(items=["x" * 50] * 20, count=20, text="keep me"), 400)
    assert (fitted.text, fitted.truncated) == ("keep me", True)
    assert 0 < fitted.count < 20


@pytest.mark.parametrize(
    "page", [Bare(items=["x" * 500]), PageWithCursor(items=["x" * 50] * 20, count=20, next_cursor="abc")]
)
def test_an_answer_that_cannot_be_cut_is_refused_with_the_argument_to_change(page):
    with pytest.raises(ServiceError) as caught:
        fit_answer(page, 200)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    assert "limit" in caught.value.next_step
