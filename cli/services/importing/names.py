"""Fits names of foreign servers, variables and secrets to what services may be called."""

from __future__ import annotations

import re
import unicodedata

from infra.services.source import RESERVED_VARIABLES

_SERVICE_LENGTH = 31
#: What the program sets for every service; a server that wants such a variable gets it by another name.
_SET_FOR_ALL = frozenset("LOG_LEVEL MAX_CALL_SECONDS PACKAGE LANG TZ NODE_ENV NO_COLOR".split())
#: These would switch off checks, or load code that is not locked.
_UNSAFE = frozenset(
    "NODE_TLS_REJECT_UNAUTHORIZED PYTHONHTTPSVERIFY PYTHONSTARTUP GIT_SSL_NO_VERIFY BASH_ENV ENV NODE_PATH".split()
)
_UNSAFE_PREFIXES = ("LD_", "DYLD_", "npm_config_", "NPM_CONFIG_", "UV_", "PIP_", "DYBER_")
#: Names that do not tell a server from others.
_GENERIC = frozenset("mcp server mcp-server latest index main sse stdio cmd src".split())
_WORDS_AROUND_A_NAME = re.compile(r"^(server|mcp|mcp-server|server-mcp)-(?=.)|-(mcp|server|mcp-server|server-mcp)$")


def service_name(text: str) -> str:
    """Return the name of a service that is nearest to `text`; "" if nothing of it can be used.

    The name of a package is shortened: `@scope/mcp-server-time` becomes `time`.
    """
    parts = [part.lstrip("@") for part in re.split(r"[/:]", text.strip().rstrip("/")) if part]
    names = [_shortened(part) for part in parts]
    # The last part of @playwright/mcp says nothing.
    name = next((name for name in reversed(names) if name and name not in _GENERIC), "") or next(iter(names), "")
    if name[:1].isdigit():
        name = f"mcp-{name}"
    return name[:_SERVICE_LENGTH].rstrip("-")


def _shortened(part: str) -> str:
    plain = unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode()
    name = "-".join(re.findall(r"[a-z0-9]+", plain.lower()))
    while (shorter := _WORDS_AROUND_A_NAME.sub("", name)) != name:
        name = shorter
    return name


def variable_name(text: str, prefix: str = "") -> str:
    """Return `text` as the name of a variable in service.yaml; `prefix` is what a reserved name gets in front.

    Names that the kit keeps for itself (DYBER_…, …_FILE) and names that begin with a digit get the prefix too.
    """
    name = "_".join(re.findall(r"[A-Z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).upper())) or "VALUE"
    if name in _SET_FOR_ALL or name in RESERVED_VARIABLES or name.startswith("DYBER_") or not name[0].isalpha():
        name = f"{prefix.upper().replace('-', '_') or 'SERVER'}_{name}"
    return name


def secret_name(text: str, prefix: str = "") -> str:
    """Return `text` as the name of a secret in service.yaml, which cannot end with _FILE."""
    name = variable_name(text, prefix)
    return f"{name}_CONTENT" if name.endswith("_FILE") else name


def cannot_be_given(variable: str) -> bool:
    """Tell whether no service can give a server this variable: the image sets it, or it would switch off checks."""
    return (
        variable in RESERVED_VARIABLES
        or variable in _UNSAFE
        or variable.startswith(_UNSAFE_PREFIXES)
        or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", variable)
    )
