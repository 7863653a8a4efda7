"""Output schemas that cost agents few tokens: names and types, with items as plain objects."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Answer(BaseModel):
    """What a tool returns: every field, always. The published schema names and types the fields; what is below them is
    in the README."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        return {"type": "object", "properties": {name: _type(field) for name, field in schema["properties"].items()}}


def _type(field: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in field:
        return {"type": "object"}
    if "anyOf" in field:
        return {"type": [_type(option)["type"] for option in field["anyOf"]]}
    if field["type"] == "array":
        return {"type": "array", "items": _type(field["items"])}
    return {"type": field["type"]}
