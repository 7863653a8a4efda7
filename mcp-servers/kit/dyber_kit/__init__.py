"""The library every DyberPet MCP server is made of."""

from dyber_kit.app import ServiceApp, create_app
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.metrics import Metrics
from dyber_kit.rest import RestRoute, required
from dyber_kit.server import run
from dyber_kit.settings import Settings, environment_flag, environment_number, environment_secret
from dyber_kit.tools import tool

__all__ = [
    "ErrorCode",
    "Metrics",
    "RestRoute",
    "ServiceApp",
    "ServiceError",
    "Settings",
    "create_app",
    "environment_flag",
    "environment_number",
    "environment_secret",
    "required",
    "run",
    "tool",
]
