"""Makes and checks opaque paging cursors, and keeps answers within a number of characters."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_json

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy

#: Longest cursor accepted; give a tool's `cursor` argument this `max_length`.
MAX_CURSOR_CHARS = 1000
_CHECK_BYTES = 6

Item = TypeVar("Item")
Answer = TypeVar("Answer", bound=BaseModel)


def encode_cursor(kind: str, position: dict[str, Any]) -> str:
    """Return where the next page starts, as text that agents pass back unchanged.

    A cursor is not secret: the caller can read `position`.

    Args:
        kind: What is paged, for example the tool's name with its query; a cursor is valid only for the same kind.
        position: JSON object with what the service needs to go on.

    Raises:
        ServiceError: UPSTREAM_CHANGED when the cursor would be longer than MAX_CURSOR_CHARS.
    """
    body = json.dumps(position, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    cursor = base64.urlsafe_b64encode(_check(kind, body) + body).rstrip(b"=").decode()
    if len(cursor) > MAX_CURSOR_CHARS:
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED,
            tr_lazy(
                "Where the next page starts does not fit into a cursor ({count} characters, at most {limit})",
                count=len(cursor),
                limit=MAX_CURSOR_CHARS,
            ),
            tr_lazy("Use a more specific query, or a larger limit, so that there is no next page"),
        )
    return cursor


def decode_cursor(kind: str, cursor: str) -> dict[str, Any]:
    """Return the `position` of a cursor that `encode_cursor` made with the same `kind`.

    Raises:
        ServiceError: INVALID_ARGUMENT when the cursor was shortened or altered, or belongs to another query.
    """
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError("no cursor is that long")
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        position = json.loads(body) if check == _check(kind, body) else None
    except (binascii.Error, RecursionError, ValueError):
        position = None
    if not isinstance(position, dict):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The cursor is not readable, or belongs to another query"),
            tr_lazy(
                "Pass back next_cursor of the last answer unchanged, with the same other arguments; or begin anew "
                "without a cursor"
            ),
            fields=["cursor"],
        )
    return position


def answer_chars(answer: BaseModel) -> int:
    """Return the length of the answer as agents read it, in characters of compact JSON."""
    return len(to_json(answer).decode())


def fit_items(items: Sequence[Item], max_chars: int) -> list[Item]:
    """Return the first items whose JSON together stays within `max_chars`; at least one of a non-empty list.

    For tools with a cursor, which must know which items are left out before they make the cursor of the next page.
    """
    kept: list[Item] = []
    total = 2
    for item in items:
        total += len(to_json(item).decode()) + 1
        if kept and total > max_chars:
            break
        kept.append(item)
    return kept


def fit_answer(answer: Answer, max_chars: int) -> Answer:
    """Return `answer`, shortened to `max_chars` characters of compact JSON when it is longer.

    When the model has a `truncated` field, its longest lists and texts lose their end; `truncated` becomes true and
    `count` is corrected. The result of every tool is passed through this function.

    Raises:
        ServiceError: INVALID_ARGUMENT when cutting would mislead the caller: without a `truncated` field, or with a
            `next_cursor` that would skip the dropped items (such tools use `fit_items` first).
    """
    size = answer_chars(answer)
    if size <= max_chars:
        return answer
    fields = type(answer).model_fields
    if "truncated" not in fields or getattr(answer, "next_cursor", None):
        raise too_large(size, max_chars)
    values: dict[str, Any] = {name: _translated(getattr(answer, name)) for name in fields}
    values["truncated"] = True
    excess = size - max_chars + len("false") - len("true")
    sizes = {name: len(to_json(value).decode()) for name, value in values.items()}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        value = values[name]
        if excess > 0 and isinstance(value, list) and value:
            kept = fit_items(value, max(0, sizes[name] - excess))
            excess -= sizes[name] - len(to_json(kept).decode())
            values[name] = kept
            if values.get("count") == len(value):
                values["count"] = len(kept)
        elif excess > 0 and isinstance(value, str):
            kept_text = _cut(value, excess)
            excess -= sizes[name] - len(to_json(kept_text).decode())
            values[name] = kept_text
    shorter = answer.model_copy(update=values)
    if answer_chars(shorter) > max_chars:
        raise too_large(size, max_chars)
    return shorter


def _translated(value: Any) -> Any:
    """Return a value of an answer with its texts in the language of the request, as they are written."""
    if isinstance(value, list):
        return [_translated(item) for item in value]
    return str(value) if isinstance(value, Text) else value


def _cut(text: str, excess: int) -> str:
    """Return `text` with at least `excess` characters of its JSON form cut from the end."""
    removed = 0
    end = len(text)
    while end and removed < excess:
        end -= 1
        removed += len(to_json(text[end]).decode()) - 2
    return text[:end]


def too_large(size: int, max_chars: int) -> ServiceError:
    """Return the error for an answer of `size` characters that cannot be cut."""
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("The result has {size} characters, more than the limit of {limit}", size=size, limit=max_chars),
        tr_lazy("Reduce the arguments for number or length (limit, comments, max_chars and so on), then try again"),
    )


def _check(kind: str, body: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + b"\0" + body).digest()[:_CHECK_BYTES]
