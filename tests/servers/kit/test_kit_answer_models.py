"""Tests of the bases of answers: short answers, and short output schemas."""

from __future__ import annotations

from typing import Literal

from dyber_kit.answer_models import Answer, Item
from pydantic.json_schema import SkipJsonSchema


class Reply(Item):
    """Describes a reply."""

    text: str
    likes: int | None = None


class Topic(Item):
    """Describes a topic."""

    kind: Literal["text", "video"]
    only: Literal["one"] = "one"
    score: float | None = None
    replies: list[Reply]
    url: SkipJsonSchema[str | None] = None


class Topics(Answer):
    """Holds topics."""

    items: list[Topic]
    by_name: dict[str, Reply]
    complete: bool = False
    next_cursor: str | None = None


def test_a_schema_shows_the_types_of_all_fields_and_of_nested_items_and_nothing_else():
    reply = {"type": "object", "properties": {"text": {"type": "string"}, "likes": {"type": "integer"}}}
    topic = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["text", "video"]},
            "only": {"enum": ["one"]},
            "score": {"type": "number"},
            "replies": {"type": "array", "items": reply},
        },
    }
    assert Topics.model_json_schema() == {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": topic},
            "by_name": {"type": "object", "additionalProperties": reply},
            "complete": {"type": "boolean"},
            "next_cursor": {"type": "string"},
        },
    }


def test_an_answer_leaves_out_fields_without_a_value_and_keeps_its_empty_lists():
    assert Topics(items=[], by_name={}).model_dump() == {"items": [], "by_name": {}, "complete": False}


def test_an_item_leaves_out_fields_without_a_value_and_empty_lists():
    assert Topic(kind="text", replies=[]).model_dump(mode="json") == {"kind": "text", "only": "one"}
    assert Reply(text="", likes=0).model_dump() == {"text": "", "likes": 0}


def test_a_field_that_the_schema_leaves_out_is_in_the_answer_when_it_has_a_value():
    assert Topic(kind="text", replies=[], url="/1").model_dump() == {"kind": "text", "only": "one", "url": "/1"}
