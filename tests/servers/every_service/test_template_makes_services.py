"""Tests that a new service from add-service passes its own tests and those that all services share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from cli.services import scaffold
from cli.services.naming import Identifiers
from tests.stand_in.running import ROOT

COPIED_FOLDERS = ("tests/stand_in", "tests/support", "tests/servers", "mcp-servers")
SHARED_TESTS = (
    "test_servers_contract.py",
    "test_servers_every_service.py",
    "test_servers_secrets.py",
    "test_servers_load.py",
)
#: Selects the tests of the new service, without the long load tests.
SELECTION = "corner-shop and not 200_calls"


def test_a_new_service_passes_its_tests_at_once(tmp_path: Path) -> None:
    for name in COPIED_FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    service = scaffold.create(tmp_path / "mcp-servers", Identifiers("corner-shop"), 8998, "街角小店")
    tests = [str(service / "tests"), *(f"tests/servers/every_service/{file}" for file in SHARED_TESTS)]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests, "-k", SELECTION]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert result.returncode == 0, result.stdout
    passed = [line for line in result.stdout.splitlines() if " PASSED" in line]
    for file in ("test_corner_shop_feed.py", "test_corner_shop_service.py", *SHARED_TESTS):
        assert any(file in line for line in passed), file
