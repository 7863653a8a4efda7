"""The rules of the scan for packages, S01 to S07."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.services.scan import Level, Package, read_sources, scan_package

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def codes(kind: str = "pypi", name: str = "some-server", **facts: Any) -> list[str]:
    findings = scan_package(Package(kind, name, "1.0.0", **facts), NOW)
    assert all(finding.level is Level.WARN for finding in findings)
    return [finding.code for finding in findings]


def test_each_package_with_an_install_script_is_reported() -> None:
    assert codes("npm", install_scripts=["keys", "buffers"]) == ["S01", "S01"]


@pytest.mark.parametrize(
    "text",
    [
        "spawn('npx', ['-y', 'thing'])",
        'subprocess.run(["npm", "install"], cwd=here)',
        'subprocess.check_call([sys.executable, "-m", "pip", "install", "thing"])',
        "exec(`npm install ${name}`)",
    ],
)
def test_a_program_that_downloads_code_while_it_runs_is_reported(text: str) -> None:
    assert codes(sources={"main.py": text}) == ["S02"]


@pytest.mark.parametrize(
    "text",
    [
        "httpx.AsyncClient(verify=False)",
        "new https.Agent({ rejectUnauthorized: false })",
        "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'",
        "context = ssl._create_unverified_context()",
        "TLSClientConfig: &tls.Config{InsecureSkipVerify: true}",
    ],
)
def test_a_program_that_does_not_verify_certificates_is_reported(text: str) -> None:
    assert codes(sources={"main.py": text}) == ["S03"]


@pytest.mark.parametrize(
    "text",
    [
        "# install it with npm install -g thing, or run npx thing",
        "httpx.AsyncClient(verify=True)",
        "new https.Agent({ rejectUnauthorized: true })",
        "run(['git', 'install'])",
    ],
)
def test_an_ordinary_program_is_not_reported(text: str) -> None:
    assert codes(sources={"main.py": text}) == []


@pytest.mark.parametrize(
    "name", ["mcp-server-tme", "mcp-server-timee", "mcp-server-tiem", "mcp_server_tims", "exel-mcp-server"]
)
def test_a_name_beside_a_known_one_is_reported(name: str) -> None:
    assert codes(name=name) == ["S04"]


@pytest.mark.parametrize("name", ["mcp-server-time", "mcp-server-tide-tables", "pandoc"])
def test_the_known_name_and_quite_different_names_are_not_reported(name: str) -> None:
    assert codes(name=name) == []


@pytest.mark.parametrize("name", ["iflow-mcp-notes", "mseep-notes", "@iflow-mcp/notes"])
def test_a_copy_by_another_publisher_is_reported(name: str) -> None:
    assert codes(name=name) == ["S05"]


def test_a_version_within_the_cool_down_is_reported() -> None:
    assert codes(published=NOW - timedelta(days=2)) == ["S06"]
    assert codes(published=NOW - timedelta(days=30)) == []
    assert codes(published=datetime(2026, 5, 31)) == ["S06"]  # noqa: DTZ001 - some registries leave out the zone


def test_a_package_without_a_repository_is_reported_only_if_someone_looked() -> None:
    assert codes(repository="") == ["S06"]
    assert codes(repository=None) == []
    assert codes(repository="https://git.vendor.com/acme/tool") == []


def test_a_package_for_another_system_is_reported() -> None:
    assert codes(requirements=["mcp", "pywinauto"]) == ["S07"]
    assert codes(systems=["Operating System :: Microsoft :: Windows"]) == ["S07"]
    assert codes("npm", systems=["win32", "darwin"]) == ["S07"]
    assert codes(systems=["Operating System :: OS Independent"]) == []
    assert codes("npm", systems=["win32", "linux"]) == []


def test_the_hash_of_a_finding_changes_with_the_version() -> None:
    first, second = (
        scan_package(Package("npm", "thing", version, install_scripts=["keys"]), NOW)[0]
        for version in ("1.0.0", "1.0.1")
    )
    assert first.sha256 != second.sha256


def test_sources_are_read_without_dependencies_and_links(tmp_path: Path) -> None:
    (tmp_path / "node_modules" / "other").mkdir(parents=True)
    (tmp_path / "node_modules" / "other" / "index.js").write_text("rejectUnauthorized: false")
    (tmp_path / "index.js").write_bytes(b"ok\xff")
    (tmp_path / "picture.png").write_bytes(b"png")
    (tmp_path / "link.js").symlink_to(tmp_path / "index.js")
    assert read_sources(tmp_path) == {"index.js": "ok\ufffd"}
