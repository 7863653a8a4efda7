"""Defines `source:` of a service.yaml: where the program of a service comes from that is not built on the kit.

Such a service runs behind the kit's bridge (dyber_kit.bridge). Its program is locked beside service.yaml: see
infra.services.source_locks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from infra.schema.host_names import is_public_address
from infra.schema.problems import UnusableValue
from messages import mark

SourceKind = Literal["npm", "pypi", "go", "oci", "url"]
ToolKind = Literal["read", "write", "off"]
KINDS: tuple[SourceKind, ...] = ("npm", "pypi", "go", "oci", "url")
#: By kind, what an exact reference looks like; messages show it.
EXAMPLES: Mapping[SourceKind, str] = {
    "npm": "@scope/name@1.2.3",
    "pypi": "name[extra]==1.2.3",
    "go": "example.org/module/cmd/server@v1.2.3",
    "oci": "registry.example/image@sha256:<64 hex digits>",
    "url": "https://mcp.example.com/mcp",
}
#: What `${…}` in an argument stands for.
PLACES: Mapping[str, str] = {"data": "/data", "tmp": "/tmp"}
#: Names of variables that decide how the bridge or the child starts; the image sets them.
RESERVED_VARIABLES = frozenset({"PATH", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "NODE_OPTIONS", "HOST", "PORT"})
#: How many children a service has if it has several and does not say how many.
DEFAULT_CHILDREN = 4
_NPM = re.compile(
    r"(?P<name>(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)"
    r"@(?P<version>(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)"
)
_GO = re.compile(
    r"(?P<name>[a-z0-9.-]+\.[a-z]+(?:/[A-Za-z0-9._~-]+)+)@(?P<version>v\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)"
)
_OCI_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_OCI = re.compile(
    rf"(?P<name>{_OCI_PART}(?::\d+(?=/))?(?:/{_OCI_PART})*)(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"@(?P<version>sha256:[0-9a-f]{64})"
)
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
#: A secret in an address: a whole segment of its path, or the whole value of a parameter.
_SECRET_PART = re.compile(r"(?:(?<=[^/:]/)|(?<=[?&])([A-Za-z0-9_.~-]+=))\$\{[A-Z][A-Z0-9_]*\}(?=[/?&]|$)")
_CHILD_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FINDING = r"^[A-Z][0-9]{2}$"


def _tool_kind(value: Any) -> Any:
    # YAML reads a bare `off` as false.
    return "off" if value is False else value


def _argument(value: str) -> str:
    for name in _PLACEHOLDER.findall(value):
        if name not in PLACES:
            known = ", ".join(f"${{{place}}}" for place in PLACES)
            raise UnusableValue("source_placeholder", placeholder=f"${{{name}}}", known=known)
    if "\n" in value or "\0" in value:
        raise UnusableValue("source_argument_lines")
    return value


def _requirement(value: str) -> str:
    try:
        requirement = Requirement(value)
    except InvalidRequirement:
        raise UnusableValue("source_requirement", value=value) from None
    if requirement.url:
        raise UnusableValue("source_requirement", value=value)
    return value


def _reason(value: str) -> str:
    # Messages propose lines with a place for the reason, such as <why it is harmless>.
    if value.strip().startswith("<"):
        raise UnusableValue("accepted_reason")
    return value


class AcceptedFinding(BaseModel):
    """A finding of the scan of tools that was reviewed: it stays accepted as long as its hash is `sha256`.

    `tool` is left out for a finding about the service as a whole, such as one about its package.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=_FINDING, description=mark("The code of the finding, such as T09"))
    tool: str = Field("", max_length=128, description=mark("The tool it is about; unset: the service as a whole"))
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description=mark("The hash that the finding was accepted with; it no longer counts when the text changes"),
    )
    reason: Annotated[
        str,
        Field(min_length=5, max_length=500, description=mark("Why it is accepted, for whoever reviews it")),
        AfterValidator(_reason),
    ]


