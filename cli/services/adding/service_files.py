"""Writes the files of a service with a source that need no network: service.yaml and README.md."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from cli.services.importing.requests import SPARE_PORT, Kind, SourceRequest
from cli.services.kinds import TEMPLATES
from infra.services.catalog import SPEC_FILE
from messages import tr

README = "README.md"
#: A server beside the bridge needs more than the kit alone.
MEMORY_MIB = 512


@dataclass(frozen=True)
class Choices:
    """What a user decides about a new service.

    Attributes:
        name: The service's name.
        port: Its port.
        title: Its title.
        internet: Whether it may reach the Internet.
        profile: The profile that switches it on, or None if it is always on.
        private: Whether a remote server may be in a private network.
    """

    name: str
    port: int
    title: str
    internet: bool
    profile: str | None = None
    private: bool = False


def service_content(
    request: SourceRequest, choices: Choices, reference: str, command: str, tools: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of service.yaml.

    `reference` is the package with its exact version, `command` the program that it starts, and `tools` what a person
    decided about tools.
    """
    declared = {*request.environment, *request.secrets}
    # Where the service itself listens a program cannot; one that is told its port can go elsewhere.
    is_in_the_way = bool(request.port_variable) and request.child_port == choices.port
    source = {
        request.kind.value: reference,
        "command": command,
        "arguments": list(request.arguments),
        "with": list(request.requirements),
        "transport": "" if request.transport == "stdio" else request.transport,
        "listens": SPARE_PORT if is_in_the_way else request.child_port,
        "port_variable": request.port_variable,
        "path": request.child_path if request.child_port else "",
        "startup_seconds": request.startup_seconds,
        "environment": {name: known for name, known in request.renamed.items() if known in declared},
        "headers": dict(request.headers),
        "private_network": choices.private,
        "tools": dict(tools),
    }
    source = {key: value for key, value in source.items() if value}
    content: dict[str, Any] = {"title": choices.title}
    if request.description:
        content["description"] = " ".join(request.description.split())[:200]
    content["port"] = choices.port
    if choices.profile:
        content["profile"] = choices.profile
    if request.kind is not Kind.URL:
        content["memory_mib"] = MEMORY_MIB
    if request.max_call_seconds:
        content["max_call_seconds"] = request.max_call_seconds
    content |= {"data": request.data, "internet": choices.internet, "source": source}
    content["environment"] = dict(request.environment)
    content["secrets"] = {
        name: "required" if secret.required else "optional" for name, secret in request.secrets.items()
    }
    return {key: value for key, value in content.items() if value not in ({}, [])}


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write service.yaml into a folder; comments and the order of a file that is there stay."""
    file = folder / SPEC_FILE
    if not file.is_file():
        text = yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False, width=110)
        file.write_text(text, encoding="utf-8", newline="\n")
        return
    editor = YAML()
    editor.preserve_quotes, editor.width = True, 110
    present = editor.load(file.read_text(encoding="utf-8"))
    _merge(present, content)
    buffer = io.StringIO()
    editor.dump(present, buffer)
    file.write_text(buffer.getvalue(), encoding="utf-8", newline="\n")


def _merge(present: Any, content: Mapping[str, Any]) -> None:
    """Make the mapping `present` equal to `content`, changing only what differs."""
    for key in [key for key in present if key not in content]:
        del present[key]
    for key, value in content.items():
        if isinstance(value, Mapping) and isinstance(present.get(key), Mapping):
            _merge(present[key], value)
        elif key not in present or present[key] != value:
            # YAML reads a bare `off` as false.
            present[key] = DoubleQuotedScalarString(value) if value == "off" else value


def read(folder: Path) -> dict[str, Any]:
    """Return the content of the service.yaml in a folder."""
    return dict(yaml.safe_load((folder / SPEC_FILE).read_text(encoding="utf-8")))


def write_readme(
    folder: Path,
    content: Mapping[str, Any],
    kinds: Sequence[tuple[str, str]],
    offers: Mapping[str, Any],
    findings: str,
) -> None:
    """Write README.md, which tells people what the service is.

    `kinds` are its tools and what each does; `offers` is what its contract has beside tools; `findings` is the section
    about what the scan found.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    source = content["source"]
    kind = next(key for key in ("npm", "pypi", "go", "oci", "url") if key in source)
    text = environment.get_template("foreign-README.md.j2").render(
        name=folder.name,
        title=content["title"],
        description=content.get("description", ""),
        kind=kind,
        reference=source[kind],
        secrets=content.get("secrets", {}),
        internet=content.get("internet", False),
        data=content.get("data", False),
        tools=[(name, _WORDS[word]) for name, word in kinds],
        findings=findings,
        offers=[(title, list(offers[kind])) for kind, title in _OFFERS.items() if offers.get(kind)],
    )
    (folder / README).write_text(text, encoding="utf-8", newline="\n")


#: The README is a Chinese document, as those of the other services.
_OFFERS = {"prompts": "提示词", "resources": "资源", "resource_templates": "资源模板"}
_WORDS = {"read": "只读", "write": "写入", "off": "关闭"}


def is_the_same(content: Mapping[str, Any], request: SourceRequest) -> bool:
    """Tell whether a service.yaml has the source that is asked for, in whatever version."""
    source = content.get("source")
    if not isinstance(source, Mapping) or request.kind.value not in source:
        return False
    written = str(source[request.kind.value])
    if request.kind is Kind.URL:
        return written == request.package
    name = written.rpartition("@")[0] if request.kind is not Kind.PYPI else written.partition("==")[0]
    if request.kind is Kind.OCI:
        name = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return name.partition("[")[0].lower() == request.package.lower() and json.dumps(
        source.get("arguments", [])
    ) == json.dumps(list(request.arguments))


def kind_word(kind: str) -> str:
    """Return what a tool does in a word of the user's language."""
    return {"read": tr("only reads"), "write": tr("writes"), "off": tr("off")}[kind]
