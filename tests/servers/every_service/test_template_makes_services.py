"""Tests that a new service of each kind, made by the command in a copy of the checkout, is whole and answers at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client

from cli.services import scaffold
from cli.services.kinds import KINDS, Kind
from cli.services.naming import Identifiers
from tests.stand_in.running import ROOT, free_port, process

NAME, PACKAGE, TITLE = "corner-shop", "corner_shop_server", "街角小店"
LOCK = "tools.lock.json"
COPIED_FOLDERS = (
    "cli", "infra", "messages", "policy", "toolchain", "tests/stand_in", "tests/support", "tests/servers",
    "mcp-servers",
)  # fmt: skip
COPIED_FILES = ("conftest.py", "pyproject.toml", "tests/__init__.py")
SHARED_TESTS = (
    "test_servers_catalogues.py",
    "test_servers_contract.py",
    "test_servers_every_service.py",
    "test_servers_secrets.py",
    "test_servers_load.py",
)
#: Selects the tests of the new service, without the long load tests.
SELECTION = f"{NAME} and not many_calls"
#: By kind: how the new service is told where its stand-in is, and a call that the stand-in answers, with a part of the
#: answer.
ON_THE_STAND_IN: dict[str, tuple[dict[str, str], tuple[str, dict[str, Any]], dict[str, Any]]] = {
    "plain": (
        {"CORNER_SHOP_UPSTREAM_URL": "{base}/ok/feed.json"},
        ("corner_shop_search", {"query": "第 7 条"}),
        {"source": "样例来源", "count": 1},
    ),
    "api": (
        {"CORNER_SHOP_BASE_URL": "{base}/ok", "CORNER_SHOP_TOKEN": "token-of-the-stand-in"},
        ("corner_shop_search", {"query": "第 7 条"}),
        {"count": 1, "next_cursor": None},
    ),
    "browser": (
        {"CORNER_SHOP_BASE_URL": "{base}", "CORNER_SHOP_INTERVAL_SECONDS": "0", "CORNER_SHOP_JITTER_SECONDS": "0"},
        ("corner_shop_list_posts", {"limit": 3}),
        {"count": 3, "complete": False},
    ),
}


@dataclass(frozen=True)
class Made:
    """Holds a copy of the checkout, and the folder of the service that was added to it."""

    root: Path
    folder: Path
    kind: Kind
    files_before: set[Path]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a module in the copy."""
        path = [self.root / "mcp-servers" / "kit", self.folder, self.root]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "DYBER_LANG": "en"}
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a copy of the checkout in which `add-service` has made a service of the kind."""
    root = tmp_path_factory.mktemp("checkout")
    for name in COPIED_FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    for name in COPIED_FILES:
        shutil.copy(ROOT / name, root / name)
    made = Made(root, root / "mcp-servers" / NAME, request.param, files_below(root))
    done = made.run("cli", "add-service", NAME, "--kind", made.kind.name, "--title", TITLE)
    assert done.returncode == 0, done.stderr
    return made


@contextmanager
def stand_in(made: Made) -> Iterator[str]:
    """Run the new service's stand-in alone; yield its base URL once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "corner_shop_stand_in", "--port", str(port)]
    path = os.pathsep.join([str(made.folder / "tests"), str(made.root)])
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}) as child:
        try:
            base = f"http://127.0.0.1:{port}"
            with httpx2.Client(transport=httpx2.HTTPTransport(retries=10)) as http:
                http.get(base)
            yield base
        finally:
            child.kill()


async def test_a_new_service_answers_on_its_stand_in_with_the_tools_of_its_lock_file(
    made: Made, chromium: str, tmp_path: Path
) -> None:
    variables, (tool, arguments), expected = ON_THE_STAND_IN[made.kind.name]
    lock = json.loads((made.folder / LOCK).read_text(encoding="utf-8"))
    with stand_in(made) as base:
        environment = {name: value.format(base=base) for name, value in variables.items()}
        path = os.pathsep.join([str(made.root / "mcp-servers" / "kit"), str(made.folder)])
        environment |= {"PYTHONPATH": path, "DYBER_DATA": str(tmp_path), "CHROMIUM_PATH": chromium}
        with process(PACKAGE, **environment) as (_, service):
            async with Client(f"{service}/mcp") as client:
                listed = [tool.name for tool in (await client.list_tools()).tools]
                answer = await client.call_tool(tool, arguments)
    assert listed == list(lock["tools"])
    assert expected.items() <= answer.structured_content.items()


def test_the_lock_file_of_a_new_service_equals_the_contract_of_its_code(made: Made) -> None:
    checked = made.run("dyber_kit.contract", PACKAGE, "--check", str(made.folder / LOCK))
    assert (checked.returncode, checked.stdout) == (0, "")


def test_adding_a_service_adds_a_folder_and_nothing_else(made: Made) -> None:
    added = files_below(made.root) - made.files_before
    assert {path for path in added if made.folder not in path.parents} == set()


def test_a_new_service_passes_its_tests_and_those_of_all_services(made: Made) -> None:
    tests = [str(made.folder / "tests"), *(f"tests/servers/every_service/{file}" for file in SHARED_TESTS)]
    result = made.run("pytest", "-v", "-p", "no:cacheprovider", *tests, "-k", SELECTION)
    assert result.returncode == 0, result.stdout
    passed = [line for line in result.stdout.splitlines() if " PASSED" in line]
    own = [file.name for file in (made.folder / "tests").glob("test_*.py")]
    assert own
    for file in (*own, *SHARED_TESTS):
        assert any(file in line for line in passed), file


@pytest.mark.parametrize("name", ["x", "zoo", "a-service-with-the-longest-name"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_new_service_is_formatted_whatever_its_name_is(tmp_path: Path, kind: Kind, name: str) -> None:
    servers = tmp_path / "mcp-servers"
    servers.mkdir()
    shutil.copytree(ROOT / "mcp-servers" / "template", servers / "template")
    for file in ("pyproject.toml", "mcp-servers/ruff.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    folder = scaffold.create(servers, Identifiers(name), 8003, TITLE, kind)
    for command in (["check"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(folder)]
        checked = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_browser_kind_has_the_versions_of_the_browser_that_other_services_have() -> None:
    def pinned(folder: Path) -> set[str]:
        text = (folder / "requirements.txt").read_text(encoding="utf-8")
        return {line for line in text.splitlines() if "==" in line}

    servers = ROOT / "mcp-servers"
    assert pinned(KINDS["browser"].folder(servers)) <= pinned(servers / "xiaohongshu")
