"""Reads request bodies up to a limit; accepts JSON in UTF-8 and refuses everything else with a next step."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy

# Pydantic writes JSON of at most 254 levels, and a message to another server may have a few around the arguments.
_MOST_LEVELS = 200
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_UTF8_STEP = tr_lazy(
    "Send the JSON as UTF-8 without BOM. Windows PowerShell: first $body = [Text.Encoding]::UTF8.GetBytes($json), then "
    "Invoke-RestMethod -Body $body -ContentType 'application/json; charset=utf-8'; curl: save the JSON as a UTF-8 file "
    "and send it with --data-binary '@file'"
)
_JSON_STEP = tr_lazy(
    "Check quotes, commas and brackets; in a Windows command line, better save the JSON as a UTF-8 file and send it "
    "with curl --data-binary '@file'"
)


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Return the whole body of a request.

    Raises:
        ServiceError: INVALID_ARGUMENT with status 413 when more than `limit` bytes are announced or sent.
        ClientDisconnect: The caller left before the end.
    """
    announced = headers.get("content-length", "")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    chunks: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        total += len(chunk)
        if total > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def parse_json(body: bytes) -> Any:
    """Return the JSON value in a body.

    Raises:
        ServiceError: INVALID_ARGUMENT: with status 400 for a body that is not UTF-8, with 422 for one that is not
            JSON, is nested too deeply, or has a name twice in one object, which parsers read differently.
    """
    text = _utf8(body)
    try:
        value = json.loads(text, object_pairs_hook=_unique_names, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        if text.count("[") + text.count("{") > _MOST_LEVELS and _is_deeper(value, _MOST_LEVELS):
            raise RecursionError
        return value
    except _RepeatedName as repeated:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The body has the name {name} twice in one object", name=str(repeated)),
            tr_lazy("Use every name once"),
        ) from None
    except RecursionError:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The JSON in the body is nested too deeply"),
            tr_lazy("Use fewer levels"),
        ) from None
    except json.JSONDecodeError as error:
        problem = tr_lazy(
            "The body is not JSON: there is a fault near line {line}, character {column}",
            line=error.lineno,
            column=error.colno,
        )
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, problem, _JSON_STEP) from None
    except UnicodeEncodeError:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The body has half a character (an escape such as \\ud800)"),
            tr_lazy("Send whole characters"),
        ) from None
    except ValueError:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The body has a number that JSON does not have"),
            tr_lazy("Use ordinary numbers only"),
        ) from None


class _RepeatedName(ValueError):
    """Says that one object has a name twice."""


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for index, name in enumerate(names) if name in names[:index])
        raise _RepeatedName("".join(char if char.isprintable() else "?" for char in repeated[:60]))
    return values


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects in a JSON value are nested in more levels."""
    inner = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        inner = [
            item
            for outer in inner
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
    return bool(inner)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # Such as 1e999, which would be written as Infinity.
        raise ValueError(digits)
    return number


def _utf8(body: bytes) -> str:
    if body.startswith(codecs.BOM_UTF8):
        raise _wrong_encoding(tr_lazy("The body begins with a BOM (byte order mark), so it is not plain UTF-8"))
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        raise _wrong_encoding(tr_lazy("The body is not UTF-8 (it looks like UTF-16)"))
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        looks_like_gbk = tr_lazy("The body is not UTF-8 (it looks like GBK)")
        raise _wrong_encoding(looks_like_gbk if _may_be_gbk(body) else tr_lazy("The body is not UTF-8")) from None
    return text


def _may_be_gbk(body: bytes) -> bool:
    try:
        body.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _wrong_encoding(message: Text) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, _UTF8_STEP, status=400)


def _too_large(limit: int) -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("The body is larger than {limit} KiB", limit=limit // 1024),
        tr_lazy("Shorten the arguments; the operator sets the limit with MAX_BODY_BYTES"),
        status=413,
    )
