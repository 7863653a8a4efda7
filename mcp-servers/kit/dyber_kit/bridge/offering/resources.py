"""Makes the resources that clients see: those of the lock, which the foreign server reads."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resources import ResourceSecurity
from mcp.shared.uri_template import UriTemplate
from mcp.types import InputRequiredResult, Resource, ResourceTemplate

from dyber_kit.bridge.listing import Item, Lock
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.offering.calls import Backend, Wanted
from dyber_kit.bridge.offering.results import MAX_MEDIA_CHARS, too_large
from dyber_kit.bridge.offers import Offer
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.declared import protocol_error
from dyber_kit.calling.offered import ADDRESS_META, Contents
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy

ResourceKind = Literal["resources", "resource_templates"]
# The server decides which of its absolute paths may be read.
_SECURITY = ResourceSecurity(reject_absolute_paths=False)


@dataclass(frozen=True)
class ForeignResourceOffer:
    """Describes a resource or a template of the lock; `create_app` makes what reads it."""

    kind: ResourceKind
    uri: str
    visible: Offer
    backend: Backend

    def build(self, calls: Calls, max_answer_chars: int) -> ForeignResource:
        """Return what reads the resource."""
        return ForeignResource(self, calls, max_answer_chars)


def resource_offers(lock: Lock, backend: Backend) -> list[ForeignResourceOffer]:
    """Return the resources and then the templates of the lock, in its order."""
    kinds: tuple[ResourceKind, ...] = ("resources", "resource_templates")
    return [
        ForeignResourceOffer(kind, uri, visible, backend) for kind in kinds for uri, visible in lock.items(kind).items()
    ]


class ForeignResource:
    """Lets the foreign server read a locked resource, or those of a locked template, under `Calls`."""

    def __init__(self, offer: ForeignResourceOffer, calls: Calls, max_answer_chars: int) -> None:
        self._offer = offer
        self._calls = calls
        self._max_answer_chars = max_answer_chars
        self._template = UriTemplate.parse(offer.uri) if offer.kind == "resource_templates" else None

    @property
    def uri(self) -> str:
        """Return the address, or the template of addresses."""
        return self._offer.uri

    @property
    def listed(self) -> Resource | ResourceTemplate:
        """Return what clients see in the list of resources, or of templates."""
        seen = self._offer.visible
        if self._template is not None:
            return ResourceTemplate.model_validate({"uriTemplate": self.uri, **seen}, by_name=False)
        return Resource.model_validate({"uri": self.uri, **seen}, by_name=False)

    def match(self, uri: str) -> dict[str, Any] | None:
        """Return the parameters in an address; None when it is not of this resource, or would leave its folder."""
        if self._template is None:
            return {} if uri == self.uri else None
        parameters = self._template.match(uri)
        return None if parameters is None or _SECURITY.validate(parameters) is not None else dict(parameters)

    async def read(
        self, uri: str, parameters: dict[str, Any], context: Context[Any, Any]
    ) -> Contents | InputRequiredResult:
        """Return the content at an address that `match` accepted.

        Raises:
            MCPError: A failure, with code and next step; its data has the address and the details for programs.
        """
        try:
            # The name is of the lock, and not of the caller, so that there are few series of metrics.
            return await self._calls.run(f"resource:{self._offer.visible['name']}", lambda: self._read(uri, context))
        except ServiceError as error:
            raise protocol_error(error, uri=uri) from None

    async def _read(self, uri: str, context: Context[Any, Any]) -> Contents | InputRequiredResult:
        backend = self._offer.backend
        wanted = Wanted(Item(self._offer.kind, self.uri), "resources/read", {"uri": uri})
        answer = await backend.ask(wanted, context)
        if isinstance(answer, InputRequiredResult):
            return answer
        return read_contents(answer, uri, backend.masker, self._max_answer_chars)


def read_contents(answer: Mapping[str, Any], uri: str, masker: Masker, max_chars: int) -> Contents:
    """Return the contents of a resource.

    Args:
        answer: The result as the server sent it.
        uri: The address that was asked for; a content with another one keeps it.
        masker: Removes secrets from texts.
        max_chars: Most characters of all texts together.

    Raises:
        ServiceError: UPSTREAM_CHANGED: the answer is not readable; INVALID_ARGUMENT: it is too long.
    """
    given = answer.get("contents")
    contents = [_content(part, uri, masker) for part in given] if isinstance(given, list) else None
    if contents is None or None in contents:
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED, tr_lazy("The server behind this service answers with something unreadable")
        )
    read = [content for content in contents if content is not None]
    for kind, limit in ((str, max_chars), (bytes, MAX_MEDIA_CHARS * 3 // 4)):
        size = sum(len(content.content) for content in read if isinstance(content.content, kind))
        if size > limit:
            raise too_large(size, limit)
    return read


def _content(part: Any, uri: str, masker: Masker) -> ReadResourceContents | None:
    """Return a content of a resource; None when it is not readable."""
    if not isinstance(part, dict):
        return None
    mime_type = part.get("mimeType", part.get("mime_type"))
    address = part.get("uri")
    meta = {ADDRESS_META: masker.text(address)} if isinstance(address, str) and address != uri else None
    shown_type = mime_type if isinstance(mime_type, str) else None
    if isinstance(part.get("text"), str):
        return ReadResourceContents(masker.text(part["text"]), shown_type, meta)
    try:
        return ReadResourceContents(base64.b64decode(part["blob"], validate=True), shown_type, meta)
    except (KeyError, TypeError, binascii.Error):
        return None
