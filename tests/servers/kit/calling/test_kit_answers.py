"""Tests that every part of an answer has a limit, and that failures reach models and programs."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.answers import MAX_MEDIA_CHARS, failed, within_limits
from mcp.types import AudioContent, CallToolResult, EmbeddedResource, ImageContent, TextContent, TextResourceContents

LIMIT = 1000
LONG = "长" * (LIMIT + 1)


def text(length: int) -> TextContent:
    return TextContent(type="text", text="a" * length)


def image(length: int) -> ImageContent:
    return ImageContent(type="image", data="A" * length, mime_type="image/png")


@pytest.mark.parametrize(
    "result",
    [
        CallToolResult(content=[text(LIMIT)], structured_content={"a": "b"}),
        CallToolResult(content=[image(MAX_MEDIA_CHARS), text(10)]),
        CallToolResult(content=[]),
    ],
)
def test_an_answer_within_its_limits_is_sent(result: CallToolResult) -> None:
    within_limits(result, LIMIT)


@pytest.mark.parametrize(
    "result",
    [
        CallToolResult(content=[text(LIMIT + 1)]),
        CallToolResult(content=[text(LIMIT // 2), text(LIMIT // 2 + 1)]),
        CallToolResult(content=[], structured_content={"a": LONG}),
        CallToolResult(content=[], _meta={"a": LONG}),
        CallToolResult(
            content=[EmbeddedResource(type="resource", resource=TextResourceContents(uri="a://b", text=LONG))]
        ),
        CallToolResult(content=[image(MAX_MEDIA_CHARS + 4)]),
        CallToolResult(content=[AudioContent(type="audio", data="A" * (MAX_MEDIA_CHARS + 4), mime_type="audio/wav")]),
    ],
)
def test_every_part_of_an_answer_has_a_limit(result: CallToolResult) -> None:
    with pytest.raises(ServiceError, match="超过上限") as raised:
        within_limits(result, LIMIT)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT


def test_a_failure_is_a_text_for_models_and_data_for_programs() -> None:
    answer = failed(ServiceError(ErrorCode.BUSY, retry_after=4.2))
    assert answer.is_error and answer.structured_content is None
    assert answer.content[0].text.startswith("BUSY：服务正忙。下一步：")
    details = answer.meta["dyber/error"]
    assert (details["code"], details["retryable"], details["retry_after_seconds"]) == ("BUSY", True, 5)
