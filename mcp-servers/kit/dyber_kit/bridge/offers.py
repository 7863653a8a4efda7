"""Reads the prompts, resources and templates of resources that a foreign server lists, and leaves out what is unusable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from mcp.shared.uri_template import UriTemplate

from dyber_kit.language import tr

#: What a server may offer beside tools, as the keys of the lock.
OfferKind = Literal["prompts", "resources", "resource_templates"]
OFFER_KINDS: tuple[OfferKind, ...] = ("prompts", "resources", "resource_templates")

Offer = dict[str, Any]
Refused = tuple[str, str]

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
# An address as clients write it: without spaces and control characters.
_ADDRESS = re.compile(r"[^\x00-\x20\x7f]{1,2000}")


def read_prompts(listed: Sequence[Any]) -> tuple[dict[str, Offer], list[Refused]]:
    """Return the usable prompts of a list by name, and those that are not served with the reason."""
    return _read(listed, "name", _is_name, _prompt)


def read_resources(listed: Sequence[Any]) -> tuple[dict[str, Offer], list[Refused]]:
    """Return the usable resources of a list by address, and those that are not served with the reason."""
    return _read(listed, "uri", is_address, _resource)


def read_templates(listed: Sequence[Any]) -> tuple[dict[str, Offer], list[Refused]]:
    """Return the usable templates of resources of a list by template, and those that are not served with the reason."""
    return _read(listed, "uriTemplate", is_template, _resource)


def arguments_of(kind: OfferKind, name: str, offer: Mapping[str, Any]) -> list[str]:
    """Return the names of the arguments of a prompt, or of the parts of a template that callers fill in."""
    if kind == "prompts":
        return [argument["name"] for argument in offer.get("arguments", ())]
    return list(UriTemplate.parse(name).variable_names) if kind == "resource_templates" else []


def is_address(address: str) -> bool:
    """Return whether an address can be the address of a resource: it has a scheme and no spaces."""
    if not _ADDRESS.fullmatch(address):
        return False
    try:
        return bool(urlsplit(address).scheme)
    except ValueError:
        return False


def is_template(template: str) -> bool:
    """Return whether a text is a template of addresses (RFC 6570) with at least one part to fill in."""
    try:
        return bool(_ADDRESS.fullmatch(template)) and bool(UriTemplate.parse(template).variable_names)
    except ValueError:
        return False


def _is_name(name: str) -> bool:
    return _PRINTABLE.fullmatch(name) is not None and bool(name.strip())


def _read(
    listed: Sequence[Any], key: str, is_usable: Callable[[str], bool], visible: Callable[[Mapping[str, Any]], Offer]
) -> tuple[dict[str, Offer], list[Refused]]:
    offers: dict[str, Offer] = {}
    refused: list[Refused] = []
    for item in listed:
        name = item.get(key) if isinstance(item, dict) else None
        if not isinstance(name, str) or not is_usable(name):
            refused.append((repr(name)[:60], tr("the name is not usable")))
        elif name in offers:
            refused.append((name, tr("the name is listed twice")))
        else:
            offers[name] = visible(item)
    return offers, refused


def _texts(item: Mapping[str, Any], *keys: str) -> Offer:
    return {key: item[key] for key in keys if isinstance(item.get(key), str) and item[key].strip()}


def _prompt(item: Mapping[str, Any]) -> Offer:
    arguments = item.get("arguments")
    read: dict[str, Offer] = {}
    for argument in arguments if isinstance(arguments, list) else ():
        if isinstance(argument, dict) and isinstance(argument.get("name"), str) and argument["name"].strip():
            required = argument.get("required") is True
            read.setdefault(argument["name"], {**_texts(argument, "name", "description"), "required": required})
    return {**_texts(item, "title", "description"), **({"arguments": list(read.values())} if read else {})}


def _resource(item: Mapping[str, Any]) -> Offer:
    """Return what agents see of a resource or a template; its name is its address where it has none."""
    name = item.get("name")
    address = str(item.get("uri") or item.get("uriTemplate"))
    shown = name if isinstance(name, str) and name.strip() else address
    return {"name": shown, **_texts(item, "title", "description", "mimeType")}
