"""Reads how the foreign server is started or reached, and the tools that were locked, from two files in the image."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dyber_kit.language import tr
from dyber_kit.settings import environment_secret

BRIDGE_FILE_SETTING = "DYBER_BRIDGE_FILE"
LOCK_FILE_SETTING = "DYBER_LOCK_FILE"
DEFAULT_BRIDGE_FILE = Path("/opt/dyber/app/bridge.json")
DEFAULT_LOCK_FILE = Path("/opt/dyber/app/tools.lock.json")
#: Stands for every secret when the contract is made: no real secret is needed to list tools.
PLACEHOLDER = "dyber-placeholder"

Transport = Literal["stdio", "streamable-http", "sse"]
Era = Literal["legacy", "modern"]
Kind = Literal["read", "write", "off"]
LeftOut = Literal["instructions", "prompts", "resources"]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

# The child gets no other variable of the bridge: neither its secrets' files nor its settings.
_INHERITED = ("PATH", "TZ", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"


class BridgeSettings(BaseModel):
    """Holds the content of `bridge.json`, which the deployment writes from the service's `service.yaml`.

    Attributes:
        service: Name of the service.
        title: Name shown to people.
        version: Version of the foreign server; empty for a remote one.
        transport: How the server is spoken to.
        command: Arguments with which the child is started, its program first; empty for a remote server. No shell reads
            them. A folder below DYBER_DATA that ends with `/` is made if it is missing.
        folder: Folder in which the child is started, for an image that has one; None: the folder for what is temporary.
        url: Address of the server, for the two HTTP transports; of a child, on 127.0.0.1. `${NAME}` in its path or
            query is replaced by the secret or variable NAME.
        listens: Variable of a child that gets the port of `url`, on which it has to listen.
        headers: Headers of every HTTP request; `${NAME}` in a value is replaced by the secret or variable NAME.
        era: Protocol of the server: `legacy` begins with `initialize`, `modern` is that of 2026-07-28.
        child: `shared`: one child for all callers; `session`: one for each caller; `pool`: several equal children.
        max_children: Most children that run at the same time; only for `session` and `pool`.
        startup_seconds: Longest time from the start of a child until it has listed its tools.
        environment: Variable of the child -> our variable or secret with its value.
        passed: Variables and secrets that the child gets under their own name.
        secrets: Name of each secret, and whether the server can work without it.
        tools: Kind of tools that the reviewer decided; the others are as their `readOnlyHint` says, or `write`.
        leave_out: What the server offers beside tools and the service does not; `resources` includes the templates.
        max_in_flight: Most calls that one child handles at the same time; as many again wait.
        max_call_seconds: Deadline of one call, unless MAX_CALL_SECONDS is set.
        private_network: Whether `url` of a remote server may lead to a private network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    title: str = Field(min_length=1)
    version: str = Field("", max_length=200)
    transport: Transport = "stdio"
    command: tuple[str, ...] = ()
    folder: str | None = Field(None, pattern=r"^/", max_length=4096)
    url: str | None = None
    listens: VariableName | None = None
    headers: dict[str, str] = {}
    era: Era = "legacy"
    child: Literal["shared", "session", "pool"] = "shared"
    max_children: int = Field(1, ge=1, le=64)
    startup_seconds: float = Field(30, ge=1, le=600)
    environment: dict[VariableName, VariableName] = {}
    passed: tuple[VariableName, ...] = ()
    secrets: dict[VariableName, Literal["required", "optional"]] = {}
    tools: dict[str, Kind] = {}
    leave_out: tuple[LeftOut, ...] = ()
    max_in_flight: int = Field(8, ge=1, le=1000)
    max_call_seconds: float = Field(60, ge=1, le=3600)
    private_network: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> BridgeSettings:
        if self.transport == "stdio":
            if not self.command:
                raise ValueError("transport stdio needs a command")
            if self.url is not None or self.headers or self.listens is not None:
                raise ValueError("transport stdio has no url, no headers and no listens")
            return self
        if self.url is None:
            raise ValueError(f"transport {self.transport} needs a url")
        address = urlsplit(self.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("url must begin with http:// or https:// and name a host")
        if address.username or address.password:
            raise ValueError("url contains a user name or a password; use headers with a secret")
        if self.command and address.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("a child listens on this machine only: url must be on 127.0.0.1")
        if not self.command and address.scheme == "http" and not self.private_network:
            raise ValueError("url of a remote server must begin with https://, unless private_network is true")
        return self

    @property
    def port(self) -> int | None:
        """Return the port of `url`; None without one."""
        if self.url is None:
            return None
        address = urlsplit(self.url)
        return address.port or (443 if address.scheme == "https" else 80)

    @property
    def is_remote(self) -> bool:
        """Return whether the server runs elsewhere, and not as a child of the bridge."""
        return not self.command


def read_settings(file: Path | None = None) -> BridgeSettings:
    """Return the settings in `file`, by default the one that DYBER_BRIDGE_FILE names.

    Raises:
        ValueError: The file is missing or cannot be used; the message names the file, the field and the reason.
    """
    file = file or Path(os.environ.get(BRIDGE_FILE_SETTING) or DEFAULT_BRIDGE_FILE)
    try:
        return BridgeSettings.model_validate(read_json(file))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}"
            for entry in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ValueError(
            tr("The file {file} cannot be used: {problems}", file=file, problems="; ".join(problems))
        ) from None


