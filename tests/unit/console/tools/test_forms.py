"""Makes forms from schemas and reads arguments from them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dyber_console.language import using_language
from dyber_console.tools import forms

from cli.system.checkout import ROOT

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["keyword"],
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": 40, "default": 10},
        "keyword": {"type": "string", "minLength": 1, "maxLength": 100, "description": "Words"},
        "sort": {"enum": ["general", "latest"], "default": "general"},
        "kind": {"enum": ["a", "b", "c", "d", "e"]},
        "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None},
        "exact": {"type": "boolean"},
        "filter": {"type": "object"},
        "text": {"type": "string", "maxLength": 5000},
    },
}


def test_each_argument_has_the_field_of_its_schema_and_the_required_ones_are_first() -> None:
    kinds = {field.name: field.kind for field in forms.fields(SCHEMA)}
    assert kinds == {
        "keyword": "text",
        "limit": "number",
        "sort": "segments",
        "kind": "select",
        "tags": "lines",
        "exact": "flag",
        "filter": "json",
        "text": "area",
    }
    assert next(iter(kinds)) == "keyword"


def test_more_than_six_fields_are_folded() -> None:
    shown, folded = forms.split(forms.fields(SCHEMA))
    assert (len(shown), len(folded)) == (6, 2)


def test_arguments_have_the_types_of_the_schema_and_empty_ones_are_left_out() -> None:
    sent = {
        "keyword": "coffee",
        "limit": "20",
        "sort": "latest",
        "kind": "",
        "tags": " a \n\nb",
        "exact": "1",
        "filter": '{"x": 1}',
    }
    assert forms.arguments(SCHEMA, sent) == {
        "keyword": "coffee",
        "limit": 20,
        "sort": "latest",
        "tags": ["a", "b"],
        "exact": True,
        "filter": {"x": 1},
    }


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"limit": "many"}, "limit"),
        ({"limit": "41"}, "limit"),
        ({"sort": "other"}, "sort"),
        ({"filter": "{"}, "filter"),
    ],
)
def test_what_cannot_be_used_is_named(sent: dict[str, str], name: str) -> None:
    with using_language("en"), pytest.raises(forms.UnusableArguments) as caught:
        forms.arguments(SCHEMA, {"keyword": "coffee", **sent})
    assert caught.value.name == name
    assert name in str(caught.value)


@pytest.mark.parametrize("file", sorted(ROOT.glob("mcp-servers/*/tools.lock.json")), ids=lambda file: file.parent.name)
def test_every_tool_of_the_services_has_a_form(file: Any) -> None:
    for name, tool in json.loads(file.read_text(encoding="utf-8"))["tools"].items():
        listed = forms.fields(tool["inputSchema"])
        assert {field.name for field in listed} == set(tool["inputSchema"].get("properties", {})), name


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "integer", "maximum": "100"},
        {"type": "integer", "minimum": True},
        {"type": "number", "maximum": 10**400},
        {"type": "number", "minimum": float("nan")},
        {"type": "string", "maxLength": "9"},
        {"type": "string", "minLength": [1], "maxLength": 5},
        {"type": "string", "enum": None},
        {"enum": 3},
        {"anyOf": 3},
        {"oneOf": {"a": 1}},
        {"type": {"a": 1}},
        {"type": "array", "items": {"anyOf": 3}},
        "text",
        None,
    ],
    ids=str,
)
def test_a_malformed_argument_is_a_field_for_json_and_the_others_stay(entry: Any) -> None:
    schema = {"required": ["broken"], "properties": {"broken": entry, "keyword": {"type": "string"}}}
    broken, keyword = forms.fields(schema)
    assert (broken.name, broken.kind, broken.required) == ("broken", "json", True)
    assert keyword.kind == "text"
    assert forms.arguments(schema, {"broken": "[1]", "keyword": "coffee"}) == {"broken": [1], "keyword": "coffee"}


@pytest.mark.parametrize(
    "schema", [{"required": 5}, {"required": [{}]}, {"properties": [1]}, {"properties": 5}], ids=str
)
def test_a_malformed_schema_demands_nothing(schema: dict[str, Any]) -> None:
    schema = {"properties": {"keyword": {"type": "string"}}, **schema}
    assert not any(field.required for field in forms.fields(schema))
