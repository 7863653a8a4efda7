"""Turns failures into answers, and limits the size of every part of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.types import AudioContent, CallToolResult, ImageContent, TextContent
from pydantic_core import to_json

from dyber_kit.calling.cursors import too_large
from dyber_kit.calling.direct import CallContext
from dyber_kit.errors import ERROR_META, ServiceError
from dyber_kit.language import joined_sentences, tr, tr_plural

#: Key of an answer's `_meta` with what the caller should know about its arguments, as a list of sentences.
WARNINGS_META = "dyber/warnings"
#: Header of a request: with the value `short`, the text of an answer is one line, as the client reads the structure.
TEXT_HEADER = "X-Dyber-Text"
#: Largest picture or sound in an answer, in characters of Base64.
MAX_MEDIA_CHARS = 1_000_000


def failed(error: ServiceError) -> CallToolResult:
    """Return the answer to a call that ended with `error`: a text for models, and ERROR_META for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=error.text)], is_error=True, _meta={ERROR_META: error.details}
    )


def wants_short_text(context: CallContext) -> bool:
    """Return whether the client of a call asks for a short text, since it reads structures."""
    try:
        headers = context.headers or {}
    except ValueError:  # A call from inside the process, without a request.
        return False
    return headers.get(TEXT_HEADER, "").strip().lower() == "short"


def short_text(name: str, structure: Mapping[str, Any], warnings: Sequence[str]) -> str:
    """Return one line for an answer whose structure the client reads: tool, number of items, and warnings.

    Args:
        name: The tool's name, which is the same in every language.
        structure: The whole answer; its `warnings` are repeated when it has any.
        warnings: What the caller should know about its arguments.
    """
    items, known = structure.get("items"), structure.get("warnings")
    all_warnings = [*(known if isinstance(known, list) else []), *warnings]
    if isinstance(items, list):
        head = tr_plural(
            "{name}: {count} item (see structuredContent)",
            "{name}: {count} items (see structuredContent)",
            len(items),
            name=name,
        )
    else:
        head = tr("{name} (see structuredContent)", name=name)
    if not all_warnings:
        return head
    return joined_sentences([head, tr("Note: {warnings}", warnings=joined_sentences(all_warnings))])


def add_warnings(result: CallToolResult, warnings: Sequence[str], *, as_text: bool = True) -> None:
    """Add what the caller should know about its arguments to an answer: for programs and, `as_text`, for models."""
    if not warnings:
        return
    result.meta = {**(result.meta or {}), WARNINGS_META: list(warnings)}
    if as_text:
        note = tr("Note: {warnings}", warnings=joined_sentences(warnings))
        result.content = [*result.content, TextContent(type="text", text=note)]


def within_limits(result: CallToolResult, max_chars: int) -> None:
    """Check every part of an answer against its limit.

    Raises:
        ServiceError: INVALID_ARGUMENT: the structure, or a text or a resource beside it, is longer than `max_chars`,
            or a picture or sound is larger than MAX_MEDIA_CHARS.
    """
    media = [part for part in result.content if isinstance(part, ImageContent | AudioContent)]
    others = [part for part in result.content if not isinstance(part, ImageContent | AudioContent)]
    written = sum(len(part.text) if isinstance(part, TextContent) else _json_chars(part) for part in others)
    largest = max([written, _json_chars(result.structured_content), _json_chars(result.meta)])
    if largest > max_chars:
        raise too_large(largest, max_chars)
    heaviest = max((len(part.data) for part in media), default=0)
    if heaviest > MAX_MEDIA_CHARS:
        raise too_large(heaviest, MAX_MEDIA_CHARS)


def _json_chars(value: object) -> int:
    return 0 if value is None else len(to_json(value).decode())
