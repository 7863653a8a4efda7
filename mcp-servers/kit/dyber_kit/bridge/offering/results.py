"""Turns the answer of a foreign server into one that every client can read, within the limits of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from dyber_kit.bridge.masking import Masker
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, joined_names, tr, tr_lazy

#: Largest picture or sound of a foreign server, in characters of Base64.
MAX_MEDIA_CHARS = 4 * 2**20
#: Longest text of a failed call.
MAX_ERROR_CHARS = 2000
_PROTOCOL_META = "io.modelcontextprotocol/"
_BLOCK: TypeAdapter[ContentBlock] = TypeAdapter(ContentBlock)
_TEXT_KEYS = {"type", "text"}
# Names that servers write in snake case though the protocol has them in camel case.
_CAMEL = {"mime_type": "mimeType", "structured_content": "structuredContent", "is_error": "isError"}


def too_long(problem: Text, arguments: Sequence[str] = ()) -> ServiceError:
    """Return the error for an answer that is too long, with the `arguments` that may ask for less."""
    advice = (
        tr_lazy(
            "Ask for less if one of the arguments allows it ({names}); otherwise tell the user that the answer is too "
            "long",
            names=joined_names(arguments),
        )
        if arguments
        else tr_lazy("Tell the user that the answer is too long; nothing here can ask for less")
    )
    return ServiceError(ErrorCode.INVALID_ARGUMENT, problem, advice)


def too_large(size: int, max_chars: int, arguments: Sequence[str] = ()) -> ServiceError:
    """Return the error for an answer of `size` characters that cannot be cut; `arguments` as for `too_long`."""
    problem = tr_lazy("The result has {size} characters, more than the limit of {limit}", size=size, limit=max_chars)
    return too_long(problem, arguments)


def read_result(
    answer: Mapping[str, Any], masker: Masker, max_chars: int, arguments: Sequence[str] = ()
) -> CallToolResult:
    """Return the answer of a call, repaired where its meaning is certain, and shortened.

    Args:
        answer: The result as the server sent it.
        masker: Removes secrets.
        max_chars: Most characters of all texts together, and of the structure.
        arguments: Names of the tool's arguments.

    Raises:
        ServiceError: INVALID_ARGUMENT: a structure, or a picture or sound, is larger than its limit.
    """
    given = {_CAMEL.get(name, name): value for name, value in answer.items()}
    is_error = given.get("isError") is True
    limit = min(MAX_ERROR_CHARS, max_chars) if is_error else max_chars
    structure = _read_structure(given.get("structuredContent"), masker, limit, max_chars, arguments)
    blocks = [read_block(masker.value(part)) for part in _parts(given.get("content"))]
    parts = _shortened_parts(blocks, limit, arguments)
    meta = masker.value(given.get("_meta"))
    meta = (
        {name: value for name, value in meta.items() if not name.startswith(_PROTOCOL_META)}
        if isinstance(meta, dict)
        else {}
    )
    return CallToolResult(
        content=parts,
        structured_content=structure,
        is_error=is_error,
        _meta=meta if meta and json_chars(meta) <= max_chars else None,
    )


def _read_structure(structure: Any, masker: Masker, text_limit: int, max_chars: int, arguments: Sequence[str]) -> Any:
    """Return a structure without secrets; one that only wraps a text is shortened like the text.

    Raises:
        ServiceError: INVALID_ARGUMENT: it is too long.
    """
    if structure is None:
        return None
    if _is_text_alone(structure):
        # Masked before it is cut, because a part of a secret cannot be found.
        return {"result": _shortened(masker.text(structure["result"]), text_limit - len('{"result":""}'))}
    size = json_chars(structure)
    if size > max_chars:
        raise too_large(size, max_chars, arguments)
    return masker.value(structure)


def _parts(content: Any) -> list[Any]:
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def read_block(part: Any) -> ContentBlock:
    """Return a part of an answer; what is not known becomes a text with its JSON."""
    if isinstance(part, str):
        return TextContent(type="text", text=part)
    if isinstance(part, dict):
        if part.keys() == _TEXT_KEYS and part["type"] == "text" and isinstance(part["text"], str):
            return TextContent(type="text", text=part["text"])  # Like most parts, so it takes the shortest way.
        named = {_CAMEL.get(name, name): value for name, value in part.items()}
        try:
            return _BLOCK.validate_python(named, by_name=False)
        except ValidationError:
            pass
    return TextContent(type="text", text=to_json(part).decode())


def _shortened_parts(parts: list[ContentBlock], max_chars: int, arguments: Sequence[str]) -> list[ContentBlock]:
    """Return the parts whose texts fit together; the rest of the texts becomes a note that says how much is missing.

    Raises:
        ServiceError: INVALID_ARGUMENT: a picture or a sound is too large.
    """
    kept: list[ContentBlock] = []
    room, left_out = max_chars, 0
    for part in parts:
        if isinstance(part, ImageContent | AudioContent):
            if len(part.data) > MAX_MEDIA_CHARS:
                raise too_large(len(part.data), MAX_MEDIA_CHARS, arguments)
            kept.append(part)
            continue
        size = _part_chars(part)
        if left_out or size > room:
            # A text that is too long by itself is cut, so that there is something to read.
            if isinstance(part, TextContent) and not left_out and room == max_chars:
                kept.append(part.model_copy(update={"text": part.text[:room]}))
                size -= room
            left_out += size
        else:
            kept.append(part)
            room -= size
    if left_out:
        kept.append(TextContent(type="text", text=tr("… {count} characters left out", count=left_out)))
    return kept


def _part_chars(part: TextContent | ResourceLink | EmbeddedResource) -> int:
    return len(part.text) if isinstance(part, TextContent) else json_chars(part)


def _is_text_alone(structure: Any) -> bool:
    """Return whether a structure only wraps the text, as SDKs do for tools that return a text."""
    return isinstance(structure, dict) and structure.keys() == {"result"} and isinstance(structure["result"], str)


def _shortened(text: str, max_chars: int) -> str:
    text = text[:max_chars]
    while json_chars(text) - 2 > max_chars:
        text = text[: min(max_chars, len(text) * max_chars // json_chars(text))]
    return text


def json_chars(value: Any) -> int:
    """Return the length of a value as JSON, in characters."""
    return len(to_json(value).decode())
