"""Finds the mirrors to download packages from: those of these variables, else those that this machine uses itself.

| variable | meaning |
|---|---|
| DYBER_APT_MIRROR | Debian archive, e.g. http://mirror.example/debian |
| DYBER_APT_SECURITY_MIRROR | Debian security archive; default: DYBER_APT_MIRROR with -security at its end |
| DYBER_PIP_INDEX_URL | PyPI index |
| DYBER_NPM_REGISTRY | npm registry |
| DYBER_GOPROXY | Go module proxies, in the form of GOPROXY |
| DYBER_REGISTRY | prefix of image names instead of Docker Hub, e.g. registry.example/library |
| DYBER_CA_BUNDLE | PEM file with the certificate authorities to trust |
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_APT_MIRROR = "http://deb.debian.org/debian"
CA_BUNDLE_VARIABLES = ("DYBER_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Mirrors:
    """The mirrors to use; None or "" stands for the default of the tool in question."""

    apt: str = DEFAULT_APT_MIRROR
    apt_security: str = DEFAULT_APT_MIRROR + "-security"
    pip_index_url: str | None = None
    npm_registry: str | None = None
    goproxy: str | None = None
    registry: str = ""
    ca_bundle: Path | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, etc: Path = Path("/etc")) -> Mirrors:
        """Read the environment, then the host's apt and pip configuration below `etc` and the user's home."""
        env = os.environ if env is None else env
        host_archive, host_security = host_apt_mirrors(etc)
        apt = _address(env.get("DYBER_APT_MIRROR")) or host_archive or DEFAULT_APT_MIRROR
        security = _address(env.get("DYBER_APT_SECURITY_MIRROR"))
        if not security:
            archive_is_chosen = bool(env.get("DYBER_APT_MIRROR"))
            security = (None if archive_is_chosen else host_security) or apt + "-security"
        return cls(
            apt=apt,
            apt_security=security,
            pip_index_url=env.get("DYBER_PIP_INDEX_URL") or env.get("PIP_INDEX_URL") or host_pip_index(env, etc),
            npm_registry=_address(env.get("DYBER_NPM_REGISTRY"))
            or _address(env.get("NPM_CONFIG_REGISTRY") or env.get("npm_config_registry"))
            or host_npm_registry(env, etc),
            goproxy=env.get("DYBER_GOPROXY") or env.get("GOPROXY") or None,
            registry=(env.get("DYBER_REGISTRY") or "").strip().rstrip("/"),
            ca_bundle=ca_bundle(env),
        )

    def image(self, name: str) -> str:
        """Return the name of an official image, below the registry prefix if one is set."""
        return f"{self.registry}/{name}" if self.registry else name


def ca_bundle(env: Mapping[str, str] | None = None) -> Path | None:
    """Return the PEM bundle of trusted authorities that the environment names; None if it names none."""
    env = os.environ if env is None else env
    for name in CA_BUNDLE_VARIABLES:
        value = env.get(name)
        if value and Path(value).is_file():
            return Path(value)
    return None


def host_apt_mirrors(etc: Path) -> tuple[str | None, str | None]:
    """Return (archive, security archive) that the apt of a Debian host uses; (None, None) on other systems."""
    try:
        release = (etc / "os-release").read_text(encoding="utf-8")
    except OSError:
        return None, None
    if not re.search(r'^ID="?debian"?$', release, re.MULTILINE):
        return None, None
    archive = security = None
    for address, suite in _apt_sources(etc / "apt"):
        if "security" in suite and security is None:
            security = address
        elif suite.rstrip("/") and "security" not in suite and address.endswith("/debian") and archive is None:
            archive = address
    return archive, security


def _apt_sources(apt: Path) -> Iterable[tuple[str, str]]:
    """Yield (address, suite) of each enabled binary source in the one-line and deb822 files."""
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            for line in text.splitlines():
                match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(https?://\S+)\s+(\S+)", line.strip())
                if match:
                    yield match[1].rstrip("/"), match[2]
        elif path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
                if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").lower() == "no":
                    continue
                for address in fields.get("URIs", "").split():
                    for suite in fields.get("Suites", "").split():
                        if address.startswith(("http://", "https://")):
                            yield address.rstrip("/"), suite


def host_pip_index(env: Mapping[str, str], etc: Path) -> str | None:
    """Return `index-url` from pip's configuration files; the user's file overrides the machine's."""
    home = Path(env.get("HOME") or Path.home())
    files = [
        etc / "pip.conf",
        home / ".pip/pip.conf",
        Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf",
    ]
    if env.get("PIP_CONFIG_FILE"):
        files.append(Path(env["PIP_CONFIG_FILE"]))
    parser = configparser.RawConfigParser()
    try:
        parser.read(files, encoding="utf-8")
    except configparser.Error:
        return None
    return parser.get("global", "index-url", fallback=None)


def host_npm_registry(env: Mapping[str, str], etc: Path) -> str | None:
    """Return `registry` from npm's configuration files; the user's file overrides the machine's."""
    home = Path(env.get("HOME") or Path.home())
    for file in (Path(env.get("NPM_CONFIG_USERCONFIG") or home / ".npmrc"), etc / "npmrc"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # An address with ${…} is filled in by npm from variables that only npm knows.
        if match := re.search(r"(?m)^\s*registry\s*=\s*(https?://[^\s$]+)\s*$", text):
            return match[1].rstrip("/")
    return None


def _address(value: str | None) -> str | None:
    return value.strip().rstrip("/") if value and value.strip() else None
