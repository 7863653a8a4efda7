"""Reads the arguments of a call: values with a certain meaning are converted, all others are refused in one sentence.

Models send `null` for what they do not set, numbers as text, lists as JSON text; clients add fields of their own. The
rules come from the published JSON Schema, so that agents are told the same bounds that they were shown.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from dyber_kit.calling.arguments.conversions import Unusable, convert, means_unset
from dyber_kit.calling.arguments.rules import (
    Rules,
    allowed,
    describe_given,
    example,
    has_example,
    nearest_allowed,
    purpose,
    sentence,
)
from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import joined_names, joined_sentences, tr, tr_lazy

Model = TypeVar("Model", bound=BaseModel)

_NULL = "null"
_MAX_PROBLEMS = 5
_MAX_NAMES = 30
_LONGEST_NAME = 60
_MIN_SIMILARITY = 0.75
#: What n8n adds to the arguments of every call.
_ADDED_BY_CLIENTS = frozenset({"toolCallId", "sessionId", "action", "chatInput", "tool"})
_MOST_LISTED = 5


@dataclass(frozen=True)
class Reading(Generic[Model]):
    """Holds arguments that fit the rules, and warnings for the caller about the others."""

    checked: Model
    warnings: list[str] = field(default_factory=list)


def read_arguments(
    model: type[Model], schema: Rules, given: Any, settled: Mapping[str, str] | None = None
) -> Reading[Model]:
    """Return the arguments in `given` as an instance of `model`.

    Unknown names are ignored; `warnings` names them, but not those that some clients add to every call. `null` stands
    for the default.

    Args:
        model: Checks the converted arguments.
        schema: JSON Schema of the model, with `properties` and `required`.
        given: What the caller sent: an object, the JSON text of one, or None for no arguments.
        settled: Arguments of the model that are not in `schema` because they have only one possible value, with it.
            They are ignored, other values with a warning.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message states each problem with the bounds and an example, and never
            repeats a text that the caller sent.
    """
    declared: Mapping[str, Rules] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    given_all = _as_object(given, declared)
    settled = settled or {}
    sent = {name: value for name, value in given_all.items() if name not in settled}
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    warnings = ignored_arguments(sent, declared)
    for name, only_value in settled.items():
        if given_all.get(name) not in (None, "", _NULL, only_value):
            warnings.append(tr("{name} can only be {value}; the given value was ignored", name=name, value=only_value))
    for name, rules in declared.items():
        optional = name not in required
        if name not in sent:
            if not optional:
                problems[name] = _missing(name, rules, _resembling(sent, declared))
            continue
        value = sent[name]
        if optional and means_unset(value, rules):
            if isinstance(value, str) and value.strip():
                warnings.append(tr("The value of {name} is the text null; it was taken as not set", name=name))
            continue
        if value is None and means_unset(value, rules):
            problems[name] = tr("{name} is missing (given: null): {rules}", name=name, rules=sentence(rules))
            continue
        try:
            values[name] = convert(value, rules)
        except Unusable as unusable:
            problems[name] = _problem(name, rules, value, unusable.nearest)
            continue
        if _has_half_character(values[name]):
            problems[name] = tr(
                "{name}: must be whole characters (given: half a character, an escape such as \\ud800)", name=name
            )
    if problems:
        raise _refusal(problems, list(declared))
    try:
        return Reading(model.model_validate(values), warnings)
    except ValidationError as error:
        raise _refusal(_broken_bounds(error, values, declared), list(declared)) from None


def _resembling(sent: Mapping[str, Any], declared: Mapping[str, Rules]) -> dict[str, str]:
    """Return, by unknown name, the declared name that it resembles; names that were sent themselves are left out."""
    unused = [name for name in declared if name not in sent]
    unknown = [name for name in sent if name not in declared][:_MAX_NAMES]
    matches = {name: similar(name, unused) for name in unknown if len(name) <= _LONGEST_NAME}
    return {name: match for name, match in matches.items() if match}


def ignored_arguments(sent: Mapping[str, Any], declared: Mapping[str, Rules]) -> list[str]:
    """Return warnings about the names in `sent` that are not declared; none about those that clients add to each call."""
    resembling = _resembling(sent, declared)
    warnings = [
        tr(
            "There is no argument {name}, it was ignored; did you mean {suggestion}?",
            name=shown_name(name),
            suggestion=suggestion,
        )
        for name, suggestion in resembling.items()
    ]
    expected = {*declared, *resembling, *_ADDED_BY_CLIENTS, ""}
    others = [name for name in sent if name not in expected]
    if others:
        warnings.append(tr("These arguments do not exist and were ignored: {names}", names=_listed(others)))
    return warnings


def shown_name(name: str) -> str:
    """Return an unknown name from a caller, shortened and on one line."""
    visible = re.sub(r"[^\w.\-/]", "?", name)
    return visible if len(visible) <= _LONGEST_NAME else visible[:_LONGEST_NAME] + "…"


def _listed(names: list[str]) -> str:
    shown = joined_names([shown_name(name) for name in names[:_MOST_LISTED]])
    return shown if len(names) <= _MOST_LISTED else f"{shown} …"


def similar(name: str, known: list[str]) -> str | None:
    """Return the name in `known` that is most similar to `name`; None when none is similar."""
    plain = {_plain(other): other for other in reversed(known)}
    close = difflib.get_close_matches(_plain(name), list(plain), 1, _MIN_SIMILARITY)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]", "", name.casefold())


def _as_object(given: Any, declared: Mapping[str, Rules]) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, str):
        if not given.strip() or given.strip() == "null":
            return {}
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = None
    if isinstance(given, dict):
        return given
    shape = json.dumps({name: example(rules) for name, rules in list(declared.items())[:3]}, ensure_ascii=False)
    problem = tr("arguments: must be a JSON object, for example {example}", example=shape)
    raise _refusal({"arguments": problem}, list(declared))


def _has_half_character(value: Any) -> bool:
    """Return whether a text in a value has half a character; JSON that is sent as text can contain one."""
    if isinstance(value, dict):
        return any(_has_half_character(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(_has_half_character(item) for item in value)
    if not isinstance(value, str) or value.isascii():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


def _missing(name: str, rules: Rules, resembling: Mapping[str, str]) -> str:
    instead = next((given for given, declared_name in resembling.items() if declared_name == name), None)
    if instead is None:
        return tr("{name} is missing: {rules}", name=name, rules=sentence(rules))
    return tr(
        "{name} is missing ({given} was sent; did you mean {name}?): {rules}",
        name=name,
        given=shown_name(instead),
        rules=sentence(rules),
    )


def _problem(name: str, rules: Rules, value: Any, nearest: str | None = None) -> str:
    known = {"name": name, "allowed": allowed(rules), "given": describe_given(value)}
    if nearest is not None:
        return tr(
            "{name}: {allowed} (given: {given}); the nearest usable value is {nearest}; for example {example}",
            nearest=nearest,
            example=example(rules, as_json=True),
            **known,
        )
    if has_example(rules):
        return tr(
            "{name}: {allowed} (given: {given}), for example {example}", example=example(rules, as_json=True), **known
        )
    meaning = purpose(rules)
    if meaning:
        return tr("{name}: {allowed} (given: {given}): {meaning}", meaning=meaning, **known)
    return tr("{name}: {allowed} (given: {given})", **known)


def _broken_bounds(error: ValidationError, values: Mapping[str, Any], declared: Mapping[str, Rules]) -> dict[str, str]:
    """Return one sentence for each argument whose converted value is not allowed, by name."""
    entries = error.errors(include_url=False, include_context=False, include_input=False)
    names = list(dict.fromkeys(str(entry["loc"][0]) if entry["loc"] else "arguments" for entry in entries))
    rules = {name: declared.get(name, {}) for name in names}
    return {
        name: _problem(name, rules[name], values.get(name), nearest_allowed(values.get(name), rules[name]))
        for name in names
    }


def _refusal(problems: Mapping[str, str], known: list[str]) -> ServiceError:
    """Return the error for arguments with these problems, by name."""
    stated = joined_sentences(list(problems.values())[:_MAX_PROBLEMS])
    if len(problems) > _MAX_PROBLEMS:
        stated = tr("{problems}; and {count} more", problems=stated, count=len(problems) - _MAX_PROBLEMS)
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("{cause}: {problems}", cause=KINDS[ErrorCode.INVALID_ARGUMENT].lazy_message, problems=stated),
        tr_lazy(
            "Correct the arguments as described, then try again. The arguments of this tool: {names}",
            names=joined_names(known) or tr("none"),
        ),
        fields=list(problems)[:_MAX_NAMES],
    )
