"""What add-service makes passes its own tests and the contract tests of all services, as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from stand_in.running import ROOT

from cli.services import scaffold
from cli.services.naming import Identifiers

NEEDED = ("tests/stand_in", "tests/servers", "mcp-servers")


def test_a_new_service_passes_its_tests_at_once(tmp_path: Path) -> None:
    for name in NEEDED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(ROOT / name, tmp_path / name)
    made = scaffold.create(tmp_path / "mcp-servers", Identifiers("corner-shop"), 8998, "街角小店")
    tests = [str(made / "tests"), "tests/servers/test_servers_contract.py"]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests, "-k", "corner-shop"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout
    passed = [line for line in result.stdout.splitlines() if " PASSED" in line]
    for file in ("test_corner_shop_feed.py", "test_corner_shop_service.py", "test_servers_contract.py"):
        assert any(file in line for line in passed), file
