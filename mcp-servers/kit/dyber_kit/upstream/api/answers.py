"""Holds the answers of an API platform and reads values from their JSON."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class ApiAnswer:
    """Holds one answer of an API platform.

    Attributes:
        status: HTTP status; an answer that was served from the cache after a 304 has the status it was stored with.
        headers: Headers.
        content: Body, decompressed.
        url: Address that answered, after redirects and without tokens.
        request_id: The platform's id of the request, when it told.
        unchanged: Whether the platform confirmed by 304 that the cached answer still holds.
    """

    status: int
    headers: httpx2.Headers
    content: bytes
    url: httpx2.URL
    request_id: str | None = None
    unchanged: bool = False

    @property
    def text(self) -> str:
        """Return the body as text, in the encoding that the answer names, else UTF-8."""
        return httpx2.Response(self.status, headers=self.headers, content=self.content).text

    def json(self) -> Any:
        """Return the value of the JSON body, or None for an empty body; every call returns the same object.

        Raises:
            ServiceError: UPSTREAM_CHANGED when the body is not JSON.
        """
        return self._parsed

    @functools.cached_property
    def _parsed(self) -> Any:
        response = httpx2.Response(self.status, headers=self.headers, content=self.content)
        try:
            content = self.content
            if response.charset_encoding and response.charset_encoding.lower() not in ("utf-8", "utf8"):
                content = content.decode(response.charset_encoding).encode()
            content = content.removeprefix(b"\xef\xbb\xbf").strip()
            return from_json(content, allow_inf_nan=False) if content else None
        except (ValueError, LookupError):
            kind = self.headers.get("content-type", "").partition(";")[0].strip()[:50]
            message = tr_lazy("The platform's answer is not JSON ({type})", type=kind or tr_lazy("no type was stated"))
            raise self._changed(message) from None

    def at(self, path: str) -> Any:
        """Return the value at a path such as `data.items` or `items.0.id`; None when it is missing.

        Raises:
            ServiceError: UPSTREAM_CHANGED when the body is not JSON.
        """
        return value_at(self.json(), path)

    def model(self, shape: type[Shape], path: str = "") -> Shape:
        """Return the value at `path` as a Pydantic model, or another type such as `list[Item]`.

        Raises:
            ServiceError: UPSTREAM_CHANGED when the value has another shape; the message names the field.
        """
        try:
            return TypeAdapter(shape).validate_python(self.at(path))
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            place = ".".join(part for part in (path, field) if part)
            message = tr_lazy(
                "The platform's answer is not as agreed ({place})", place=place[:100] or tr_lazy("the whole answer")
            )
            raise self._changed(message) from None

    def _changed(self, message: Text) -> ServiceError:
        return ServiceError(ErrorCode.UPSTREAM_CHANGED, message, request_id=self.request_id)


def value_at(value: Any, path: str) -> Any:
    """Return what is at a path such as `data.items.0` inside JSON values; None when it is missing."""
    for part in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
