"""Gives answers short forms and short output schemas, since agents pay for both.

    class Topic(Item):
        title: str
        likes: int | None = None


    class Topics(Answer):
        items: list[Topic]
        warnings: list[Notice] = []

A schema shows every field, also those of nested items, with the types of numbers, flags, lists and objects; a field
without a type is a text. It shows nothing else: no `$ref`, which many clients do not follow, and no titles and texts. A
field that only some answers have, such as those with an argument `verbose`, can be declared with pydantic's
`SkipJsonSchema`: schemas leave it out, and the argument's description names it. A service with many tools writes
`schema_levels = 1` in the base of its answers: schemas then leave out the fields of nested items, which its README
describes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import CoreSchema

from dyber_kit.language import Text, text_from_json

Schema = dict[str, Any]
Resolve = Callable[[Schema], Schema]

# Context of a serialization whose texts can be translated again.
_TO_KEEP = "to_keep"


def _read_notice(value: Any) -> Text | str:
    return value if isinstance(value, Text) else text_from_json(value)


def _shown_notice(notice: Text | str, info: SerializationInfo) -> Any:
    return notice.to_json() if isinstance(notice, Text) and info.context == _TO_KEEP else str(notice)


#: A text for the reader of an answer. Each caller of a shared or cached answer gets it in the language of the request.
Notice = Annotated[
    Text | str,
    PlainValidator(_read_notice),
    PlainSerializer(_shown_notice),
    WithJsonSchema({"type": "string"}),
]


def to_keep(model: BaseModel) -> Schema:
    """Return a model as JSON for a cache; each `Notice` in it can be translated again."""
    return model.model_dump(mode="json", context=_TO_KEEP)


class CompleteAnswer(BaseModel):
    """Is the base of the answers of tools that always have all their fields; a field without a value is null.

    Attributes:
        schema_levels: How many levels of objects the schema shows with their fields; the answer itself is the first.
    """

    schema_levels: ClassVar[int] = 8

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return _Shapes(handler.resolve_ref_schema, has_nulls=True).of(handler(core_schema), cls.schema_levels)


class Answer(BaseModel):
    """Is the base of the answers of tools; a field without a value is left out of the answer.

    Attributes:
        schema_levels: How many levels of objects the schema shows with their fields; the answer itself is the first.
    """

    schema_levels: ClassVar[int] = 8

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> Schema:
        values: Schema = serialize(self)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return _Shapes(handler.resolve_ref_schema).of(handler(core_schema), cls.schema_levels)


class Item(BaseModel):
    """Is the base of the objects in answers; fields without a value, empty lists and `false` are left out.

    A field that can be empty or `false` therefore has a default.
    """

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, serialize: SerializerFunctionWrapHandler) -> Schema:
        values: Schema = serialize(self)
        return {name: value for name, value in values.items() if value not in (None, [], {}) and value is not False}


class _Shapes:
    """Shortens JSON schemas to the types of values.

    Args:
        resolve: Returns what a `$ref` leads to.
        has_nulls: Whether values may be null; these are shown without a type, too.
    """

    def __init__(self, resolve: Resolve, *, has_nulls: bool = False) -> None:
        self._resolve = resolve
        self._has_nulls = has_nulls

    def of(self, rules: Schema, levels: int, outer: tuple[str, ...] = ()) -> Schema:
        """Return the type of a value; {} for a text.

        Args:
            rules: The value's schema.
            levels: How many levels of objects are shown with their fields.
            outer: The objects that the value is in; an object within itself is shown without its fields.
        """
        resolved = self._resolve(rules)
        kinds = [self._resolve(kind) for kind in resolved.get("anyOf", [resolved])]
        known = [kind for kind in kinds if kind.get("type") != "null"]
        if self._has_nulls and len(known) < len(kinds):
            return {}
        kind = known[0]
        if choices := kind.get("enum") or ([kind["const"]] if "const" in kind else None):
            return {"enum": choices}
        if kind["type"] == "array":
            return self._array(kind, levels, outer)
        if kind["type"] == "object":
            return self._object(kind, levels, outer)
        return {} if kind["type"] == "string" else {"type": kind["type"]}

    def _array(self, kind: Schema, levels: int, outer: tuple[str, ...]) -> Schema:
        entries = self.of(kind["items"], levels, outer)
        return {"type": "array"} if entries in ({}, {"type": "object"}) else {"type": "array", "items": entries}

    def _object(self, kind: Schema, levels: int, outer: tuple[str, ...]) -> Schema:
        title = str(kind.get("title", ""))
        if "properties" in kind and levels and title not in outer:
            inner = (*outer, title)
            fields = {name: self.of(field, levels - 1, inner) for name, field in kind["properties"].items()}
            return {"type": "object", "properties": fields}
        values = kind.get("additionalProperties")
        shown = self.of(values, levels, outer) if isinstance(values, dict) and values else {}
        return {"type": "object", "additionalProperties": shown} if shown else {"type": "object"}
