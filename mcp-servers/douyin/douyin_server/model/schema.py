"""Makes answers and their output schemas short, because agents pay for both."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema

Source = Literal["web", "browser", "cache"]


class Item(BaseModel):
    """Is the base of what lists contain. A field without a value, an empty list and `false` are left out."""

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value not in (None, []) and value is not False}


class Answer(BaseModel):
    """Is the base of the answers of all tools. A field without a value is left out.

    The published schema gives the names of the fields, and the types of numbers, flags, lists and objects; a field
    without a type is a text. The README describes the items of lists.
    """

    source: Source = "browser"
    fetched_at: str
    warnings: list[str] = []

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        return {"type": "object", "properties": {name: _type(field) for name, field in schema["properties"].items()}}


def _type(field: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    named = "object" if "$ref" in kinds[0] else kinds[0].get("type", "string")
    return {} if named == "string" else {"type": named}
