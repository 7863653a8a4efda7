"""Reads where alerts go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote, unquote_plus, urlsplit

Kind = Literal["feishu", "wecom", "dingtalk", "bark", "json"]
Language = Literal["zh", "en"]
_HIDDEN = "****"
_SHORTEST_HIDDEN = 6


@dataclass(frozen=True)
class Receiver:
    """Describes where alerts go.

    Attributes:
        name: Name in the stack's settings.
        kind: Which form its messages have.
        url: Address that the messages are posted to, with its key.
        secret: What signs the messages of feishu and dingtalk, or the bearer token of json; or "".
        private_addresses: Whether the address may be of a private network or of this machine.
        language: Language of the messages.
        stack: Name of the stack, which the messages begin with.
    """

    name: str
    kind: Kind
    url: str
    secret: str = ""
    private_addresses: bool = False
    language: Language = "zh"
    stack: str = ""

    def masked(self, text: str) -> str:
        """Return the text without the parts of the address and the secret that give access."""
        parts = urlsplit(self.url)
        pieces = {self.secret, *parts.path.split("/"), *(pair.partition("=")[2] for pair in parts.query.split("&"))}
        # Receivers may answer with a key as it is after decoding.
        pieces |= {decoded(piece) for piece in pieces for decoded in (unquote, unquote_plus)}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _SHORTEST_HIDDEN:
                text = text.replace(piece, _HIDDEN)
        return text


def read_receivers(path: Path) -> dict[str, Receiver]:
    """Return the receivers in a file (infra.rendering.alerts writes it), by name.

    Raises ValueError, without the file's content, if it cannot be used.
    """
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    return {name: _receiver(name, values, content) for name, values in content["receivers"].items()}


def _receiver(name: str, values: Mapping[str, Any], content: Mapping[str, Any]) -> Receiver:
    if values["kind"] not in get_args(Kind):
        raise ValueError(f"receiver {name}: kind {values['kind']!r} is unknown; write one of {get_args(Kind)}")
    return Receiver(
        name=name,
        kind=values["kind"],
        url=values["url"],
        secret=values.get("secret", ""),
        private_addresses=values.get("private_addresses", False),
        language=content["language"],
        stack=content["stack"],
    )
