"""Finds which archives of a Debian suite a mirror has, and whether their Release files have expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from messages import tr
from toolchain import downloads
from toolchain.errors import SetupError
from toolchain.mirrors import Mirrors


@dataclass(frozen=True)
class Release:
    """A suite that a mirror has. valid_until: None when its Release file never expires."""

    mirror: str
    suite: str
    valid_until: datetime | None

    def expired(self) -> bool:
        """Tell whether Valid-Until has passed: the mirror has stopped updating, and apt refuses it by default."""
        return self.valid_until is not None and self.valid_until < datetime.now(UTC)


def find_releases(suite: str, mirrors: Mirrors) -> list[Release]:
    """Return those of the suite, its -updates and its -security that the mirrors have. Raises SetupError."""
    candidates = [(mirrors.apt, suite), (mirrors.apt, f"{suite}-updates"), (mirrors.apt_security, f"{suite}-security")]
    with downloads.http_client(mirrors.ca_bundle) as client:
        answers = [_release(client, mirror, name) for mirror, name in candidates]
    releases = [release for release in answers if release is not None]
    if not any(release.suite == suite for release in releases):
        raise SetupError(
            tr("{apt} has no Debian {suite}.", apt=mirrors.apt, suite=suite),
            tr("Name a full Debian mirror in DYBER_APT_MIRROR."),
        )
    return releases


def _release(client: httpx2.Client, mirror: str, suite: str) -> Release | None:
    """Return the suite of a mirror; None when the mirror says that it does not have it."""
    address = f"{mirror}/dists/{suite}/Release"
    try:
        with client.stream("GET", address) as response:
            if response.status_code == 404:
                return None
            response.raise_for_status()
            for line in response.iter_lines():
                name, _, value = line.partition(":")
                if name == "Valid-Until":
                    return Release(mirror, suite, parsedate_to_datetime(value.strip().replace("UTC", "+0000")))
                if name in ("MD5Sum", "SHA256"):  # only hashes follow, very many of them
                    break
    except httpx2.HTTPError as error:
        raise SetupError(
            tr("The Debian mirror does not answer: {address} ({error})", address=address, error=error),
            tr("Name one that does in DYBER_APT_MIRROR, for example http://mirror.example/debian."),
        ) from error
    return Release(mirror, suite, None)
