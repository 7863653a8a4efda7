"""A server of npm becomes a service in one command: really locked, built, started and listed, with its secret stored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.services.catalog import load_catalog
from tests.toolchain.test_config_secrets import Checkout
from toolchain.home import DyberHome

SECRET = "zq7-Sup3rS3cretValue-9x"
CONFIGURATION = f"""
{{
  // what to eat today
  "mcpServers": {{
    "eat": {{"command": "cmd", "args": ["/c", "npx -y howtocook-mcp@0.2.2"], "env": {{"EAT_TOKEN": "{SECRET}"}}}},
  }},
}}
"""


@pytest.fixture(scope="module")
def checkout(home: DyberHome, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"), home)


@pytest.fixture(scope="module")
def added(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    """The import of a client's configuration from standard input."""
    return _import(checkout)


def _import(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    return checkout.run(sys.executable, "-m", "cli", "add-service", "--import", "-", "--yes", stdin=CONFIGURATION)


def test_the_server_is_a_service_with_a_lock_and_its_own_tools(
    checkout: Checkout, added: subprocess.CompletedProcess[str]
) -> None:
    assert added.returncode == 0, added.stderr
    spec = load_catalog(checkout.root / "mcp-servers")["eat"]
    assert spec.source
    assert (spec.source.npm, spec.source.command) == ("howtocook-mcp@0.2.2", "howtocook-mcp")
    assert "mcp_howtocook_whatToEat" in spec.tools
    lock = json.loads((spec.folder / "package-lock.json").read_text(encoding="utf-8"))
    assert all("integrity" in entry and "resolved" not in entry for path, entry in lock["packages"].items() if path)


def test_its_secret_is_encrypted_in_the_stack_and_nowhere_else(
    checkout: Checkout, home: DyberHome, added: subprocess.CompletedProcess[str]
) -> None:
    content = yaml.safe_load(checkout.file.read_text(encoding="utf-8"))["config"]
    assert list(content["dyber:services"]["eat"]["secrets"]["EAT_TOKEN"]) == ["secure"]
    assert SECRET not in added.stdout + added.stderr
    written = [checkout.file, *Path(checkout.root / "mcp-servers" / "eat").iterdir(), *home.logs.rglob("*.log")]
    assert all(SECRET not in file.read_text(encoding="utf-8", errors="replace") for file in written)


def test_the_same_import_again_changes_nothing(checkout: Checkout, added: subprocess.CompletedProcess[str]) -> None:
    def files() -> dict[str, bytes]:
        folders = (checkout.root / "mcp-servers" / "eat", checkout.root)
        return {str(path): path.read_bytes() for folder in folders for path in folder.iterdir() if path.is_file()}

    before = files()
    again = _import(checkout)
    assert (again.returncode, "No changes" in again.stdout) == (0, True)
    assert files() == before


def test_no_unfinished_folder_is_left(checkout: Checkout, added: subprocess.CompletedProcess[str]) -> None:
    assert not list(checkout.root.glob(".new-service-*"))
