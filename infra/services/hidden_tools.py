"""Finds the tools in a service's contract that a setting hides from agents.

Hiding tools does not change the contract. The kit has one such setting, DYBER_READ_ONLY (dyber_kit.settings): unless
it is false, tools that write are neither listed nor callable.
"""

from __future__ import annotations

from collections.abc import Mapping

READ_ONLY = "DYBER_READ_ONLY"
_FALSE = ("0", "false", "no", "off")


def hidden_tools(tools: Mapping[str, bool], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of `tools` (by name, whether a tool only reads) that a service hides in this `environment`."""
    if environment.get(READ_ONLY, "").strip().lower() in _FALSE:
        return ()
    return tuple(name for name, reads in tools.items() if not reads)
