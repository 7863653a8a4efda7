"""Client configurations, valid word for word for the client they are for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TOKEN_VARIABLE = "DYBER_TOKEN"
PLACEHOLDER = "<TOKEN>"


@dataclass(frozen=True)
class Access:
    """How the client gets the token: written out, or by the name of the environment variable DYBER_TOKEN."""

    token: str | None

    def bearer(self, variable: str) -> str:
        """The Authorization header; `variable` is the client's way of writing an environment variable."""
        return f"Bearer {self.token or variable}"


def _claude_code(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    authorization = access.bearer("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {"type": "http", "url": service["mcp"], "headers": {"Authorization": authorization}}
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
    # `url` alone would be the legacy transport there.
    authorization = access.bearer("${" + TOKEN_VARIABLE + "}")
    return {
        "mcpServers": {
            name: {"httpUrl": service["mcp"], "headers": {"Authorization": authorization}, "timeout": 120_000}
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
                    "--allow-http",
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
            name: {"url": service["sse"], "headers": {"Authorization": authorization}, "sse_read_timeout": 300}
            for name, service in services.items()
        }
    }


def _dyberpet(services: Mapping[str, Any], access: Access) -> dict[str, Any]:
    return {
        f"{name.replace('-', '_')}_mcp": {
            "enabled": True,
            "url": service["sse"],
            "api_key": access.token or "",
            "timeout": 30,
        }
        for name, service in services.items()
    }


def _codex(services: Mapping[str, Any], access: Access) -> str:
    tables = []
    for name, service in services.items():
        # A JSON string of these characters is a TOML string too.
        lines = [f"[mcp_servers.{name}]", f"url = {json.dumps(service['mcp'])}"]
        if access.token is None:
            lines.append(f'bearer_token_env_var = "{TOKEN_VARIABLE}"')
        else:
            lines.append(f"http_headers = {{ Authorization = {json.dumps(access.bearer(''))} }}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


Renderer = Callable[[Mapping[str, Any], Access], dict[str, Any] | str]
FORMATS: dict[str, Renderer] = {
    "claude-code": _claude_code,
    "claude-desktop": _claude_desktop,
    "cursor": _cursor,
    "vscode": _vscode,
    "gemini": _gemini,
    "codex": _codex,
    "qwen-agent": _qwen_agent,
    "dyberpet": _dyberpet,
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
}


def render(format: str, services: Mapping[str, Any], token: str | None) -> str:
    """The configuration for `format`, a key of FORMATS, as text; `services` as the stack exports them.

    Without a `token` it refers to the environment variable DYBER_TOKEN (VS Code asks for it; claude-desktop and
    dyberpet have a place for it to be written into).
    """
    result = FORMATS[format](services, Access(token))
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, indent=2)
