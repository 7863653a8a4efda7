"""Checks arguments and structures against the locked JSON Schemas of a foreign tool."""

from __future__ import annotations

import functools
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dyber_kit.calling.arguments.reading import ignored_arguments
from dyber_kit.calling.arguments.rules import allowed
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import joined_sentences, tr, tr_lazy

logger = logging.getLogger("dyber.bridge")

_MAX_PROBLEMS = 5
_LONGEST_PROBLEM = 200
# Rules about a range, and the types of the values that they are about: the first unless the schema says another.
_BOUNDS = {
    **dict.fromkeys(("minimum", "maximum"), ("number", "integer")),
    **dict.fromkeys(("minLength", "maxLength"), ("string",)),
    **dict.fromkeys(("minItems", "maxItems"), ("array",)),
}
# The child checks these itself: its regular expressions are those of another language, and can take very long.
_NOT_CHECKED = ("pattern", "format", "contentEncoding", "contentMediaType")


class Checker:
    """Checks values against a schema; a schema that cannot be used checks nothing, as the server checks too.

    References are followed within the schema only.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._plain = PlainSchema.of(schema)

    def problems(self, value: Any) -> list[tuple[str, str]]:
        """Return where a value breaks the schema, as path and rule; at most five."""
        if self._plain is not None and self._plain.fits(value):
            return []
        try:
            places = (
                (place, _rule(error)[:_LONGEST_PROBLEM]) for error in self._errors(value) for place in _places(error)
            )
            # Each missing argument is an error that names all of them, so a few errors more may be read than are kept.
            return list(dict.fromkeys(itertools.islice(places, _MAX_PROBLEMS**2)))[:_MAX_PROBLEMS]
        except Exception as error:
            logger.debug("schema not usable", extra={"problem": type(error).__name__})
            return []

    @functools.cached_property
    def _errors(self) -> Callable[[Any], Iterator[Any]]:
        # These imports are here because most processes that import the kit have no foreign server.
        from jsonschema.validators import (  # type: ignore[import-untyped] # the library has no types
            Draft202012Validator,
            extend,
            validator_for,
        )
        from referencing import Registry

        base = validator_for(self._schema, default=Draft202012Validator)
        lenient = extend(base, dict.fromkeys(_NOT_CHECKED, _accept))
        errors: Callable[[Any], Iterator[Any]] = lenient(self._schema, registry=Registry()).iter_errors
        return errors


_REMARKS = frozenset(
    ("title", "description", "default", "examples", "$comment", "$schema", "deprecated", *_NOT_CHECKED)
)
_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@dataclass(frozen=True)
class PlainSchema:
    """Knows the schema of an object with plain values, as most tools have, and tells quickly whether a value fits it.

    Attributes:
        types: The types of each property.
        required: The properties that a value must have.
        is_open: Whether a value may have other properties.
    """

    types: Mapping[str, tuple[type, ...]]
    required: frozenset[str]
    is_open: bool

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> PlainSchema | None:
        """Return what is known of a schema; None when it says more than the names and types of properties."""
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        known = _REMARKS | {"type", "properties", "required", "additionalProperties"}
        if schema.get("type") != "object" or not isinstance(others, bool) or not schema.keys() <= known:
            return None
        if not isinstance(properties, dict) or not all(map(_is_plain, properties.values())):
            return None
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            return None
        types = {name: _PLAIN_TYPES[value["type"]] for name, value in properties.items()}
        return cls(types, frozenset(required), others)

    def fits(self, value: Any) -> bool:
        """Return whether a value certainly fits; one that does not may still do, such as 1.0 for an integer."""
        if not isinstance(value, dict) or not self.required <= value.keys():
            return False
        for name, part in value.items():
            types = self.types.get(name)
            if types is None:
                if not self.is_open:
                    return False
            elif type(part) not in types:
                return False
        return True


def _is_plain(schema: Any) -> bool:
    return (
        isinstance(schema, dict) and schema.get("type") in tuple(_PLAIN_TYPES) and schema.keys() <= _REMARKS | {"type"}
    )


def _accept(*_: Any) -> None:
    return None


def _places(error: Any) -> list[str]:
    """Return the places of a problem: of arguments that are missing, their names."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        return [".".join([*path, name]) for name in error.validator_value if name not in error.instance]
    return [".".join(path) or "-"]