def read_json(file: Path) -> Any:
    """Return the JSON value in a file.

    Raises:
        ValueError: The file cannot be read or is not JSON; the message names it.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ValueError(tr("The file {file} cannot be read: {reason}", file=file, reason=reason)) from None


class Values:
    """Holds the values of a service's variables and secrets, and tells which required ones are missing.

    Args:
        settings: Names the variables and secrets.
        placeholder: Stands for every secret, for listing tools without any; None to read the real ones.
    """

    def __init__(self, settings: BridgeSettings, placeholder: str | None = None) -> None:
        self._settings = settings
        self.secrets = {
            name: value for name in settings.secrets if (value := placeholder or environment_secret(name)) is not None
        }

    @property
    def missing(self) -> list[str]:
        """Return the required secrets that are not set."""
        return [
            name for name, need in self._settings.secrets.items() if need == "required" and name not in self.secrets
        ]

    def get(self, name: str) -> str | None:
        """Return the value of a secret or variable; None when it is not set."""
        return self.secrets.get(name) if name in self._settings.secrets else os.environ.get(name)

    def child_environment(self, temporary: str) -> dict[str, str]:
        """Return the whole environment of the child.

        Args:
            temporary: The folder in which the child may write whatever it wants to forget.
        """
        named = {name: name for name in self._settings.passed} | dict(self._settings.environment)
        wanted = {name: value for name, source in named.items() if (value := self.get(source)) is not None}
        if self._settings.listens is not None:
            wanted[self._settings.listens] = str(self._settings.port)
        return _basic_environment(os.environ, temporary) | wanted

    def headers(self) -> dict[str, str]:
        """Return the headers of every request, with the values of the names in them.

        Raises:
            ValueError: A header names a variable that is not set; the message names both.
        """
        return {name: self._filled(name, template) for name, template in self._settings.headers.items()}

    def address(self) -> str:
        """Return the address of the server, with the values of the names in it.

        Raises:
            ValueError: The address names a variable that is not set; the message names it.
        """
        return self._filled("", self._settings.url or "")

    def _filled(self, header: str, template: str) -> str:
        text, *parts = template.split("${")
        for part in parts:
            name, closed, rest = part.partition("}")
            value = self.get(name)
            if not closed or value is None:
                missing = name if closed else part
                if not header:
                    raise ValueError(tr("The address of the server needs {name}, which is not set", name=missing))
                raise ValueError(tr("The header {header} needs {name}, which is not set", header=header, name=missing))
            text += (value if header else quote(value, safe="")) + rest
        return text


def _basic_environment(given: Mapping[str, str], temporary: str) -> dict[str, str]:
    inherited = {name: given[name] for name in _INHERITED if given.get(name)}
    return {
        "PATH": _SEARCH_PATH,
        **inherited,
        "HOME": temporary,
        "TMPDIR": temporary,
        "XDG_CACHE_HOME": f"{temporary}/.cache",
        "XDG_CONFIG_HOME": f"{temporary}/.config",
        "XDG_DATA_HOME": f"{temporary}/.local/share",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "NODE_ENV": "production",
        "NO_COLOR": "1",
    }
