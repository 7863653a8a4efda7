"""Refuses options of add-service that would have no effect where they are given, and tells which had none."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import typer

from cli.services.importing.requests import Kind
from messages import mark, tr

if TYPE_CHECKING:
    from cli.commands.settings.foreign_services import Given

#: The options by the field of Given that they fill, which is empty without them.
_OPTIONS = {
    "port": "--port",
    "title": "--title",
    "program": "--bin",
    "number": "--package",
    "arguments": "--argument",
    "headers": "--header",
    "requirements": "--with",
    "values": "--set",
    "secrets": "--secret",
    "internet": "--internet",
    "read": "--read",
    "write": "--write",
    "off": "--off",
    "accept": "--accept",
    "min_age": "--min-age",
}
_PACKAGE = ("program", "number", "arguments", "headers", "requirements")
_OWN_SERVICE = ("port", "title")


def given_options(given: Given, fields: Collection[str] = tuple(_OPTIONS)) -> list[str]:
    """Return the options among `fields` that are on the command line."""
    names = [name for name in fields if getattr(given, name) not in (None, "", (), [], {})]
    return [("--no-internet" if name == "internet" and given.internet is False else _OPTIONS[name]) for name in names]


def refuse_for_own_service(given: Given) -> None:
    """Raise typer.BadParameter for options that a service from an example does not have."""
    fields = [name for name in _OPTIONS if name not in _OWN_SERVICE]
    _refuse(given_options(given, fields), mark("without --from and --import these options have no effect: {options}"))


def refuse_for_reviewed(given: Given) -> None:
    """Raise typer.BadParameter for options that a reviewed server does not have, as its entry says all of it."""
    options = given_options(given, (*_PACKAGE, "values", "secrets", "internet"))
    _refuse(options, mark("a reviewed server is added as it was reviewed; these options have no effect: {options}"))


def refuse_for_import(given: Given) -> None:
    """Raise typer.BadParameter for options that are about one server."""
    options = given_options(given, (*_OWN_SERVICE, *_PACKAGE, "secrets"))
    _refuse(options, mark("with --import these options have no effect, the file says it: {options}"))


def refuse_for_source(given: Given, kind: Kind, *, is_registry: bool) -> None:
    """Raise typer.BadParameter for options that a source of this kind does not have."""
    fields = [] if is_registry else ["number"]
    fields += ["requirements"] if kind is not Kind.PYPI else []
    fields += ["program"] if kind in (Kind.GO, Kind.URL) else []
    options = given_options(given, fields)
    _refuse(options, mark("for this source these options have no effect: {options}"))


def without_effect(given: Given, name: str) -> str:
    """Return a line about the options that change nothing as the service is there already, or ""."""
    options = given_options(given, ("port", "title", "internet", "read", "write", "off", "accept", "min_age"))
    if not options:
        return ""
    return tr(
        "These options changed nothing: {options}. Change it in mcp-servers/{name}/service.yaml",
        options=", ".join(options),
        name=name,
    )


def _refuse(options: Collection[str], message: str) -> None:
    if options:
        raise typer.BadParameter(tr(message, options=", ".join(options)))
