"""Files that settings name are read from the repository or the home folder, and unusable ones are refused in words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.rendering.gateway.inputs import REPOSITORY, tls_files
from infra.rendering.hub.logins import authorities
from infra.schema.problems import ConfigurationError
from infra.settings.stack import StackSettings, parse_settings


def _authorities(path: str) -> dict[str, str]:
    issuer = {"url": "https://login.example.com", "otherUsers": "desktop-pet", "caFile": path}
    return authorities(_settings({"oauth": {"issuers": {"login": issuer}}}))


def _acme_authority(path: str) -> dict[str, str]:
    return tls_files(_settings({"tls": {"source": "acme", "acmeCaFile": path}, "serverNames": ["pet.example.com"]}))


def _settings(gateway: dict[str, Any]) -> StackSettings:
    return parse_settings("dev", {"dyber:gateway": json.dumps(gateway)}, {})


READERS = pytest.mark.parametrize("read", [_authorities, _acme_authority])
Reader = Callable[[str], dict[str, str]]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "authority.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=authority -out".split()
    subprocess.run([*command, str(file), "-keyout", str(tmp_path / "authority.key")], check=True, capture_output=True)
    return file


@READERS
def test_a_file_in_the_home_folder_is_read(read: Reader, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(certificate.parent))
    assert list(read("~/authority.pem").values()) == [certificate.read_text()]
    assert list(read(str(certificate)).values()) == [certificate.read_text()]


@READERS
@pytest.mark.parametrize("path", ["certificates/missing.pem", "~nobody-of-this-name/missing.pem"])
def test_a_file_that_is_missing_is_named_with_its_whole_path(read: Reader, path: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(path)
    assert str(refused.value).endswith(f"there is no file {REPOSITORY / path}")


@READERS
@pytest.mark.parametrize("content", [b"", b"hello", "证书".encode(), b"-----BEGIN CERTIFICATE-----\nYWJj\n"])
def test_a_file_without_a_certificate_is_refused_in_the_users_language(
    read: Reader, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authority.pem"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        read(str(file))
    (problem,) = refused.value.problems
    assert problem.path[-1] in ("caFile", "acmeCaFile")
    assert "in PEM form" in problem.text()
    monkeypatch.setenv("DYBER_LANG", "zh")
    assert "PEM 格式" in problem.text()
    assert "not PEM" not in problem.text()


@READERS
def test_a_key_is_no_certificate(read: Reader, certificate: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no usable certificate"):
        read(str(certificate.with_suffix(".key")))


@READERS
def test_a_folder_is_no_file(read: Reader, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder"):
        read(str(tmp_path))
