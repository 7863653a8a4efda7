"""Exports what every DyberPet MCP server is built from."""

from dyber_kit.importing import quick_imports

with quick_imports():
    from dyber_kit.accounts import choose_account, usable_accounts
    from dyber_kit.calling.arguments.accounts import AccountName
    from dyber_kit.calling.completions import completion
    from dyber_kit.calling.prompts import prompt
    from dyber_kit.calling.resources import resource
    from dyber_kit.calling.scopes import Caller, current_caller
    from dyber_kit.calling.tools import tool
    from dyber_kit.errors import ErrorCode, ServiceError
    from dyber_kit.observing.metrics import Metrics
    from dyber_kit.serving.app import ServiceApp, create_app
    from dyber_kit.serving.rest import RestRoute, required
    from dyber_kit.serving.server import run
    from dyber_kit.settings import Settings, environment_flag, environment_number, environment_secret

__all__ = [
    "AccountName",
    "Caller",
    "ErrorCode",
    "Metrics",
    "RestRoute",
    "ServiceApp",
    "ServiceError",
    "Settings",
    "choose_account",
    "completion",
    "create_app",
    "current_caller",
    "environment_flag",
    "environment_number",
    "environment_secret",
    "prompt",
    "required",
    "resource",
    "run",
    "tool",
    "usable_accounts",
]
