"""Client configurations, valid word for word for the client they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOKEN_VARIABLE = "DYBER_TOKEN"


def _claude_code(services: Mapping[str, Any], authorization: str) -> dict[str, Any]:
    return {
        "mcpServers": {
            name: {"type": "http", "url": service["mcp"], "headers": {"Authorization": authorization}}
            for name, service in services.items()
        }
    }


def _cursor(services: Mapping[str, Any], authorization: str) -> dict[str, Any]:
    authorization = authorization.replace("${", "${env:")
    return {
        "mcpServers": {
            name: {"url": service["mcp"], "headers": {"Authorization": authorization}}
            for name, service in services.items()
        }
    }


def _vscode(services: Mapping[str, Any], authorization: str) -> dict[str, Any]:
    by_input = authorization.replace("${" + TOKEN_VARIABLE + "}", "${input:dyber-token}")
    configuration: dict[str, Any] = {
        "servers": {
            name: {"type": "http", "url": service["mcp"], "headers": {"Authorization": by_input}}
            for name, service in services.items()
        }
    }
    if by_input != authorization:
        configuration["inputs"] = [
            {"type": "promptString", "id": "dyber-token", "description": "DyberPet token", "password": True}
        ]
    return configuration


def _qwen_agent(services: Mapping[str, Any], authorization: str) -> dict[str, Any]:
    # The legacy transport: qwen-agent 0.0.27, which desktop-pet agents pin, sends no headers over the other one.
    return {
        "mcpServers": {
            name: {"url": service["sse"], "headers": {"Authorization": authorization}, "sse_read_timeout": 300}
            for name, service in services.items()
        }
    }


FORMATS = {"claude-code": _claude_code, "cursor": _cursor, "vscode": _vscode, "qwen-agent": _qwen_agent}


def render(format: str, services: Mapping[str, Any], token: str | None) -> dict[str, Any]:
    """The configuration as JSON data for `format`, a key of FORMATS; `services` as the stack exports them.

    Without a `token` it refers to the environment variable DYBER_TOKEN (VS Code asks for it).
    """
    return FORMATS[format](services, f"Bearer {token or '${' + TOKEN_VARIABLE + '}'}")
