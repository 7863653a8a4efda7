"""Names the kinds of new services, each with the example from which services of that kind are made.

An example is a whole service that tests run. In its code and tests, its name only means the service's name, so that
replacing the name makes a new service. The example of `plain` is deployed as a service too; those of the other kinds
are beside this module, where they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from cli.services.naming import Identifiers
from messages import mark, tr

PLAIN = "plain"
#: Folder of the examples that are not deployed, and of the texts of a plain service that the template does not have.
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Kind:
    """Describes a kind of new services.

    Attributes:
        name: What users write: `--kind <name>`.
        summary: One line about it for users, marked for translation.
        example: The identifiers of the example.
        title: The example's title.
        port: The example's port.
        deployed: Whether the example is itself a service in mcp-servers/; then its README and service.yaml are about
            the example, and those of a new service are rendered from texts in `TEMPLATES`.
    """

    name: str
    summary: str
    example: Identifiers
    title: str
    port: int
    deployed: bool = False

    def folder(self, servers: Path) -> Path:
        """Return the folder of the example; `servers` is mcp-servers/."""
        return (servers if self.deployed else TEMPLATES) / self.example.name


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            PLAIN,
            mark("a small service without a platform's library: it reads a JSON Feed"),
            Identifiers("template"),
            "模板 MCP",
            8002,
            deployed=True,
        ),
        Kind(
            "api",
            mark("a platform with an HTTP API: token, paging, rate limits, search and get"),
            Identifiers("sample-api"),
            "示例接口 MCP",
            8998,
        ),
        Kind(
            "browser",
            mark("a website that is read in a browser: QR code login, table of refusals, one list"),
            Identifiers("sample-browser"),
            "示例网站 MCP",
            8999,
        ),
    )
}


def checked_kind(text: str) -> Kind:
    """Return the kind that users call `text`; '' means plain. Raises typer.TyperException that says what to write."""
    name = text.strip() or PLAIN
    if name not in KINDS:
        raise typer.TyperException(
            tr("there is no kind of services {name!r}; known: {known}", name=name, known=", ".join(KINDS))
        )
    return KINDS[name]
