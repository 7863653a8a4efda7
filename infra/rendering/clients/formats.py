"""Writes the configurations of MCP clients in the format that each client's documentation defines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from messages import mark, tr

TOKEN_VARIABLE = "DYBER_TOKEN"
PLACEHOLDER = "<TOKEN>"
#: Longest call of a service, for stacks deployed before the outputs had `max_call_seconds`.
LONGEST_CALL_SECONDS = 300
#: A client waits this much longer than the call may take, so that it gets the service's own error.
DEADLINE_MARGIN_SECONDS = 30


def deadline_seconds(service: Mapping[str, Any]) -> int:
    """Return how many seconds a client should wait for an answer; many programs give up after 30 or 60 s by default."""
    return int(service.get("max_call_seconds", LONGEST_CALL_SECONDS)) + DEADLINE_MARGIN_SECONDS


@dataclass(frozen=True)
class Access:
    """Holds what a client sends with each request.

    Attributes:
        token: The token to write into its configuration, or None to refer to the environment variable DYBER_TOKEN.
        language: The language in which services answer, or None for their own setting.
    """

    token: str | None
    language: str | None = None

    def headers(self, variable: str) -> dict[str, str]:
        """Return all headers; `variable` as in `bearer`."""
        return {"Authorization": self.bearer(variable), **self.language_header}

    @property
    def language_header(self) -> dict[str, str]:
        """Return the header with the language, if one is chosen."""
        return {"Accept-Language": self.language} if self.language else {}

    def bearer(self, variable: str) -> str:
        """Return the Authorization header; `variable` refers to DYBER_TOKEN in the client's syntax."""
        return f"Bearer {self.token or variable}"


def _claude_code(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Configure Claude Code; `timeout` is in milliseconds, as its documentation of .mcp.json says."""
    headers = access.headers("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {
                "type": "http",
                "url": service["mcp"],
                "headers": headers,
                "timeout": deadline_seconds(service) * 1000,
            }
            for name, service in services.items()
        }
    }


def _cursor(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    headers = access.headers("${env:" + TOKEN_VARIABLE + "}")
    return {"mcpServers": {name: {"url": service["mcp"], "headers": headers} for name, service in services.items()}}


def _vscode(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    headers = access.headers("${input:dyber-token}")
    configuration: dict[str, Any] = {
        "servers": {
            name: {"type": "http", "url": service["mcp"], "headers": headers} for name, service in services.items()
        }
    }
    if access.token is None:
        configuration["inputs"] = [
            {"type": "promptString", "id": "dyber-token", "description": "DyberPet token", "password": True}
        ]
    return configuration


def _gemini(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Configure Gemini CLI; `url` would mean the legacy transport, so it is `httpUrl`. `timeout` is in milliseconds."""
    headers = access.headers("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {
                "httpUrl": service["mcp"],
                "headers": headers,
                "timeout": deadline_seconds(service) * 1000,
            }
            for name, service in services.items()
        }
    }


def _claude_desktop(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    # Claude Desktop can only start programs that speak MCP over stdio, so mcp-remote is used as a bridge. The space of
    # the header is in the variable, as the Windows version splits arguments at spaces.
    return {
        "mcpServers": {
            name: {
                "command": "npx",
                "args": [
                    "-y",
                    "mcp-remote",
                    service["mcp"],
                    *(["--allow-http"] if service["mcp"].startswith("http:") else []),
                    "--transport",
                    "http-only",
                    "--header",
                    "Authorization:${DYBER_AUTHORIZATION}",
                    *(
                        part
                        for header, value in access.language_header.items()
                        for part in ("--header", f"{header}:{value}")
                    ),
                ],
                "env": {"DYBER_AUTHORIZATION": access.bearer(PLACEHOLDER)},
            }
            for name, service in services.items()
        }
    }


def _qwen_agent(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    # qwen-agent 0.0.27, which desktop-pet agents pin, sends headers only over the legacy transport.
    headers = access.headers("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {
                "url": service["sse"],
                "headers": headers,
                "sse_read_timeout": max(300, deadline_seconds(service)),
            }
            for name, service in services.items()
        }
    }


