"""Reads parts of JSON schemas that services send, which may be malformed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the properties of an object's schema; none when they are malformed."""
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def required(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the required properties; none when they are malformed."""
    found = schema.get("required")
    return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else frozenset()
