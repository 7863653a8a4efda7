"""Tests of the bases of answers: short answers, and short output schemas."""

from __future__ import annotations

from typing import Literal

import pytest
from dyber_kit.answer_models import Answer, CompleteAnswer, Item, Notice, to_keep
from dyber_kit.language import tr_lazy, using_language
from pydantic import Field
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


class Flagged(Item):
    """Describes something with flags."""

    pinned: bool = False
    counts: dict[str, int] = Field(default_factory=dict)
    likes: int | None = None


class Thread(Item):
    """Describes a reply with its replies."""

    text: str
    replies: list[Thread] = Field(default_factory=list)
    origin: Thread | None = None


class Threads(Answer):
    """Holds threads with a warning."""

    items: list[Thread]
    extra: dict[str, object] = Field(default_factory=dict)
    warnings: list[Notice] = Field(default_factory=list)


class Short(Threads):
    """Holds threads that its schema does not describe."""

    schema_levels = 1


class Complete(CompleteAnswer):
    """Holds an answer with all fields."""

    name: str | None = None
    count: int
    topic: Topic | None = None


def test_a_schema_shows_all_fields_and_nested_items_and_a_field_without_a_type_is_a_text():
    reply = {"type": "object", "properties": {"text": {}, "likes": {"type": "integer"}}}
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
            "next_cursor": {},
        },
    }


def test_an_answer_leaves_out_fields_without_a_value_and_keeps_its_empty_lists():
    assert Topics(items=[], by_name={}).model_dump() == {"items": [], "by_name": {}, "complete": False}


def test_an_item_leaves_out_fields_without_a_value_empty_lists_and_false():
    assert Flagged(pinned=False, counts={}, likes=0).model_dump() == {"likes": 0}
    assert Flagged(pinned=True, counts={"a": 0}).model_dump() == {"pinned": True, "counts": {"a": 0}}
    assert Topic(kind="text", replies=[]).model_dump(mode="json") == {"kind": "text", "only": "one"}
    assert Reply(text="", likes=0).model_dump() == {"text": "", "likes": 0}


def test_a_field_that_the_schema_leaves_out_is_in_the_answer_when_it_has_a_value():
    assert Topic(kind="text", replies=[], url="/1").model_dump() == {"kind": "text", "only": "one", "url": "/1"}


def test_an_object_within_itself_is_shown_without_its_fields():
    thread = Threads.model_json_schema()["properties"]["items"]["items"]
    assert thread["properties"]["replies"] == {"type": "array"}
    assert thread["properties"]["origin"] == {"type": "object"}


def test_lists_of_texts_and_free_values_are_shown_without_what_is_in_them():
    fields = Threads.model_json_schema()["properties"]
    assert fields["warnings"] == {"type": "array"}
    assert fields["extra"] == {"type": "object"}


def test_a_schema_of_one_level_leaves_out_the_fields_of_items():
    fields = Short.model_json_schema()["properties"]
    assert fields["items"] == {"type": "array"}


def test_a_complete_answer_has_null_for_a_missing_value_and_its_schema_allows_it():
    assert Complete(count=1).model_dump() == {"name": None, "count": 1, "topic": None}
    schema = Complete.model_json_schema()
    assert schema == {"type": "object", "properties": {"name": {}, "count": {"type": "integer"}, "topic": {}}}


@pytest.mark.parametrize(("language", "shown"), [("en", "The service is busy"), ("zh", "服务正忙")])
def test_a_kept_notice_is_shown_in_the_language_of_the_reader(language, shown):
    kept = to_keep(Threads(items=[], warnings=[tr_lazy("The service is busy"), "as it is"]))
    with using_language(language):
        assert Threads.model_validate(kept).model_dump()["warnings"] == [shown, "as it is"]
