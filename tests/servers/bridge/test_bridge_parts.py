"""Checks the parts of the bridge that decide without a running server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from dyber_kit.bridge.contract import unlisted_reason
from dyber_kit.bridge.listing import Item, Lock, compare, read_listing
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.offering.results import read_result
from dyber_kit.bridge.offering.schemas import Checker, ReadObject, read_object
from dyber_kit.bridge.settings import Values
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.framing import LineBuffer, TooLong, read_message
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import using_language
from jsonschema import Draft202012Validator
from mcp.types import JSONRPCError, JSONRPCResponse

from tests.stand_in.bridges import settings_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^\\p{Han}+$"},
        "size": {"type": "integer", "maximum": 9},
        "where": {"$ref": "#/$defs/place"},
    },
    "required": ["name"],
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc": "2.0", "id": 17, "result": {"text": "%s"}}',
        b'{"result": {"text": "%s"}, "jsonrpc": "2.0", "id": 17}',
        b'{"id":"17","jsonrpc":"2.0","result":"%s"}',
    ],
)
def test_the_id_of_a_line_that_is_too_long_is_found_at_its_start_or_end(line: bytes) -> None:
    buffer = LineBuffer(limit=10_000)
    whole = line % (b"x" * 50_000) + b"\n"
    lines = [line for start in range(0, len(whole), 7000) for line in buffer.feed(whole[start : start + 7000])]
    assert [line.request_id() for line in lines if isinstance(line, TooLong)] == [17]
    assert buffer.feed(b"next\n") == [b"next"]


@pytest.mark.parametrize(
    "line", [b"ready", b"[]", b"{}", b'{"id": 1}', b'{"id": 1, "result"', b'{"id": null, "error": 1}']
)
def test_what_is_no_message_is_not_read_as_one(line: bytes) -> None:
    assert read_message(line) is None


def test_numbers_and_characters_that_json_does_not_have_become_null_and_a_sign() -> None:
    message = read_message(b'{"id": 1, "result": {"value": NaN, "text": "a\xff\\ud83d"}}')
    assert isinstance(message, JSONRPCResponse)
    assert message.result == {"value": None, "text": "a\ufffd\ufffd"}


def test_a_result_that_is_no_object_is_an_error_of_its_call() -> None:
    message = read_message(b'{"id": 1, "result": [1]}')
    assert isinstance(message, JSONRPCError) and message.id == 1


def test_a_reference_of_a_schema_is_followed_within_the_schema_only() -> None:
    assert Checker(SCHEMA).problems({"name": "a", "where": {"city": 1}}) != []
    outside = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    assert Checker(outside).problems({"a": 1}) == []


def test_a_pattern_of_another_language_is_left_to_the_server() -> None:
    assert read_object({"name": "abc"}, SCHEMA, Checker(SCHEMA)) == ReadObject({"name": "abc"})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"name": "a", "size": None, "where": '{"city": "b"}'}, {"name": "a", "where": {"city": "b"}}),
        ('{"name": "a", "size": "3"}', {"name": "a", "size": 3}),
        ({"name": "a", "extra": None}, {"name": "a", "extra": None}),
        ({"name": "a", "size": ""}, {"name": "a"}),
        ({"name": "", "size": "null"}, {"name": ""}),
    ],
)
def test_arguments_with_a_certain_meaning_are_repaired_and_others_passed_as_they_are(given: Any, read: Any) -> None:
    assert read_object(given, SCHEMA, Checker(SCHEMA)) == ReadObject(read)


PLAIN: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": "integer", "default": 3}, "ratio": {"type": "number"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "a"},
        {"name": "a", "size": 3, "ratio": 1},
        {"name": "a", "size": 3.0},
        {"name": "a", "size": True},
        {"name": 1},
        {},
        {"name": "a", "other": 1},
        {"name": None},
        [],
    ],
)
@pytest.mark.parametrize("changes", [{}, {"additionalProperties": True}, {"required": []}, {"minProperties": 2}])
def test_the_quick_check_of_plain_schemas_says_the_same_as_the_whole_one(value: Any, changes: dict[str, Any]) -> None:
    schema = PLAIN | changes
    assert (Checker(schema).problems(value) == []) is Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("given", "read", "warned"),
    [
        ({"name": "a", "toolCallId": "call_1", "sessionId": "s", "action": "sendMessage"}, {"name": "a"}, []),
        ({"name": "a", "toolCallId": "call_1", "size": "5"}, {"name": "a", "size": 5}, []),
        ({"name": "a", "sizes": 5}, {"name": "a"}, ["sizes"]),
        ({"name": "a", "language": "go"}, {"name": "a"}, ["language"]),
    ],
)
def test_arguments_that_a_closed_schema_does_not_know_are_ignored(given: Any, read: Any, warned: list[str]) -> None:
    result = read_object(given, PLAIN, Checker(PLAIN))
    assert result.arguments == read
    assert [warning for warning in result.warnings if any(name in warning for name in warned)] == result.warnings
    assert len(result.warnings) == len(warned)


def test_a_misspelled_argument_that_is_required_is_named_with_the_right_name() -> None:
    with pytest.raises(ServiceError) as refused:
        read_object({"names": "a"}, PLAIN, Checker(PLAIN))
    assert list(refused.value.fields) == ["name"] and "names" in str(refused.value.message)


@pytest.mark.parametrize("schema", [{"type": "object", "required": 1}, {"type": ["object"], "properties": {"a": 1}}])
def test_a_schema_that_cannot_be_used_checks_nothing(schema: dict[str, Any]) -> None:
    assert Checker(schema).problems({"b": 1}) == []


@pytest.mark.parametrize(
    ("given", "fields"), [({}, ["name"]), ({"name": 1, "size": 10}, ["name", "size"]), ("[1]", ["arguments"])]
)
def test_arguments_that_break_the_schema_name_their_places(given: Any, fields: list[str]) -> None:
    with pytest.raises(ServiceError) as refused:
        read_object(given, SCHEMA, Checker(SCHEMA))
    assert (refused.value.code, list(refused.value.fields)) == (ErrorCode.INVALID_ARGUMENT, fields)


@pytest.mark.parametrize(
    ("rules", "given", "zh", "en"),
    [
        ({"enum": ["甲", "乙"]}, "丙", '应为 "甲"、"乙" 之一', 'must be one of "甲", "乙"'),
        ({"type": "string"}, 1, "应为文字", "must be a text"),
        ({"type": ["integer", "null"]}, "x", "应为整数", "must be an integer"),
        ({"type": "integer", "maximum": 10}, 11, "应为不大于 10 的整数", "must be an integer not above 10"),
        ({"type": "number", "minimum": 1, "maximum": 2}, 3, "应为 1 到 2 的数", "must be a number from 1 to 2"),
        ({"minimum": 1}, 0, "应为不小于 1 的数", "must be a number not below 1"),
        ({"exclusiveMinimum": 0}, 0, "应为大于 0 的数", "must be a number above 0"),
        ({"exclusiveMaximum": 9}, 9, "应为小于 9 的数", "must be a number below 9"),
        ({"multipleOf": 5}, 6, "应为 5 的倍数", "must be a multiple of 5"),
        ({"type": "array", "maxItems": 1}, [1, 2], "应为列表（最多 1 项）", "must be a list (of length 1 at most)"),
        ({"uniqueItems": True}, [1, 1], "不能有重复的值", "must not have the same value twice"),
        ({"not": {}}, 1, "不符合模式里的规则 not", "breaks the rule not of its schema"),
    ],
)
def test_a_broken_rule_is_told_in_words_of_the_callers_language(
    rules: dict[str, Any], given: Any, zh: str, en: str
) -> None:
    checker = Checker({"type": "object", "properties": {"a": rules}})
    for language, told in (("zh", zh), ("en", en)):
        with using_language(language):  # type: ignore[arg-type]
            assert checker.problems({"a": given}) == [("a", told)]


def test_an_answer_that_is_too_long_advises_only_what_the_tool_has() -> None:
    with using_language("en"):
        for names, advice in ((["rows", "from"], "(rows, from)"), ([], "nothing here can ask for less")):
            with pytest.raises(ServiceError) as refused:
                read_result({"structuredContent": {"a": "x" * 100}}, Masker([]), 50, names)
            assert advice in str(refused.value.next_step) and "max_chars" not in str(refused.value.next_step)


def test_every_missing_argument_is_named_once() -> None:
    schema = {"type": "object", "required": ["date", "from", "to"]}
    assert Checker(schema).problems({"from": "x"}) == [("date", "缺少"), ("to", "缺少")]


def test_a_list_keeps_usable_tools_and_says_what_it_repaired_and_refused() -> None:
    listed = [
        {
            "name": "good",
            "inputSchema": {"type": "object", "properties": {"a": {"x-mcp-header": "A"}}},
            "_meta": {"a": 1},
        },
        {"name": "loose", "inputSchema": {"type": "array"}, "description": None},
        {"name": "good", "inputSchema": {"type": "object"}},
        {"name": "名字"},
        "no tool",
        {"name": "later", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "required"}},
        {"name": "either", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "optional"}},
    ]
    listing = read_listing(listed)
    assert listing.tools["good"] == {"description": "", "inputSchema": {"type": "object", "properties": {"a": {}}}}
    assert listing.repaired == ("loose",)
    assert [name for name, _ in listing.refused] == ["good", "'名字'", "None", "later"]
    assert "任务" in listing.refused[-1][1] and "either" in listing.tools


def test_an_output_schema_that_the_reviewer_took_out_of_the_lock_is_no_difference() -> None:
    listing = read_listing([{"name": "a", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}}])
    without = {key: value for key, value in listing.tools["a"].items() if key != "outputSchema"}
    assert compare(Lock({"a": without}, None), listing).count == 0
    assert compare(Lock({"a": {**without, "title": "A"}}, None), listing).changed == {Item("tools", "a")}


def test_a_secret_is_masked_wherever_an_answer_has_it_and_before_a_text_is_cut() -> None:
    secret = "sk-0123456789"
    text = "x" * 1995 + secret
    answer = {"content": [{"type": "text", "text": text}], "structuredContent": {secret: [secret]}, "isError": True}
    result = read_result(answer, Masker([secret]), 24_000)
    assert secret[:4] not in json.dumps(result.model_dump(mode="json"))
    assert result.structured_content == {"***": ["***"]}


KEY = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B+/Qxx\nAAECAwQFBgcICQoLDA0ODw==\n-----END PRIVATE KEY-----\n"
)
ACCOUNT = json.dumps(
    {"type": "service_account", "private_key": KEY, "token_uri": "https://oauth2.example/token"}, indent=2
)


@pytest.mark.parametrize("secret", [KEY, ACCOUNT, json.dumps({"installed": {"client_secret": KEY}})])
@pytest.mark.parametrize(
    "told",
    [KEY, *KEY.splitlines()[1:3], json.dumps({"key": KEY}), quote(KEY.splitlines()[1], safe=""), f"key={KEY!r}"],
)
def test_a_secret_of_several_lines_is_masked_by_lines_and_as_json(secret: str, told: str) -> None:
    masked = Masker([secret]).text(told)
    assert "***" in masked and "MIIEvQ" not in masked and "AAECAw" not in masked


def test_ordinary_words_in_a_long_secret_are_no_secrets() -> None:
    kubeconfig = "apiVersion: v1\nserver: https://k8s.example:6443\ntoken: kubeconfig-0123456789\n"
    tokens = json.dumps({"token_type": "Bearer authentication", "access_token": "at-0123456789abc"})
    masker = Masker([ACCOUNT, kubeconfig, tokens])
    text = "POST https://oauth2.example/token {} Bearer authentication apiVersion: v1 server: https://k8s.example:6443"
    assert masker.text(text) == text
    assert masker.text("at-0123456789abc") == "***"


def test_a_structure_that_only_wraps_a_text_is_cut_like_the_text() -> None:
    long = "字" * 50_000
    answer = {"content": [{"type": "text", "text": long}], "structuredContent": {"result": long}}
    result = read_result(answer, Masker([]), 10_000)
    assert result.structured_content is not None and 9_000 < len(result.structured_content["result"]) <= 10_000


def test_texts_are_cut_at_the_border_of_a_part() -> None:
    parts = [{"type": "text", "text": letter * 600} for letter in "abc"]
    result = read_result({"content": parts}, Masker([]), 1000)
    texts = [part.text for part in result.content if part.type == "text"]
    assert texts[0] == "a" * 600 and "1200" in texts[1] and len(texts) == 2


def test_a_header_gets_the_value_of_a_secret_and_a_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    far = {"transport": "streamable-http", "url": "https://example.com/mcp", "secrets": {"KEY": "optional"}}
    settings = settings_of((), **far, headers={"Authorization": "Bearer ${KEY}"})
    with pytest.raises(ValueError, match="KEY"):
        Values(settings).headers()
    monkeypatch.setenv("KEY", "0123456789")
    assert Values(settings).headers() == {"Authorization": "Bearer 0123456789"}


def test_the_reason_why_a_server_cannot_be_listed_has_no_secret() -> None:
    error = RuntimeError("404 for https://example.org/sse?key=sk-0123456789")
    told = unlisted_reason(settings_of(), error, Masker(["sk-0123456789"]), ChildLog(Masker([])))
    assert "key=***" in told and "sk-0" not in told
