"""Finds the servers in the configuration of an MCP client, whichever client it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from cli.services.importing.placeholders import BRACES, Form, Input
from cli.services.importing.requests import RefusedError, remark
from messages import mark

#: Keys below which clients keep their servers, from the outermost; `*` stands for any key.
_PLACES = (
    ("mcpServers",),
    ("projects", "*", "mcpServers"),
    ("mcp", "servers"),
    ("mcp.servers",),
    ("mcp", "mcpServers"),
    ("mcp_servers",),
    ("context_servers",),
    ("servers",),
    ("mcp",),
)
_COMMAND_KEYS = ("command", "cmd")
ADDRESS_KEYS = ("url", "serverUrl", "httpUrl", "baseUrl", "uri", "endpoint")
#: Keys that tell which client's configuration an entry is from.
_OF_A_CLIENT = {
    "gemini": ("httpUrl", "trust", "includeTools", "excludeTools"),
    "windsurf": ("serverUrl",),
    "cherry-studio": ("isActive", "baseUrl", "longRunning", "registryUrl", "provider"),
    "roo": ("alwaysAllow",),
    "cline": ("autoApprove",),
    "qwen-agent": ("sse_read_timeout",),
    "1mcp": ("envFilter", "connectionTimeout", "requestTimeout", "inheritParentEnv", "restartOnExit"),
    "codex": ("bearer_token_env_var", "http_headers", "env_http_headers", "startup_timeout_sec", "tool_timeout_sec"),
}

#: Files whose name, with the folder above it where that is needed, tells which client's configuration they are.
_FILES = {
    "claude_desktop_config.json": "claude-desktop",
    ".mcp.json": "claude-code",
    ".claude.json": "claude-code",
    ".cursor/mcp.json": "cursor",
    ".gemini/settings.json": "gemini",
    ".qwen/settings.json": "gemini",
    "gemini-extension.json": "gemini",
    "mcp_config.json": "windsurf",
    "cline_mcp_settings.json": "cline",
    "settings/mcp_settings.json": "roo",
    "mcp-config.json": "copilot-cli",
    ".roo/mcp.json": "roo",
}
_OF_AN_EDITOR = frozenset({Form.ENV, Form.FOLDER, Form.OTHER})
#: The forms of placeholders that clients replace, as their documentation has it.
_REPLACED: Mapping[str, Set[Form]] = {
    "claude-desktop": frozenset(),
    "claude-code": frozenset({Form.NAME, Form.DEFAULT}),
    "cursor": _OF_AN_EDITOR,
    "vscode": _OF_AN_EDITOR | {Form.INPUT},
    "windsurf": _OF_AN_EDITOR,
    "cline": _OF_AN_EDITOR,
    "roo": _OF_AN_EDITOR,
    "gemini": frozenset({Form.NAME, Form.DEFAULT, Form.DOLLAR, Form.PERCENT}),
    "copilot-cli": frozenset({Form.NAME, Form.DEFAULT, Form.DOLLAR}),
    "codex": frozenset(),
    "qwen-agent": frozenset(),
    "cherry-studio": frozenset(),
    "zed": frozenset(),
    "1mcp": frozenset({Form.NAME, Form.DEFAULT}),
    "opencode": frozenset({Form.PLAIN}),
    "continue": frozenset({Form.DOUBLED}),
}


@dataclass(frozen=True)
class Entry:
    """A server in a client's configuration.

    Attributes:
        name: What the configuration calls it.
        place: The keys above it, with dots.
        client: The client whose format it has, or "" if several have it.
        fields: What is written there.
        inputs: The inputs that the configuration declares, by their id.
    """

    name: str
    place: str
    client: str
    fields: Mapping[str, Any] = field(repr=False)
    inputs: Mapping[str, Input] = field(default_factory=dict)


def client_of_file(path: str) -> str:
    """Return the client whose configuration has this path, or "" if several have such a one."""
    file = PurePath(path)
    return _FILES.get(file.name) or _FILES.get(f"{file.parent.name}/{file.name}") or ""


def replaced_forms(client: str) -> Set[Form]:
    """Return the forms of placeholders that a client replaces; for an unknown one, those that nobody writes by chance."""
    return _REPLACED.get(client, BRACES)


def entries(configuration: Any, default_name: str = "", client: str = "") -> list[Entry]:
    """Return the servers in a configuration, in its order; `client` is whose it is, as far as that is known.

    An entry that stands alone, without a name, is called `default_name`. Raises RefusedError if there is none.
    """
    if not isinstance(configuration, Mapping):
        raise _nothing()
    result: list[Entry] = []
    for path in _PLACES:
        for place, content, inputs in _at(configuration, path, _inputs(configuration)):
            known = _client_of_place(place, content) or client
            for name, fields in _named(content):
                # Claude Code keeps the same server in several projects, and other files keep it for several clients.
                if all((name, fields) != (other.name, other.fields) for other in result):
                    result.append(Entry(name, place, known, fields, inputs))
    if result:
        return _with_clients(result)
    if _is_server(configuration):
        result = [Entry(default_name, "", client, configuration, {})]
    else:
        result = [
            Entry(str(name), "", client, fields, {}) for name, fields in configuration.items() if _is_server(fields)
        ]
    if not result:
        raise _nothing()
    return _with_clients(result)


def _with_clients(result: list[Entry]) -> list[Entry]:
    """Return the entries with their clients: what tells the client of one tells that of all, if it is only one."""
    told = {client for entry in result if (client := _client_of_fields(entry.fields))}
    of_all = told.pop() if len(told) == 1 else ""
    return [
        entry if entry.client else replace(entry, client=_client_of_fields(entry.fields) or of_all) for entry in result
    ]


def _at(
    content: Mapping[Any, Any], path: tuple[str, ...], inputs: Mapping[str, Input], above: str = ""
) -> Iterator[tuple[str, Any, Mapping[str, Input]]]:
    """Yield place, content and inputs of each collection of servers at `path`."""
    key, rest = path[0], path[1:]
    keys = [str(name) for name in content] if key == "*" else [key]
    for name in keys:
        inner = content.get(name)
        if inner is None:
            continue
        place = f"{above}.{name}" if above else name
        if not rest:
            # What is called `servers` or `mcp` may be about something else.
            if place not in ("servers", "mcp") or any(_is_server(fields) for _, fields in _named(inner)):
                yield place, inner, inputs
        elif isinstance(inner, Mapping):
            yield from _at(inner, rest, {**inputs, **_inputs(inner)}, place)


def _named(content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and fields of each server in a mapping by names, or in a list of servers with names."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(content, Mapping):
        pairs = list(content.items())
    elif isinstance(content, list):
        pairs = [(item.get("name") or item.get("id") or "", item) for item in content if isinstance(item, Mapping)]
    for name, fields in pairs:
        yield str(name), fields if isinstance(fields, Mapping) else {}


def _is_server(fields: Any) -> bool:
    return isinstance(fields, Mapping) and any(
        isinstance(fields.get(key), str | list | dict) for key in (*_COMMAND_KEYS, *ADDRESS_KEYS)
    )


def _client_of_place(place: str, content: Any) -> str:
    """Return the only client that keeps servers at this place, or ""."""
    known = {"mcp_servers": "codex", "servers": "vscode", "mcp.servers": "vscode", "context_servers": "zed"}
    if place.startswith("projects."):
        return "claude-code"
    if place == "mcpServers" and isinstance(content, list):
        return "continue"
    return "opencode" if place == "mcp" else known.get(place, "")


def _client_of_fields(fields: Mapping[str, Any]) -> str:
    return next((client for client, keys in _OF_A_CLIENT.items() if any(key in fields for key in keys)), "")


def _inputs(content: Mapping[Any, Any]) -> dict[str, Input]:
    listed = content.get("inputs")
    result = {}
    for item in listed if isinstance(listed, list) else ():
        if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
            continue
        options = [
            option.get("value") if isinstance(option, Mapping) else option for option in item.get("options") or ()
        ]
        result[item["id"]] = Input(
            item["id"],
            str(item.get("description") or ""),
            item.get("password") is True,
            str(item.get("default") or ""),
            tuple(str(option) for option in options),
        )
    return result


def _nothing() -> RefusedError:
    return RefusedError(
        remark(mark("no MCP server was found in it")),
        remark(mark("its servers must be below a key such as mcpServers, servers or mcp_servers")),
    )
