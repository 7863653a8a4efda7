"""Reads a stack's state, outputs and configuration with the pulumi command.

The Automation API takes half a second to import and runs pulumi several times for the same data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.deployment.state.without_secrets import is_secret
from cli.system import programs
from cli.system.checkout import ROOT

#: Timeout of reading, also from a backend far away.
READ_SECONDS = 600
_STACK = "pulumi:pulumi:Stack"


class NoSuchStack(Exception):
    """The state in use knows no stack of this name."""


@dataclass(frozen=True)
class ConfigValue:
    """One value of a stack's configuration, in clear."""

    value: str | None
    secret: bool


def state(name: str) -> dict[str, Any]:
    """Return a stack's state with its secrets in clear; {} before the first deployment.

    Raises NoSuchStack, and DeployError or Cancelled for other failures of Pulumi.
    """
    return dict(json.loads(_pulumi("stack", "export", "--show-secrets", "--stack", name))["deployment"] or {})


def configuration(name: str) -> dict[str, ConfigValue]:
    """Return the values of a stack's file by key. Raises as `state` does."""
    values = json.loads(_pulumi("config", "--show-secrets", "--json", "--stack", name))
    return {key: ConfigValue(item.get("value"), bool(item.get("secret"))) for key, item in values.items()}


def outputs(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs in a stack's state; {} where there are none."""
    for resource in state.get("resources") or ():
        if resource["type"] == _STACK and not resource.get("delete"):
            return {key: _in_clear(value) for key, value in (resource.get("outputs") or {}).items()}
    return {}


def _in_clear(value: Any) -> Any:
    if is_secret(value):
        return _in_clear(json.loads(value["plaintext"]))
    if isinstance(value, Mapping):
        return {key: _in_clear(item) for key, item in value.items()}
    return [_in_clear(item) for item in value] if isinstance(value, list) else value


def _pulumi(*arguments: str) -> str:
    done = programs.run(
        ["pulumi", *arguments, "--non-interactive", "--color=never"],
        cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", timeout=READ_SECONDS,
    )  # fmt: skip
    if done.returncode == 0:
        return str(done.stdout)
    if "no stack named" in done.stderr:
        raise NoSuchStack(arguments[-1])
    from cli.deployment.events import explain

    raise explain(done.stderr, [])
