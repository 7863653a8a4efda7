"""Makes answers and their output schemas short, because agents pay for both."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema

Source = Literal["official", "browser", "cache"]


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
    warnings: list[str] = []

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
