"""Defines what a user asks for when adding a foreign server, and why something may be refused.

Secrets are `SecretStr`, and texts for users never quote a value that may be secret, so that printing or logging a
request shows none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr

from messages import tr

#: Where a program listens that can listen anywhere; no service has this port.
SPARE_PORT = 3000


class Kind(StrEnum):
    """Where a server comes from; the values are the keys in `source:` of service.yaml."""

    NPM = "npm"
    PYPI = "pypi"
    GO = "go"
    OCI = "oci"
    URL = "url"


@dataclass(frozen=True)
class Remark:
    """A sentence for the user: a text marked for translation, and the values in place of its {names}."""

    message: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self) -> str:
        """Return the sentence in the user's language."""
        return tr(self.message, **self.values)

    def __str__(self) -> str:
        return self.text()


def remark(message: str, /, **values: object) -> Remark:
    """Return the remark with this text; the text is marked where it is written: `remark(mark("…"), name=name)`."""
    return Remark(message, values)


class RefusedError(Exception):
    """A server cannot be added as it is described. `reason` says why, `next_step` what the user can do instead."""

    def __init__(self, reason: Remark, next_step: Remark) -> None:
        super().__init__(reason, next_step)
        self.reason, self.next_step = reason, next_step

    def __str__(self) -> str:
        return f"{self.reason}: {self.next_step}"


@dataclass(frozen=True)
class WantedSecret:
    """A secret that the server needs.

    Attributes:
        name: The secret's name in service.yaml.
        required: Whether the server is of no use without it.
        description: What its publisher says about it, or "".
        value: Its value, if the description of the server had it.
    """

    name: str
    required: bool = True
    description: str = ""
    value: SecretStr | None = None


@dataclass(frozen=True)
class Question:
    """A value that is no secret and that only the user knows.

    Attributes:
        key: The name under which the answer is given.
        description: What its publisher says about it, or "".
        default: The answer that is offered.
        choices: The only possible answers; empty if any answer is possible.
        placeholder: What is written in place of the value and only stands for one, such as YOUR_HOST, or "".
    """

    key: str
    description: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    placeholder: str = ""


@dataclass
class SourceRequest:
    """A server as a user describes it; its version may still be a range, a tag, or empty for the newest.

    Attributes:
        kind: Where it comes from.
        package: The name of the package, module or image without a version; the address of a remote server.
        version: The version as written.
        extras: Extras of a Python package.
        command: The bin, console script or "-m module"; "" where the package decides.
        arguments: The server's arguments; `${data}` is the data volume.
        requirements: Further requirements of a Python server.
        transport: stdio, streamable-http or sse; "" if it has to be found out.
        child_port: The port on which a server listens that does not speak over stdio, else 0.
        child_path: The path at which such a server listens.
        port_variable: The variable that tells such a server its port; "" if it does not read one.
        name: The service's name that the description proposes, unchecked.
        title: The service's title, or "".
        description: What its publisher says about it, or "".
        environment: Variables of the service by their name in service.yaml, without secrets.
        renamed: The name in service.yaml by the name that the server wants, where they differ.
        headers: The headers for a remote server; `${NAME}` in a value is a secret.
        secrets: The secrets that the server needs, by their name in service.yaml.
        data: Whether it needs a data volume.
        internet: Whether it may reach the Internet; None if nothing is known.
        max_call_seconds: How long a call may take; None for the default.
        startup_seconds: How long a start may take; None for the default.
        hidden_tools: Tools that are switched off.
        only_tools: The only tools that stay switched on; None for all.
        disabled: Whether the description switches it off.
        remarks: What the user should know.
        questions: What the user has to answer first; the request is unusable until none is left.
    """

    kind: Kind = Kind.NPM
    package: str = ""
    version: str = ""
    extras: tuple[str, ...] = ()
    command: str = ""
    arguments: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    transport: str = "stdio"
    child_port: int = 0
    child_path: str = ""
    port_variable: str = ""
    name: str = ""
    title: str = ""
    description: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, WantedSecret] = field(default_factory=dict)
    data: bool = False
    internet: bool | None = None
    max_call_seconds: int | None = None
    startup_seconds: int | None = None
    hidden_tools: tuple[str, ...] = ()
    only_tools: tuple[str, ...] | None = None
    disabled: bool = False
    remarks: list[Remark] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def note(self, message: str, /, **values: object) -> None:
        """Add a remark, unless it is there already."""
        if (new := Remark(message, values)) not in self.remarks:
            self.remarks.append(new)

    def ask(self, question: Question) -> None:
        """Add a question, unless the same key is asked for already."""
        if all(question.key != known.key for known in self.questions):
            self.questions.append(question)