class Source(BaseModel):
    """The program of a service, and how the bridge runs it. Exactly one of `npm`, `pypi`, `go`, `oci`, `url` is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_alias=True, validate_by_name=True)

    npm: str | None = Field(None, description=mark("A package of npm with its exact version"))
    pypi: str | None = Field(None, description=mark("A package of PyPI with its exact version"))
    go: str | None = Field(None, description=mark("The import path of a Go program with the version of its module"))
    oci: str | None = Field(None, description=mark("An image with its digest"))
    url: str | None = Field(
        None,
        description=mark(
            "The address of a server that runs elsewhere; a parameter or a segment of its path may be ${SECRET}"
        ),
    )
    command: Annotated[str, Field(max_length=200)] = Field(
        "",
        description=mark(
            "npm: the name of the bin; pypi: the name of the console script, or -m module; oci: replaces the image's "
            "entrypoint"
        ),
    )
    arguments: tuple[Annotated[str, Field(max_length=2000), AfterValidator(_argument)], ...] = Field(
        (), description=mark("The arguments of the program; ${data} is the folder of the data volume, ${tmp} is /tmp")
    )
    requirements: tuple[Annotated[str, AfterValidator(_requirement)], ...] = Field(
        (), alias="with", description=mark("Further requirements of a pypi source, such as mcp<2")
    )
    transport: Literal["stdio", "streamable-http", "sse"] = Field(
        "stdio", description=mark("How the bridge speaks to the program")
    )
    listens: int | None = Field(
        None, ge=1024, le=65535, description=mark("The port of a program that listens itself instead of using stdio")
    )
    port_variable: str | None = Field(
        None,
        description=mark(
            "The variable that tells the program its port, such as PORT: it gets the value of listens; unset: the "
            "program listens at that port by itself"
        ),
    )
    path: str | None = Field(
        None,
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        max_length=200,
        description=mark("The path of MCP at that port; unset: /mcp, or /sse for sse"),
    )
    era: Literal["legacy", "modern"] = Field(
        "legacy", description=mark("The protocol of the program: legacy begins with initialize, modern is 2026-07-28")
    )
    child: Literal["shared", "session", "pool"] = Field(
        "shared",
        description=mark(
            "One process for all callers, one for each session, or a pool of equal processes, which cannot have data"
        ),
    )
    children: int | None = Field(
        None, ge=1, le=64, description=mark("The most processes of session and pool; unset: 4")
    )
    max_in_flight: int = Field(
        8, ge=1, le=1000, description=mark("The most calls that a process works on at once; further ones wait")
    )
    startup_seconds: int = Field(
        30, ge=1, le=600, description=mark("The longest time until the program has started and listed its tools")
    )
    environment: dict[str, str] = Field(
        default_factory=dict,
        description=mark("By variable of the program, the variable or secret of this service with its value"),
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description=mark("By HTTP header for a remote server, its value, such as Bearer ${TOKEN} with a secret"),
    )
    tools: dict[str, Annotated[ToolKind, BeforeValidator(_tool_kind)]] = Field(
        default_factory=dict,
        description=mark(
            "By tool, what it does as reviewed, or off; for others its readOnlyHint counts, without one it writes"
        ),
    )
    leave_out: tuple[Literal["instructions", "prompts", "resources"], ...] = Field(
        (), description=mark("What the program offers beside tools and the service does not: its texts are not served")
    )
    accepted: tuple[AcceptedFinding, ...] = Field(
        (),
        description=mark("Findings of the scan that were reviewed: code, tool, sha256 of the tool, reason"),
    )
    private_network: bool = Field(
        False, description=mark("A remote server may be in a private network, and use HTTP without TLS")
    )

    @property
    def kind(self) -> SourceKind:
        """What the program is: a package of npm, PyPI or Go, an image, or the address of a remote server."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def reference(self) -> str:
        """The package with its exact version, the image with its digest, or the address."""
        return str(getattr(self, self.kind))

    @property
    def package(self) -> str:
        """The name without the version: of a package, of a Go package's import path, or of an image; '' for `url`."""
        return _split(self.kind, self.reference)[0]

    @property
    def version(self) -> str:
        """The exact version or digest; '' for `url`."""
        return _split(self.kind, self.reference)[1]

    @property
    def max_children(self) -> int:
        """The largest number of processes that run at once."""
        return 1 if self.child == "shared" else self.children or DEFAULT_CHILDREN

    @property
    def wanted_names(self) -> set[str]:
        """The variables and secrets of the service that `environment`, `headers` and `url` use."""
        sent = [*self.headers.values(), self.url or ""]
        return {*self.environment.values(), *(name for text in sent for name in _PLACEHOLDER.findall(text))}

    @property
    def uses_data(self) -> bool:
        """Whether an argument names the data volume."""
        return any("${data}" in argument for argument in self.arguments)

    @property
    def resolved_arguments(self) -> tuple[str, ...]:
        """The arguments with the folders of the container in place of `${data}` and `${tmp}`."""
        return tuple(_PLACEHOLDER.sub(lambda match: PLACES[match[1]], argument) for argument in self.arguments)

    @field_validator("environment")
    @classmethod
    def _variables_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name == "PORT":
                raise UnusableValue("source_variable_port")
            _check_variable(name)
        return value

    @field_validator("port_variable")
    @classmethod
    def _port_variable_is_free(cls, value: str | None) -> str | None:
        if value is not None and value != "PORT":
            _check_variable(value)
        return value

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _HEADER.fullmatch(name):
                raise UnusableValue("source_header", name=name)
            if any(ord(character) < 32 or ord(character) > 126 for character in text):
                raise UnusableValue("source_header_value", name=name)
        return value

    @model_validator(mode="after")
    def _has_one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise UnusableValue("source_kinds", kinds=", ".join(KINDS), given=", ".join(given) or "-")
        check_reference(given[0], self.reference, private_network=self.private_network)
        return self

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        fitting: dict[str, tuple[SourceKind, ...]] = {
            "command": ("npm", "pypi", "oci"),
            "arguments": ("npm", "pypi", "go", "oci"),
            "requirements": ("pypi",),
            "listens": ("npm", "pypi", "go", "oci"),
            "port_variable": ("npm", "pypi", "go", "oci"),
            "path": ("npm", "pypi", "go", "oci"),
            "environment": ("npm", "pypi", "go", "oci"),
            "headers": ("url",),
            "private_network": ("url",),
        }
        for name, kinds in fitting.items():
            if getattr(self, name) and self.kind not in kinds:
                key = "with" if name == "requirements" else name
                raise UnusableValue("source_key_unfit", key=key, kinds=", ".join(kinds), kind=self.kind)
        if self.kind in ("npm", "pypi") and not self.command:
            raise UnusableValue("source_command_missing", kind=self.kind)
        return self

    @model_validator(mode="after")
    def _transport_fits(self) -> Self:
        if self.kind == "url":
            if self.transport == "stdio":
                raise UnusableValue("source_url_transport")
            if self.child != "shared":
                raise UnusableValue("source_url_child")
        elif self.transport == "stdio":
            if self.listens or self.path or self.port_variable:
                raise UnusableValue("source_stdio_listens")
        elif not self.listens:
            raise UnusableValue("source_listens_missing", transport=self.transport)
        elif self.child != "shared":
            raise UnusableValue("source_listening_child", transport=self.transport)
        if self.port_variable in self.environment:
            raise UnusableValue("source_port_variable_twice", name=self.port_variable)
        if self.children is not None and self.child == "shared":
            raise UnusableValue("source_children_shared")
        return self


