"""Makes requests of the servers in a client's configuration: what becomes of each of their fields."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cli.services.importing.clients.dialects import ADDRESS_KEYS, Entry, replaced_forms
from cli.services.importing.commands import lines, remotes
from cli.services.importing.names import service_name
from cli.services.importing.placeholders import Placeholders
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, remark
from cli.services.importing.values import Values
from messages import mark

#: Ways to skip a person's approval; no service has them.
_APPROVALS = ("autoApprove", "alwaysAllow", "trust", "always_allow", "auto_approve", "autoApproveAll", "autoRun")
_FILTERED_OUT = ("disabledTools", "excludeTools", "disabled_tools", "blockedTools")
_FILTERED_IN = ("includeTools", "enabled_tools", "allowedTools", "enabledTools")
_USED = {
    *("command", "cmd", "args", "arguments", "env", "environment", "envFile", "env_file", "type", "transport"),
    *(
        "transportType",
        "headers",
        "http_headers",
        "env_http_headers",
        "requestInit",
        "requestOptions",
        "bearer_token_env_var",
        "env_vars",
    ),
    *("timeout", "timeoutMs", "requestTimeout", "tool_timeout_sec", "sse_read_timeout", "startup_timeout_sec"),
    "startup_timeout_ms",
    *("connectionTimeout", "initTimeout", "disabled", "enabled", "isActive", "cwd", "oauth", "headersHelper", "auth"),
    *(*_APPROVALS, *_FILTERED_OUT, *_FILTERED_IN, *ADDRESS_KEYS),
}
#: These say nothing about the server.
_WITHOUT_MEANING = {
    *(
        "name",
        "id",
        "title",
        "displayName",
        "description",
        "tags",
        "icon",
        "logo",
        "logoUrl",
        "provider",
        "providerUrl",
    ),
    *(
        "longRunning",
        "registryUrl",
        "installSource",
        "isTrusted",
        "dev",
        "sandbox",
        "sandboxEnabled",
        "source",
        "gallery",
    ),
    *(
        "version",
        "note",
        "comment",
        "$schema",
        "searchKey",
        "configSample",
        "reference",
        "envFilter",
        "inheritParentEnv",
    ),
    *("restartOnExit", "maxRestarts", "restartDelay", "required", "startup_readiness_timeout_sec", "logLevel", "scope"),
}
_STREAMABLE = ("http", "streamable-http", "streamablehttp", "streamable_http", "remote", "http-stream")
_LONGEST_CALL_SECONDS = 3600


@dataclass(frozen=True)
class Imported:
    """A server of a configuration and what becomes of it: either a request or the reason of the refusal."""

    entry: Entry
    request: SourceRequest
    refusal: RefusedError | None = None


@dataclass(frozen=True)
class Importer:
    """Turns entries into requests.

    Attributes:
        environment: The environment variables of the user's machine.
        answers: What the user answered, by the keys of the questions.
        private: Whether an address of a private network is accepted.
        read_variables: Reads a file with variables of the user's machine, or returns None.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    private: bool = False
    read_variables: Callable[[str], Mapping[str, str] | None] = lambda path: None

    def convert(self, entry: Entry) -> Imported:
        """Return what becomes of an entry. Whatever the entry holds, this raises nothing."""
        request = SourceRequest(name=service_name(entry.name) if entry.name else "")
        try:
            _Conversion(entry, request, self).run()
        except RefusedError as refusal:
            # What was read so far may hold a secret outside the secrets.
            return Imported(entry, SourceRequest(name=request.name, remarks=request.remarks), refusal)
        return Imported(entry, request)


