"""Makes answers and their output schemas short, because agents pay for both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from dyber_kit.language import Text, text_from_json
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

Source = Literal["official", "browser", "cache"]
# Context of a serialization whose texts can be translated again.
_TO_KEEP = "to_keep"


def _read_notice(value: Any) -> Text | str:
    return value if isinstance(value, Text) else text_from_json(value)


def _shown_notice(notice: Text | str, info: SerializationInfo) -> Any:
    return notice.to_json() if isinstance(notice, Text) and info.context == _TO_KEEP else str(notice)


#: A warning, which each caller of a shared or cached answer gets in the language of the request.
Notice = Annotated[
    Text | str,
    PlainValidator(_read_notice),
    PlainSerializer(_shown_notice),
    WithJsonSchema({"type": "string"}),
]


class Item(BaseModel):
    """Is the base of what lists contain; fields without a value, empty lists and `false` are left out."""

    @model_serializer(mode="wrap")
    def _without_gaps(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if value not in (None, [], {}) and value is not False}


class Answer(BaseModel):
    """Is the base of the answers of all tools; a field without a value is left out.

    The published schema gives the names of the fields, and the types of numbers, flags, lists and objects; a field
    without a type is a text. The README describes the items of lists.
    """

    source: Source = "browser"
    fetched_at: str
    warnings: list[Notice] = []

    def to_keep(self) -> dict[str, Any]:
        """Return the answer as JSON for a cache, with warnings that can be translated again."""
        return self.model_dump(mode="json", context=_TO_KEEP)

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        return {"type": "object", "properties": {name: _type(field) for name, field in schema["properties"].items()}}


def _type(field: dict[str, Any]) -> dict[str, Any]:
    for kind in field.get("anyOf", [field]):
        named = "object" if "$ref" in kind else kind.get("type", "string")
        if named not in ("string", "null"):
            return {"type": named}
    return {}
