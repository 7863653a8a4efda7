"""Tests of reading arguments: which values are converted, and the errors for all others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.arguments.reading import read_arguments
from dyber_kit.serving.mcp.accept import Form, answer_form
from pydantic import BaseModel, Field


class Arguments(BaseModel):
    """Has one argument of each kind."""

    word: Annotated[str, Field(min_length=1, max_length=20)] = "词"
    cursor: Annotated[str, Field(max_length=20)] = ""
    count: Annotated[int, Field(ge=1, le=40)] = 10
    ratio: Annotated[float, Field(ge=0, le=1)] = 0.5
    switch: bool = False
    order: Literal["general", "most_liked", "time"] = "general"
    level: Literal[1, 2, 3] = 1
    names: Annotated[list[str], Field(max_length=3)] = []
    numbers: list[int] = []
    options: dict[str, int] = {}
    maybe: int | None = 7


SCHEMA = Arguments.model_json_schema()
DEFAULTS = Arguments()


def read(**given: Any) -> Arguments:
    return read_arguments(Arguments, SCHEMA, given).checked


def refusal(given: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        read_arguments(Arguments, SCHEMA, given)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT
    return raised.value.text


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("count", "10", 10),
        ("count", " ７ ", 7),
        ("count", 10.0, 10),
        ("count", "10.0", 10),
        ("ratio", "0.25", 0.25),
        ("ratio", 1, 1.0),
        ("switch", "true", True),
        ("switch", "FALSE", False),
        ("switch", "是", True),
        ("switch", 1, True),
        ("word", 123, "123"),
        ("word", 2.5, "2.5"),
        ("order", "Most-Liked ", "most_liked"),
        ("level", "2", 2),
        ("names", '["a", "b"]', ["a", "b"]),
        ("names", "a", ["a"]),
        ("names", ["a", 5], ["a", "5"]),
        ("numbers", "[1, 2]", [1, 2]),
        ("numbers", 3, [3]),
        ("numbers", "3", [3]),
        ("options", '{"x": 1}', {"x": 1}),
        ("maybe", "3", 3),
        ("maybe", None, None),
    ],
)
def test_a_value_with_a_certain_meaning_is_converted(name: str, given: Any, expected: Any) -> None:
    value = getattr(read(**{name: given}), name)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("name", [name for name in Arguments.model_fields if name != "maybe"])
@pytest.mark.parametrize("given", [None, "null", " null "])
def test_null_stands_for_the_default(name: str, given: Any) -> None:
    assert read(**{name: given}) == DEFAULTS


def test_null_is_a_value_when_the_schema_allows_it() -> None:
    class Nullable(BaseModel):
        """Has one required argument that may be null."""

        since: int | None

    schema = Nullable.model_json_schema()
    assert read_arguments(Nullable, schema, {"since": None}).checked.since is None
    with pytest.raises(ServiceError, match="缺少参数 since"):
        read_arguments(Nullable, schema, {})


@pytest.mark.parametrize("name", ["word", "cursor", "count", "ratio", "switch", "order", "level", "names", "maybe"])
def test_an_empty_text_stands_for_the_default_when_it_is_not_a_valid_value(name: str) -> None:
    assert read(**{name: ""}) == DEFAULTS


def test_a_warning_reports_the_text_null_in_place_of_a_text() -> None:
    assert read_arguments(Arguments, SCHEMA, {"cursor": "null"}).warnings == ["cursor 的值是文字 null，按没有填写处理"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("count", True),
        ("count", 10.5),
        ("count", "十"),
        ("count", "1e1"),
        ("count", float("inf")),
        ("count", [10]),
        ("count", "9" * 5000),
        ("ratio", "nan"),
        ("ratio", False),
        ("ratio", 10**400),
        ("switch", "maybe"),
        ("switch", 2),
        ("word", True),
        ("word", ["a"]),
        ("word", {"a": 1}),
        ("word", 1e30),
        ("order", "hottest"),
        ("order", 1),
        ("level", 4),
        ("level", True),
        ("names", {"a": 1}),
        ("names", ["a", ["b"]]),
        ("names", ["a", "b", "c", "d"]),
        ("numbers", ["one"]),
        ("options", "[1]"),
        ("options", 5),
    ],
)
def test_a_value_without_a_certain_meaning_is_refused_with_bounds_and_an_example(name: str, given: Any) -> None:
    text = refusal({name: given})
    assert f"{name}：应为" in text and "（给的是" in text and "，例如 " in text
    assert len(text) < 400


def test_half_a_character_is_refused():
    assert "word：应为完整的字符（给的是半个字符" in refusal({"word": "\ud800"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"count": 100}, "count：应为 1 到 40 的整数（给的是 100），最近的可用值是 40，例如 10"),
        ({"count": 0}, "（给的是 0），最近的可用值是 1，"),
        ({"ratio": -0.5}, "ratio：应为 0 到 1 的数（给的是 -0.5），最近的可用值是 0，例如 0.5"),
        (
            {"order": "most_like"},
            '应为 "general"、"most_liked"、"time" 之一（给的是 9 个字符的文字），最近的可用值是 "most_liked"',
        ),
        ({"word": "长" * 21}, "word：应为文字（1 到 20 个字符）（给的是 21 个字符的文字）"),
        ({"switch": "perhaps"}, "switch：应为 true 或 false（给的是 7 个字符的文字），例如 false"),
        ({"count": True}, "（给的是 true）"),
        ({"names": ["a"] * 4}, "names：应为列表（最多 3 项）（给的是 4 项的列表）"),
    ],
)
def test_a_refusal_names_the_bounds_the_kind_of_value_and_the_nearest_value(given: Any, sentence: str) -> None:
    assert sentence in refusal(given)


def test_a_refusal_never_repeats_the_texts_of_the_caller() -> None:
    text = refusal({"count": "hunter2", "order": "hunter2", "switch": "hunter2", "options": "hunter2"})
    assert "hunter2" not in text


def test_problems_beyond_the_maximum_are_only_counted() -> None:
    wrong = {name: {"a": "b"} for name in Arguments.model_fields if name != "options"}
    assert "；另有 5 处" in refusal(wrong)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("Count", "count"), ("counts", "count"), ("curser", "cursor"), ("SWITCH", "switch")],
)
def test_a_warning_names_the_declared_name_that_an_unknown_name_resembles(given: str, expected: str) -> None:
    [warning] = read_arguments(Arguments, SCHEMA, {given: 1}).warnings
    assert f"没有名为 {given} 的参数" in warning and f"是否想用 {expected}？" in warning


@pytest.mark.parametrize("given", ["toolCallId", "sessionId", "action", ""])
def test_a_name_that_clients_add_to_every_call_is_ignored_without_a_warning(given: str) -> None:
    assert read_arguments(Arguments, SCHEMA, {given: 1}).warnings == []


@pytest.mark.parametrize("given", ["language", "x" * 5000])
def test_any_other_unknown_name_is_ignored_with_a_warning(given: str) -> None:
    [warning] = read_arguments(Arguments, SCHEMA, {given: 1, "toolCallId": "a"}).warnings
    assert warning.startswith(f"没有这些参数，已忽略：{given[:60]}") and len(warning) < 100


def test_a_similar_name_beside_the_declared_name_is_ignored_with_a_warning() -> None:
    assert read_arguments(Arguments, SCHEMA, {"count": 1, "counts": 2}).warnings == ["没有这些参数，已忽略：counts"]


def test_of_many_unknown_names_five_are_named() -> None:
    [warning] = read_arguments(Arguments, SCHEMA, {f"extra{number}{'x' * number}": 1 for number in range(30)}).warnings
    assert warning.count("extra") == 5 and warning.endswith(" …")


@pytest.mark.parametrize("given", [None, "", "null", "{}", {}])
def test_missing_arguments_are_the_defaults(given: Any) -> None:
    assert read_arguments(Arguments, SCHEMA, given).checked == DEFAULTS


def test_arguments_as_one_json_text_are_read() -> None:
    assert read_arguments(Arguments, SCHEMA, '{"count": "5"}').checked.count == 5


@pytest.mark.parametrize(
    "given",
    [
        r'{"cursor": "a\ud83d"}',
        {"names": r'["ok", "a\ud83d"]'},
        {"options": r'{"a\ud83d": 1}'},
    ],
)
def test_half_a_character_in_json_that_is_sent_as_text_is_refused(given: Any) -> None:
    assert "half a character" in refusal(given) or "半个字符" in refusal(given)


BOTH_FORMS = "application/json, text/event-stream"


@pytest.mark.parametrize(
    ("accept", "form", "form_with_progress"),
    [
        (None, Form.JSON, Form.EITHER),
        ("", Form.JSON, Form.EITHER),
        ("*/*", Form.JSON, Form.EITHER),
        ("application/json", Form.JSON, Form.JSON),
        ("Application/JSON;q=0.5", Form.JSON, Form.JSON),
        ("application/json, */*", Form.JSON, Form.EITHER),
        ("application/*", Form.JSON, Form.JSON),
        ("text/event-stream", Form.STREAM, Form.STREAM),
        (" text/event-stream ; q=0.5 ", Form.STREAM, Form.STREAM),
        ("text/*", Form.STREAM, Form.STREAM),
        (BOTH_FORMS, Form.EITHER, Form.EITHER),
        ("text/event-stream, application/json", Form.EITHER, Form.EITHER),
        ("application/json;q=0.5,text/event-stream;q=0.5", Form.EITHER, Form.EITHER),
        ("application/json, text/event-stream;q=0.1", Form.JSON, Form.EITHER),
        ("application/json;q=0, text/event-stream", Form.STREAM, Form.STREAM),
        ("application/json, text/event-stream;q=0", Form.JSON, Form.JSON),
        ("application/json;q=odd, text/event-stream", Form.EITHER, Form.EITHER),
        ("text/html", None, None),
        ("*/*;q=0", None, None),
    ],
)
def test_the_form_of_an_answer_follows_the_accept_header(accept: str, form: Form, form_with_progress: Form) -> None:
    assert (answer_form(accept, False), answer_form(accept, True)) == (form, form_with_progress)