def _dyberpet(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    return {
        f"{name.replace('-', '_')}_mcp": {
            "enabled": True,
            "url": service["sse"],
            "api_key": access.token or "",
            "timeout": deadline_seconds(service),
        }
        for name, service in services.items()
    }


def _codex(services: Mapping[str, Any], access: Access) -> str:
    """Configure Codex; `tool_timeout_sec` is in seconds, and 60 by default, as its reference of config.toml says."""
    tables = []
    for name, service in services.items():
        # A JSON string of these characters is a TOML string too.
        lines = [
            f"[mcp_servers.{name}]",
            f"url = {json.dumps(service['mcp'])}",
            f"tool_timeout_sec = {deadline_seconds(service)}",
        ]
        headers = access.language_header if access.token is None else access.headers("")
        if access.token is None:
            lines.append(f'bearer_token_env_var = "{TOKEN_VARIABLE}"')
        if headers:
            pairs = ", ".join(f"{header} = {json.dumps(value)}" for header, value in headers.items())
            lines.append(f"http_headers = {{ {pairs} }}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _cline(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Configure Cline, which takes an entry without `type` for the legacy transport and replaces no variables.

    `timeout` is in seconds, and 60 by default.
    """
    return {
        "mcpServers": {
            name: {
                "type": "streamableHttp",
                "url": service["mcp"],
                "headers": access.headers(PLACEHOLDER),
                "timeout": deadline_seconds(service),
                "disabled": False,
            }
            for name, service in services.items()
        }
    }


def _cherry_studio(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Configure Cherry Studio, whose import refuses a text with an unknown key.

    `timeout` is in seconds, and 60 by default.
    """
    return {
        "mcpServers": {
            name: {
                "name": service.get("title", name),
                "type": "streamableHttp",
                "url": service["mcp"],
                "headers": access.headers(PLACEHOLDER),
                "timeout": deadline_seconds(service),
                "isActive": True,
            }
            for name, service in services.items()
        }
    }


def _dify(services: Mapping[str, Any], access: Access) -> list[dict[str, Any]]:
    """Return the fields of Dify's form for an MCP server over HTTP, by the names in its API.

    Both timeouts are in seconds, and 30 and 300 by default.
    """
    return [
        {
            "name": service.get("title", name),
            "server_url": service["mcp"],
            "server_identifier": name,
            "headers": access.headers(PLACEHOLDER),
            "configuration": {
                "timeout": deadline_seconds(service),
                "sse_read_timeout": max(300, deadline_seconds(service)),
            },
        }
        for name, service in services.items()
    ]


def _n8n(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Return nodes of the kind MCP Client Tool, to be pasted into a workflow of n8n.

    `timeout` is in milliseconds, and 60,000 by default. The nodes hold no token, as n8n keeps tokens in credentials of
    the kind Bearer Auth.
    """
    return {
        "nodes": [
            {
                "name": name,
                "type": "@n8n/n8n-nodes-langchain.mcpClientTool",
                "typeVersion": 1.1,
                "position": [0, 200 * index],
                "parameters": {
                    "endpointUrl": service["mcp"],
                    "serverTransport": "httpStreamable",
                    "authentication": "bearerAuth",
                    "options": {"timeout": deadline_seconds(service) * 1000},
                },
            }
            for index, (name, service) in enumerate(services.items())
        ],
        "connections": {},
    }


def _lobechat(services: Mapping[str, Any], access: Access) -> str:
    """Return one document for each service, as LobeChat imports one MCP server at a time.

    LobeChat's server has its own timeout: MCP_TOOL_TIMEOUT, in milliseconds, and 60,000 by default.
    """
    return "\n\n".join(
        _json(
            {
                "mcpServers": {
                    name: {
                        "type": "http",
                        "url": service["mcp"],
                        "headers": access.headers(PLACEHOLDER),
                    }
                }
            }
        )
        for name, service in services.items()
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


Renderer = Callable[[Mapping[str, Any], Access], dict[str, Any] | list[Any] | str]
FORMATS: dict[str, Renderer] = {
    "claude-code": _claude_code,
    "claude-desktop": _claude_desktop,
    "cursor": _cursor,
    "vscode": _vscode,
    "gemini": _gemini,
    "codex": _codex,
    "qwen-agent": _qwen_agent,
    "dyberpet": _dyberpet,
    "cline": _cline,
    "cherry-studio": _cherry_studio,
    "dify": _dify,
    "n8n": _n8n,
    "lobechat": _lobechat,
}
#: The names of the programs.
TITLES = {
    "claude-code": "Claude Code",
    "claude-desktop": "Claude Desktop",
    "cursor": "Cursor",
    "vscode": "VS Code",
    "gemini": "Gemini CLI",
    "codex": "Codex",
    "qwen-agent": "Qwen-Agent",
    "dyberpet": "DyberPet",
    "cline": "Cline",
    "cherry-studio": "Cherry Studio",
    "dify": "Dify",
    "n8n": "n8n",
    "lobechat": "LobeChat",
}
#: The place where each program looks for its configuration, or how it takes it; `tr` translates it.
FILES = {
    "claude-code": ".mcp.json",
    "claude-desktop": "claude_desktop_config.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".vscode/mcp.json",
    "gemini": ".gemini/settings.json",
    "codex": "~/.codex/config.toml",
    "qwen-agent": "function_list",
    "dyberpet": "config.json",
    "cline": "cline_mcp_settings.json",
    "cherry-studio": mark("Settings → MCP Servers → Import from JSON"),
    "dify": mark("Tools → MCP → Add MCP Server (HTTP), field by field"),
    "n8n": mark("paste onto the canvas of a workflow"),
    "lobechat": mark("Plugins → custom MCP → quick import of JSON, one at a time"),
}
#: Formats of programs that read the token from the environment variable.
READING_THE_VARIABLE = ("claude-code", "cursor", "gemini", "codex")
#: By format, the text in place of which the user has to write the token.
STANDING_FOR_THE_TOKEN = {
    "claude-desktop": PLACEHOLDER,
    "cline": PLACEHOLDER,
    "cherry-studio": PLACEHOLDER,
    "dify": PLACEHOLDER,
    "lobechat": PLACEHOLDER,
    "qwen-agent": "${" + TOKEN_VARIABLE + "}",
    "dyberpet": 'api_key: ""',
}
#: Formats that use the legacy transport, which needs a token with the scope `all`.
LEGACY_TRANSPORT = ("qwen-agent", "dyberpet")
#: Formats in which no header can be written.
WITHOUT_LANGUAGE = ("dyberpet", "n8n")
#: By format, the name of the program in the budgets of cli.previews.tool_lists.
PROGRAMS_WITH_LIMITS = {"cursor": "Cursor", "vscode": "VS Code", "claude-code": "Claude Code"}
#: Programs that usually run in a container.
IN_CONTAINERS = ("dify", "n8n", "lobechat")
#: What a program needs besides its configuration.
NOTES = {
    "n8n": tr(
        "create a credential of the kind Bearer Auth in n8n and choose it in the nodes; its token: "
        "./deploy.sh token show"
    ),
    "lobechat": tr(
        "older versions import no headers: choose Bearer Token in the form afterwards. The timeout is a "
        "variable of LobeChat's server, MCP_TOOL_TIMEOUT in milliseconds: {milliseconds}"
    ),
    "cursor": tr("Cursor has no setting for its timeout"),
    "vscode": tr("VS Code has no setting for its timeout"),
    "claude-desktop": tr("Claude Desktop has no setting for its timeout"),
}


def render(format: str, services: Mapping[str, Any], token: str | None, language: str | None = None) -> str:
    """Return the configuration for `format`, a key of FORMATS, as text; `services` are those in the stack's outputs.

    Without a `token` the configuration refers to the environment variable DYBER_TOKEN. VS Code asks for the token;
    clients that replace no variables get a placeholder. With a `language`, clients ask services for it, except for
    those of `WITHOUT_LANGUAGE`.
    """
    result = FORMATS[format](services, Access(token, language))
    return result if isinstance(result, str) else _json(result)


def token_note(format: str, show: str) -> str | None:
    """Return how the program gets the token, for a configuration without it; None if its note says that.

    `show` is the command that prints the token.
    """
    if format in READING_THE_VARIABLE:
        return tr(
            "{program} reads the token from a variable; before it starts: {set_variable}; or add --with-token",
            program=TITLES[format],
            set_variable=_set_variable(show),
        )
    if place := STANDING_FOR_THE_TOKEN.get(format):
        return tr("write the token in place of {place}: {show} prints it; or add --with-token", place=place, show=show)
    return tr("VS Code asks for the token: {show} prints it", show=show) if format == "vscode" else None


def _set_variable(show: str) -> str:
    """Return the line for a shell of this machine that puts the token into the variable."""
    return f"$env:{TOKEN_VARIABLE} = {show}" if os.name == "nt" else f'export {TOKEN_VARIABLE}="$({show})"'


def note(format: str, services: Mapping[str, Any]) -> str | None:
    """Return what the program needs besides this configuration, such as a setting outside of it; None if it needs
    nothing."""
    longest = max((deadline_seconds(service) for service in services.values()), default=0)
    return NOTES[format].format(milliseconds=longest * 1000) if format in NOTES else None