def _rule(error: Any) -> str:
    """Return the rule that a value breaks; the value, which the caller knows, is left out where that is possible."""
    expected = error.validator_value
    if error.validator == "required":
        return tr("is missing")
    if error.validator == "type":
        return allowed({"anyOf": [{"type": kind} for kind in ([expected] if isinstance(expected, str) else expected)]})
    if error.validator == "enum":
        return allowed({"enum": list(expected)})
    if error.validator == "const":
        return tr("must be {value}", value=json.dumps(expected, ensure_ascii=False))
    if error.validator in ("additionalProperties", "unevaluatedProperties") and expected is False:
        return tr("has names that the schema does not know")
    if error.validator in ("anyOf", "oneOf"):
        return tr("fits none of the forms that the schema allows, or more than one")
    if error.validator in _BOUNDS:
        return _range(error)
    if error.validator == "exclusiveMinimum":
        return tr("must be a number above {low}", low=expected)
    if error.validator == "exclusiveMaximum":
        return tr("must be a number below {high}", high=expected)
    if error.validator == "multipleOf":
        return tr("must be a multiple of {number}", number=expected)
    if error.validator == "uniqueItems":
        return tr("must not have the same value twice")
    return tr("breaks the rule {rule} of its schema", rule=error.validator)


def _range(error: Any) -> str:
    """Return the whole range of a value that is outside of it."""
    usual, *others = _BOUNDS[error.validator]
    types = error.schema.get("type", ())
    kind = next((other for other in others if other in types), usual)
    return allowed({"type": kind, **{name: error.schema[name] for name in _BOUNDS if name in error.schema}})


@dataclass(frozen=True)
class ReadObject:
    """Holds the arguments of a call as the server gets them, and warnings for the caller about others."""

    arguments: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def read_object(given: Any, schema: dict[str, Any], checker: Checker) -> ReadObject:
    """Return the arguments of a call, as the server gets them.

    Arguments that fit the schema are passed as they are. In others, `null` or an empty text for an argument that may be
    left out is left out, a text with JSON is read where it does not fit as a text, and what the schema does not declare
    is ignored, with a warning, where it allows nothing else.

    Raises:
        ServiceError: INVALID_ARGUMENT: they do not fit; the message names each place and rule.
    """
    arguments = _as_object(given)
    problems = checker.problems(arguments)
    warnings: list[str] = []
    if problems:
        unknown = _unknown(arguments, schema)
        known = {name: value for name, value in arguments.items() if name not in unknown}
        repaired = _repaired(known, schema, {path.partition(".")[0] for path, _ in problems})
        if repaired != arguments:
            if unknown:
                warnings = ignored_arguments(arguments, schema.get("properties") or {})
            arguments, problems = repaired, checker.problems(repaired)
    if problems:
        listed = "; ".join(f"{path}: {rule}" for path, rule in problems)
        if warnings:
            listed = joined_sentences([listed, *warnings])
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The arguments do not fit the tool's schema: {problems}", problems=listed),
            fields=sorted({path.partition(".")[0] for path, _ in problems} - {"-"}),
        )
    return ReadObject(arguments, warnings)


def _unknown(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the names of the arguments that a schema does not allow; clients and models add such ones."""
    if schema.get("additionalProperties") is not False or schema.get("patternProperties"):
        return []
    return [name for name in arguments if name not in (schema.get("properties") or {})]


def _as_object(given: Any) -> dict[str, Any]:
    if given is None or (isinstance(given, str) and given.strip() in ("", "null")):
        return {}
    if isinstance(given, str):
        given = _from_text(given)
    if isinstance(given, dict):
        return given
    raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("arguments must be a JSON object"), fields=["arguments"])


def _repaired(arguments: dict[str, Any], schema: dict[str, Any], broken: set[str]) -> dict[str, Any]:
    """Return the arguments, of which those that break the schema are read as callers usually mean them."""
    required = schema.get("required") or ()
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in broken:
            values[name] = value
            continue
        if isinstance(value, str):
            value = _from_text(value)
        if name in required or value not in (None, ""):
            values[name] = value
    return values


def _from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