class _Conversion:
    def __init__(self, entry: Entry, request: SourceRequest, importer: Importer) -> None:
        self._fields, self._request, self._importer = entry.fields, request, importer
        self._client = entry.client
        placeholders = Placeholders(importer.environment, entry.inputs, importer.answers, replaced_forms(entry.client))
        self._values = Values(request, placeholders, importer.private)

    def run(self) -> None:
        """Fill the request. Raises RefusedError."""
        fields, request = self._fields, self._request
        kind = self._text("type", "transport", "transportType").lower()
        if kind in ("inmemory", "builtin", "sdk", "ws", "websocket", "frontend"):
            raise RefusedError(
                remark(mark("it is a server of the kind {kind}, which only its client can run"), kind=kind[:20]),
                remark(mark("look for a package or an address of the server")),
            )
        variables = self._variables()
        address_key = next((key for key in ADDRESS_KEYS if self._text(key)), "")
        command, arguments = self._command()
        # Cherry Studio writes an empty address beside a command, and some clients an empty command beside an address.
        if address_key and not command:
            self._remote(address_key, kind)
        else:
            self._program(command, arguments, variables)
        self._times()
        self._tools()
        request.name = request.name or service_name(request.package)
        request.title = next((text for key in ("title", "displayName") if (text := self._text(key))), "")
        request.description = self._text("description")[:200]
        request.disabled = (
            fields.get("disabled") is True or fields.get("enabled") is False or fields.get("isActive") is False
        )
        if "cwd" in fields:
            request.note(mark("the working directory is not taken over"))
        self._leftovers()

    def _command(self) -> tuple[str, list[str]]:
        command = self._fields.get("command", self._fields.get("cmd"))
        arguments = _texts(self._fields.get("args", self._fields.get("arguments")))
        if isinstance(command, list):
            words = _texts(command)
            return (words[0] if words else ""), [*words[1:], *arguments]
        if isinstance(command, Mapping):
            # An older Zed has the program's path, arguments and variables in `command`.
            return str(command.get("path") or ""), [*_texts(command.get("args")), *arguments]
        return (command.strip() if isinstance(command, str) else ""), arguments

    def _variables(self) -> dict[str, str | None]:
        """Return the entry's variables; None stands for the value on the user's machine."""
        result: dict[str, str | None] = {}
        file = self._text("envFile", "env_file")
        if file:
            from_file = self._importer.read_variables(file)
            if from_file is None:
                self._request.note(mark("the file with variables could not be read; give its variables with --set"))
            result.update(from_file or {})
        given = self._fields.get("env", self._fields.get("environment"))
        command = self._fields.get("command")
        if given is None and isinstance(command, Mapping):
            given = command.get("env")
        if isinstance(given, Mapping):
            for name, value in given.items():
                if value is None:
                    result.pop(str(name), None)
                else:
                    result[str(name)] = _plain(value)
        elif isinstance(given, list):
            for item in given:
                name, equals, value = str(item).partition("=")
                result[name] = value if equals else None
        passed_on = self._fields.get("env_vars")
        for item in passed_on if isinstance(passed_on, list) else ():
            # Codex also writes them as tables, which say on which machine a variable is.
            name = item.get("name") if isinstance(item, Mapping) else item
            if isinstance(name, str) and name:
                result.setdefault(name, None)
        return result

    def _program(self, command: str, arguments: Sequence[str], variables: Mapping[str, str | None]) -> None:
        request, values = self._request, self._values
        clear: dict[str, str] = {}
        for name, value in variables.items():
            known = values.placeholders
            expanded = known.of_variable(name) if value is None else known.expand(value)
            if not expanded.missing:
                clear[name] = expanded.text
        lines.read(command, arguments, values.with_environment(clear), self._importer.read_variables)
        if request.kind is Kind.URL:
            self._check_type("")
        elif request.kind is Kind.OCI:
            given = {*request.environment, *request.secrets, *request.renamed}
            if unused := sorted(set(variables) - given):
                request.note(
                    mark("variables that the command does not pass on to the container were left out: {names}"),
                    names=", ".join(name[:60] for name in unused),
                )
        else:
            for name, value in variables.items():
                values.variable(name, value)

    def _remote(self, key: str, kind: str) -> None:
        request, values = self._request, self._values
        request.transport = ""
        if key == "httpUrl":
            request.transport = "streamable-http"
        elif self._client in ("gemini", "qwen-agent") and key == "url" and not kind:
            request.transport = "sse"
        if self._fields.get("oauth") or self._fields.get("auth") == "oauth" or self._fields.get("headersHelper"):
            raise remotes.oauth()
        values.address(self._text(key))
        self._check_type(kind)
        given = self._fields.get("headers") or self._fields.get("http_headers")
        for key in ("requestInit", "requestOptions"):
            options = self._fields.get(key)
            if not given and isinstance(options, Mapping):
                given = options.get("headers")
        for name, value in given.items() if isinstance(given, Mapping) else ():
            values.header(str(name), _plain(value))
        from_variables = self._fields.get("env_http_headers")
        for name, variable in from_variables.items() if isinstance(from_variables, Mapping) else ():
            values.header(str(name), f"${{{variable}}}", secret=True, variable=True)
        if variable := self._text("bearer_token_env_var"):
            values.header("Authorization", f"Bearer ${{{variable}}}", secret=True, variable=True)

    def _check_type(self, kind: str) -> None:
        """Decide the transport of a remote server from the entry's type, or from its address."""
        if kind == "sse":
            self._request.transport = "sse"
        elif kind in _STREAMABLE:
            self._request.transport = "streamable-http"
        elif not self._request.transport and self._request.package.split("?")[0].rstrip("/").endswith("/sse"):
            self._request.transport = "sse"

    def _times(self) -> None:
        seconds = self._seconds("timeout", "requestTimeout") or self._number("tool_timeout_sec")
        seconds = seconds or self._number("sse_read_timeout") or (self._number("timeoutMs") or 0) / 1000
        if seconds:
            self._request.max_call_seconds = max(1, min(round(seconds), _LONGEST_CALL_SECONDS))
        startup = self._number("startup_timeout_sec") or (self._number("startup_timeout_ms") or 0) / 1000
        startup = startup or self._seconds("connectionTimeout", "initTimeout")
        if startup:
            self._request.startup_seconds = max(1, min(round(startup), 600))

    def _seconds(self, *keys: str) -> float:
        """Return a time in seconds; clients disagree about the unit, and small numbers cannot be milliseconds."""
        number = next((number for key in keys if (number := self._number(key))), 0.0)
        in_seconds = self._client in ("cherry-studio", "cline", "roo", "codex", "qwen-agent")
        in_milliseconds = (
            self._client in ("gemini", "1mcp", "claude-code", "opencode") or number > _LONGEST_CALL_SECONDS
        )
        return number / 1000 if in_milliseconds or (number >= 1000 and not in_seconds) else number

    def _tools(self) -> None:
        listed_out = [name for key in _FILTERED_OUT for name in _texts(self._fields.get(key))]
        self._request.hidden_tools = tuple(dict.fromkeys([*self._request.hidden_tools, *listed_out]))
        for key in _FILTERED_IN:
            if isinstance(listed := self._fields.get(key), list) and listed and listed != ["*"]:
                self._request.only_tools = tuple(_texts(listed))

    def _leftovers(self) -> None:
        if approvals := _named(self._fields, _APPROVALS):
            self._request.note(
                mark("{names}: not taken over, because it skips a person's approval"), names=", ".join(approvals)
            )
        unknown = sorted(str(key)[:40] for key in self._fields if key not in _USED | _WITHOUT_MEANING)
        if unknown:
            self._request.note(mark("not understood, so left out: {names}"), names=", ".join(unknown[:12]))

    def _text(self, *keys: str) -> str:
        return next(
            (value.strip() for key in keys if isinstance(value := self._fields.get(key), str) and value.strip()), ""
        )

    def _number(self, key: str) -> float | None:
        value = self._fields.get(key)
        if isinstance(value, str) and value.replace(".", "", 1).isdigit():
            value = float(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
        return float(value) if is_number and value is not None else None


def with_answers(importer: Importer, answers: Mapping[str, str]) -> Importer:
    """Return an importer that knows these answers too."""
    return replace(importer, answers={**importer.answers, **answers})


def _named(fields: Mapping[str, Any], keys: Collection[str]) -> list[str]:
    return [key for key in keys if fields.get(key)]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _texts(value: Any) -> list[str]:
    """Return the words of a list, or of a text in which they are separated by spaces."""
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    if not isinstance(value, list):
        return []
    return [_plain(item) for item in value if isinstance(item, str | int | float)]
