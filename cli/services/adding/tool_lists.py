"""Asks a foreign server in its new image for its era and its tools."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from cli.engine import isolated
from cli.engine.errors import CommandFailed
from cli.system.errors import StackError
from infra.parts.data_volumes import DATA_FOLDER
from infra.parts.service import PYTHON
from infra.services.catalog import ServiceSpec
from infra.services.contract import Contract, contract_text, listing_notes, parse_contract
from messages import tr

_SECONDS = 150


class ListingError(StackError):
    """A server was started and did not list its tools; `lines` are what it said last."""

    def __init__(self, message: str, next_step: str, lines: str) -> None:
        super().__init__(message, next_step)
        self.lines = lines


@dataclass(frozen=True)
class Listed:
    """The tools of a server: the text of its lock file, the contract in it, and what is repaired or not served."""

    text: str = field(repr=False)
    contract: Contract
    notes: tuple[str, ...] = ()


def era(spec: ServiceSpec, image: str, secrets: Mapping[str, SecretStr]) -> str:
    """Return the era of MCP that the server in an image speaks: legacy or modern. Raises ListingError, EngineError."""
    return _run(spec, image, ["--era"], secrets).strip().splitlines()[-1]


def tools(spec: ServiceSpec, image: str, secrets: Mapping[str, SecretStr]) -> Listed:
    """Return the tools that the server in an image lists. Raises ListingError, ConfigurationError, EngineError.

    A server that runs in the image is started without a network and with placeholders in place of secrets; a remote
    server is asked with `secrets`.
    """
    output = _run(spec, image, [], secrets)
    text = contract_text(output)
    return Listed(text, parse_contract(text, spec.name), listing_notes(output))


def _run(spec: ServiceSpec, image: str, options: list[str], secrets: Mapping[str, SecretStr]) -> str:
    assert spec.source
    is_remote = spec.source.kind == "url"
    environment = dict(spec.environment)
    if spec.data:
        environment["DYBER_DATA"] = DATA_FOLDER
    files = None
    if is_remote and secrets:
        options = [*options, "--secrets"]
        files = _packed(secrets)
        environment |= {f"{name}_FILE": f"{isolated.FOLDER}/{name}" for name in secrets}
    try:
        return isolated.run(
            image,
            [*PYTHON, "-m", "dyber_kit.bridge.contract", *options],
            environment,
            files,
            data=spec.uid if spec.data else None,
            seconds=_SECONDS,
            network="bridge" if is_remote else "none",
        )
    except CommandFailed as error:
        raise ListingError(
            tr("{service} does not list its tools: {reason}", service=spec.name, reason=_last_lines(str(error))),
            _advice(spec),
            str(error),
        ) from None


def _advice(spec: ServiceSpec) -> str:
    if spec.source and spec.source.kind == "url":
        return tr("check the address and its secrets; the server may also be down")
    return tr(
        "see what its documentation wants: arguments (--argument), variables (--set NAME=VALUE), secrets (--secret NAME), "
        "another program of the package (--bin)"
    )


def _last_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n  ".join(["", *lines[-8:]]) if len(lines) > 1 else text.strip()


def _packed(secrets: Mapping[str, SecretStr]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, value in secrets.items():
            content = value.get_secret_value().encode()
            member = tarfile.TarInfo(name)
            # The container's own user reads it; the volume is removed with the container.
            member.size, member.mode = len(content), 0o444
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
