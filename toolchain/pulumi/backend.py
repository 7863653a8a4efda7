"""Finds the backend in which Pulumi keeps the stacks' state, checks its address and masks its password."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from messages import tr
from toolchain.errors import SetupError
from toolchain.home import DyberHome

VARIABLE = "PULUMI_BACKEND_URL"
PROJECT_FILE = Path(__file__).resolve().parents[2] / "Pulumi.yaml"
#: Schemes that the Pulumi CLI can open, including those of Pulumi's own service.
SCHEMES = ("file", "s3", "gs", "azblob", "postgres", "https", "http")
EXAMPLES = "file:///srv/dyber-state, s3://bucket?region=eu-central-1, postgres://user@host/database"

_IN_AUTHORITY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:)[^\s/\"']*(?=@)", re.IGNORECASE)
_IN_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s\"']*", re.IGNORECASE)


@dataclass(frozen=True)
class Backend:
    """A state backend. `origin`: the variable or file that names it; empty for the default under DYBER_HOME."""

    url: str
    origin: str

    @property
    def is_local(self) -> bool:
        """Tell whether the state is in a folder of this machine."""
        return self.url.startswith("file:")

    def check(self) -> None:
        """Raise SetupError, exit code 2, if Pulumi would misunderstand the address."""
        scheme, separator, _ = self.url.partition("://")
        if not separator or scheme not in SCHEMES:
            raise SetupError(
                tr("{origin}: unknown state backend {url!r}", origin=self.origin, url=masked(self.url)),
                tr("write ") + (_suggestion(self.url) or tr("for example {examples}", examples=EXAMPLES)),
                exit_code=2,
            )  # fmt: skip
        if scheme == "postgres" and not _is_readable(self.url):
            # The address is not shown: the wrong part may belong to the password.
            raise SetupError(
                tr("{origin}: the postgres:// address cannot be read", origin=self.origin),
                tr("write special characters of the password percent-encoded (/ is %2F, @ is %40), or leave it out "
"and set PGPASSWORD"),
                exit_code=2,
            )  # fmt: skip


def configured(home: DyberHome, env: Mapping[str, str] | None = None) -> Backend:
    """Return the backend in use, chosen as Pulumi does: that of the variable, else `backend: {url: …}` in Pulumi.yaml.

    Without either it is the folder that set-up makes.
    """
    if url := (os.environ if env is None else env).get(VARIABLE):
        return Backend(url, VARIABLE)
    content = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8")) or {}
    if url := (content.get("backend") or {}).get("url"):
        return Backend(str(url), f"{PROJECT_FILE.name}: backend.url")
    return Backend(f"file://{home.state.as_posix()}", "")


def masked(text: str) -> str:
    """Return `text` with the passwords of all URLs in it replaced."""
    return _IN_QUERY.sub(r"\1****", _IN_AUTHORITY.sub(r"\1****", text))


def _suggestion(url: str) -> str:
    """Return the address that was probably meant, if the scheme is missing or that of another program."""
    if url.startswith("postgresql://"):
        return masked("postgres://" + url.removeprefix("postgresql://"))
    if url.startswith(("/", "~", "./")):
        return f"file://{url}"
    return ""


def _is_readable(url: str) -> bool:
    """Tell whether host and port can be distinguished from user and password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return "@" in parts.netloc or "@" not in url.split("?")[0]