def _check_variable(name: str) -> None:
    """Refuse a variable that a program cannot be given."""
    if not _CHILD_VARIABLE.fullmatch(name):
        raise UnusableValue("source_variable", name=name)
    if name in RESERVED_VARIABLES or name.startswith(("LD_", "DYBER_")):
        raise UnusableValue("source_variable_reserved", name=name)


def check_reference(kind: SourceKind, reference: str, *, private_network: bool = False) -> None:
    """Raise UnusableValue for a reference that does not name one version of one program."""
    if kind == "url":
        _check_address(reference, private_network=private_network)
        return
    if not _split(kind, reference)[1]:
        raise UnusableValue("source_reference", kind=kind, reference=reference, example=EXAMPLES[kind])


def _split(kind: SourceKind, reference: str) -> tuple[str, str]:
    if kind == "pypi":
        return _split_requirement(reference)
    pattern = {"npm": _NPM, "go": _GO, "oci": _OCI}.get(kind)
    match = pattern.fullmatch(reference) if pattern else None
    return (match["name"], match["version"]) if match else ("", "")


def _split_requirement(reference: str) -> tuple[str, str]:
    try:
        requirement = Requirement(reference)
        exact = [clause.version for clause in requirement.specifier if clause.operator == "=="]
        if requirement.url or requirement.marker or len(exact) != 1 or len(requirement.specifier) != 1:
            return "", ""
        Version(exact[0])
    except (InvalidRequirement, InvalidVersion):
        return "", ""
    return requirement.name, exact[0]


def _check_address(address: str, *, private_network: bool) -> None:
    address = _SECRET_PART.sub("x", address)
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        raise UnusableValue("source_url", example=EXAMPLES["url"]) from None
    if parts.scheme not in ("http", "https") or not host or parts.fragment or re.search(r"[\s{}<>\"\\]", address):
        raise UnusableValue("source_url", example=EXAMPLES["url"])
    if parts.username is not None or parts.password is not None:
        raise UnusableValue("source_url_user")
    if private_network:
        return
    if parts.scheme != "https":
        raise UnusableValue("source_url_http")
    if is_private_host(host):
        raise UnusableValue("source_url_private", host=host)


def is_private_host(host: str) -> bool:
    """Tell whether a host name or IP address, as it stands, belongs to a private network or to this machine."""
    try:
        return not is_public_address(host.strip("[]").partition("%")[0])
    except ValueError:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
