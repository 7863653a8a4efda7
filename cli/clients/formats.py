"""Client configurations, valid word for word for the client they are for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from messages import tr

TOKEN_VARIABLE = "DYBER_TOKEN"
PLACEHOLDER = "<TOKEN>"
#: Longest call of a service whose stack was deployed before the outputs said it.
LONGEST_CALL_SECONDS = 300
#: A client waits this much longer than the call may take, so that it gets the service's own words.
DEADLINE_MARGIN_SECONDS = 30


def deadline_seconds(service: Mapping[str, Any]) -> int:
    """Return how many seconds a client should wait for an answer; many programs give up after 30 or 60 s by default."""
    return int(service.get("max_call_seconds", LONGEST_CALL_SECONDS)) + DEADLINE_MARGIN_SECONDS


@dataclass(frozen=True)
class Access:
    """How the client gets the token: written out, or by the name of the environment variable DYBER_TOKEN."""

    token: str | None

    def bearer(self, variable: str) -> str:
        """The Authorization header; `variable` is the client's way of writing an environment variable."""
        return f"Bearer {self.token or variable}"


def _claude_code(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Its documentation of .mcp.json names `timeout`, in milliseconds: how long a tool call of that server may take."""
    authorization = access.bearer("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {
                "type": "http",
                "url": service["mcp"],
                "headers": {"Authorization": authorization},
                "timeout": deadline_seconds(service) * 1000,
            }
            for name, service in services.items()
        }
    }


def _cursor(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    authorization = access.bearer("${env:" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {"url": service["mcp"], "headers": {"Authorization": authorization}}
            for name, service in services.items()
        }
    }


def _vscode(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    authorization = access.bearer("${input:dyber-token}")
    configuration: dict[str, Any] = {
        "servers": {
            name: {"type": "http", "url": service["mcp"], "headers": {"Authorization": authorization}}
            for name, service in services.items()
        }
    }
    if access.token is None:
        configuration["inputs"] = [
            {"type": "promptString", "id": "dyber-token", "description": "DyberPet token", "password": True}
        ]
    return configuration


def _gemini(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """`url` alone would be the legacy transport there. Its documentation says that `timeout` is in milliseconds."""
    authorization = access.bearer("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {
                "httpUrl": service["mcp"],
                "headers": {"Authorization": authorization},
                "timeout": deadline_seconds(service) * 1000,
            }
            for name, service in services.items()
        }
    }


def _claude_desktop(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    # Its file knows only programs that speak over stdio, so a bridge goes between. The header's space is in the
    # variable, as the Windows version breaks arguments at spaces.
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
                ],
                "env": {"DYBER_AUTHORIZATION": access.bearer(PLACEHOLDER)},
            }
            for name, service in services.items()
        }
    }


def _qwen_agent(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    # The legacy transport: qwen-agent 0.0.27, which desktop-pet agents pin, sends no headers over the other one.
    authorization = access.bearer("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {
                "url": service["sse"],
                "headers": {"Authorization": authorization},
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
    """Its reference of config.toml names `tool_timeout_sec`, in seconds, 60 without it."""
    tables = []
    for name, service in services.items():
        # A JSON string of these characters is a TOML string too.
        lines = [
            f"[mcp_servers.{name}]",
            f"url = {json.dumps(service['mcp'])}",
            f"tool_timeout_sec = {deadline_seconds(service)}",
        ]
        if access.token is None:
            lines.append(f'bearer_token_env_var = "{TOKEN_VARIABLE}"')
        else:
            lines.append(f"http_headers = {{ Authorization = {json.dumps(access.bearer(''))} }}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _cline(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Cline takes an entry without `type` for the legacy transport, and fills in no variables. `timeout` is in seconds,
    60 without it."""
    return {
        "mcpServers": {
            name: {
                "type": "streamableHttp",
                "url": service["mcp"],
                "headers": {"Authorization": access.bearer(PLACEHOLDER)},
                "timeout": deadline_seconds(service),
                "disabled": False,
            }
            for name, service in services.items()
        }
    }


def _cherry_studio(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Its import from JSON refuses the whole text for an unknown key; `timeout` is in seconds, 60 without it."""
    return {
        "mcpServers": {
            name: {
                "name": service.get("title", name),
                "type": "streamableHttp",
                "url": service["mcp"],
                "headers": {"Authorization": access.bearer(PLACEHOLDER)},
                "timeout": deadline_seconds(service),
                "isActive": True,
            }
            for name, service in services.items()
        }
    }


def _dify(services: Mapping[str, Any], access: Access) -> list[dict[str, Any]]:
    """The fields of Dify's form for an MCP server over HTTP, by the names of its interface.

    Both timeouts are in seconds, 30 and 300 without them.
    """
    return [
        {
            "name": service.get("title", name),
            "server_url": service["mcp"],
            "server_identifier": name,
            "headers": {"Authorization": access.bearer(PLACEHOLDER)},
            "configuration": {
                "timeout": deadline_seconds(service),
                "sse_read_timeout": max(300, deadline_seconds(service)),
            },
        }
        for name, service in services.items()
    ]


def _n8n(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Nodes of the kind MCP Client Tool, to be pasted into a workflow; `timeout` is in milliseconds, 60,000 without it.

    n8n keeps tokens apart from workflows: the nodes name a credential of the kind Bearer Auth, and hold no token.
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
    """One document per service, as LobeChat's import from JSON takes one server at a time.

    How long it waits is a setting of its own server: MCP_TOOL_TIMEOUT, in milliseconds, 60,000 without it.
    """
    return "\n\n".join(
        _json(
            {
                "mcpServers": {
                    name: {
                        "type": "http",
                        "url": service["mcp"],
                        "headers": {"Authorization": access.bearer(PLACEHOLDER)},
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
#: Where each client looks for it.
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
    "cherry-studio": tr("Settings → MCP Servers → Import from JSON"),
    "dify": tr("Tools → MCP → Add MCP Server (HTTP), field by field"),
    "n8n": tr("paste onto the canvas of a workflow"),
    "lobechat": tr("Plugins → custom MCP → quick import of JSON, one at a time"),
}
#: Formats of the legacy transport, which only a token of the scope `all` can use.
LEGACY_TRANSPORT = ("qwen-agent", "dyberpet")
#: Programs that usually run in a container.
IN_CONTAINERS = ("dify", "n8n", "lobechat")
#: What a program needs besides its configuration.
NOTES = {
    "n8n": tr(
        "make a credential of the kind Bearer Auth in n8n and choose it in the nodes; see ./deploy.sh token show"
    ),
    "lobechat": tr(
        "older versions import no headers: choose Bearer Token in the form afterwards. How long it "
        "waits is a variable of LobeChat's server, MCP_TOOL_TIMEOUT in milliseconds: {milliseconds}"
    ),
    "cursor": tr("Cursor has no setting for how long it waits"),
    "vscode": tr("VS Code has no setting for how long it waits"),
    "claude-desktop": tr("Claude Desktop has no setting for how long it waits"),
}


def render(format: str, services: Mapping[str, Any], token: str | None) -> str:
    """The configuration for `format`, a key of FORMATS, as text; `services` as the stack exports them.

    Without a `token` it refers to the environment variable DYBER_TOKEN (VS Code asks for it; programs that fill in no
    variables have a place for it to be written into).
    """
    result = FORMATS[format](services, Access(token))
    return result if isinstance(result, str) else _json(result)


def note(format: str, services: Mapping[str, Any]) -> str | None:
    """Return what the program needs besides this configuration, such as a setting outside of it; None if it needs
    nothing."""
    longest = max((deadline_seconds(service) for service in services.values()), default=0)
    return NOTES[format].format(milliseconds=longest * 1000) if format in NOTES else None
