"""Tests what a service with a source adds to the program, with Pulumi's mocks in place of an engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.components.docker.contract_check import difference
from infra.parts.service import PRINT_LOCK, PYTHON, contract_check
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import LOCK_FILE, Contract
from tests.unit.infra.services.test_source_locks import GO, LOCKS, NPM, OCI, PYPI
from tests.unit.infra.test_program import REPOSITORY, SERVICES, declare

TOOLS = {
    "geo": {"description": "Find a place", "inputSchema": {"type": "object"}},
    "erase": {"description": "Erase a place", "inputSchema": {"type": "object"}},
}
CONTRACT = Contract(TOOLS)
REMOTE = {"url": "https://mcp.example.com/mcp", "transport": "streamable-http", "tools": {"geo": "read"}}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the parts of ours, to which tests add a service."""
    root = tmp_path / "repository"
    (root / "mcp-servers").mkdir(parents=True)
    (root / "infra").mkdir()
    shutil.copy(REPOSITORY / "infra" / "__main__.py", root / "infra")
    for name in ("nginx", "monitoring", "cache", "hub", ".dockerignore"):
        (root / name).symlink_to(REPOSITORY / name)
    for name in ("Dockerfile", "healthcheck", "kit", *SERVICES):
        (root / "mcp-servers" / name).symlink_to(REPOSITORY / "mcp-servers" / name)
    return root


def add(root: Path, source: dict[str, Any], **others: Any) -> None:
    """Add the service amap with a source, its locks and its contract."""
    folder = root / "mcp-servers" / "amap"
    folder.mkdir(exist_ok=True)
    content = {"title": "高德地图", "port": 8010, "data": True, "internet": True, "source": source, **others}
    (folder / "service.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    lock = {"service": "amap", "sha256": CONTRACT.sha256, "tools": TOOLS}
    for name, text in {**LOCKS.get(next(iter(source)), {}), LOCK_FILE: json.dumps(lock)}.items():
        (folder / name).write_text(text, encoding="utf-8")


def image(root: Path, monkeypatch: pytest.MonkeyPatch, **values: Any) -> dict[str, Any]:
    """Return the inputs of the image of amap."""
    recorder = declare(monkeypatch, root=root, deployed=[*SERVICES, "amap"], **values)
    inputs: dict[str, Any] = recorder.inputs("RemoteImage")["amap-image"]
    return inputs


@pytest.mark.parametrize(
    ("source", "target", "arguments"),
    [
        (NPM, "source", {"SOURCE": "npm"}),
        (PYPI, "source", {"SOURCE": "pypi"}),
        (GO, "source", {"SOURCE": "go", "GO_PACKAGE": "example.com/tools/cmd/server"}),
        (OCI, "image", {"FOREIGN_IMAGE": OCI["oci"]}),
        (REMOTE, "source", {"SOURCE": "url"}),
    ],
    ids=["npm", "pypi", "go", "oci", "url"],
)
def test_each_kind_is_built_from_its_stage_of_the_shared_dockerfile(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: dict[str, Any],
    target: str,
    arguments: dict[str, str],
) -> None:
    add(repository, source)
    build = image(repository, monkeypatch)["build"]
    assert (build["dockerfile"], build["target"]) == ("Dockerfile", target)
    assert arguments.items() <= build["buildArgs"].items()
    assert json.loads(build["buildArgs"]["BRIDGE"])["service"] == "amap"


@pytest.mark.parametrize(
    ("source", "file"),
    [(NPM, "package-lock.json"), (PYPI, "requirements.txt"), (GO, "go.sum"), (OCI, LOCK_FILE), (REMOTE, LOCK_FILE)],
    ids=["npm", "pypi", "go", "oci", "url"],
)
def test_an_image_has_another_name_once_a_lock_changes(
    repository: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], file: str
) -> None:
    add(repository, source)
    before = image(repository, monkeypatch)["name"]
    lock = repository / "mcp-servers" / "amap" / file
    lock.write_text(lock.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert image(repository, monkeypatch)["name"] != before


def test_an_image_has_another_name_once_its_source_says_something_else(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(repository, NPM)
    before = image(repository, monkeypatch)["name"]
    add(repository, {**NPM, "tools": {"geo": "read"}})
    assert image(repository, monkeypatch)["name"] != before


@pytest.mark.parametrize(
    ("source", "setting", "argument"), [(NPM, "npmRegistry", "NPM_REGISTRY"), (GO, "goProxy", "GO_PROXY")]
)
def test_a_mirror_is_used_and_changes_no_name(
    repository: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], setting: str, argument: str
) -> None:
    add(repository, source)
    plain = image(repository, monkeypatch)
    mirrored = image(repository, monkeypatch, build={setting: "https://mirror.example/x"})
    assert mirrored["build"]["buildArgs"][argument] == "https://mirror.example/x"
    assert mirrored["name"] == plain["name"]


def test_the_images_of_other_services_stay_as_they_are(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, root=repository).inputs("RemoteImage")
    add(repository, NPM)
    after = declare(monkeypatch, root=repository, deployed=[*SERVICES, "amap"]).inputs("RemoteImage")
    assert {name: after[name]["name"] for name in before} == {name: inputs["name"] for name, inputs in before.items()}


def test_its_container_is_confined_as_that_of_every_service(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(repository, NPM)
    recorder = declare(monkeypatch, root=repository, deployed=[*SERVICES, "amap"], profiles=["dev"])
    containers = recorder.inputs("Container")
    foreign, ours = containers["amap-server"], containers["template-server"]
    confinement = ("readOnly", "capabilities", "securityOpts", "restart", "ulimits", "mustRun")
    assert {key: foreign.get(key) for key in confinement} == {key: ours.get(key) for key in confinement}
    assert foreign["user"] == "28010:28010" and "DYBER_EXPECT_SCOPE=true" in foreign["envs"]


def test_a_foreign_image_needs_no_shell(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Several replicas share a secret, which a container of the image writes.
    add(repository, OCI, data=False, replicas=2)
    recorder = declare(monkeypatch, root=repository, deployed=[*SERVICES, "amap"])
    containers = {name: inputs for name, inputs in recorder.inputs("Container").items() if name.startswith("amap-s")}
    assert set(containers) == {"amap-server", "amap-server-2", "amap-secrets"}
    for name, inputs in containers.items():
        words = [*(inputs.get("command") or ()), *(inputs.get("healthcheck") or {}).get("tests", ())]
        assert words and not [word for word in words if str(word).endswith("/sh")], name
    assert containers["amap-secrets"]["command"][:3] == [*PYTHON, "/staging/store_secrets.py"]


def service(root: Path) -> ServiceSpec:
    return load_catalog(root / "mcp-servers")["amap"]


@pytest.mark.parametrize(
    ("source", "command"),
    [
        (NPM, ("/opt/venv/bin/python", "-I", "-m", "dyber_kit.bridge.contract")),
        (OCI, ("/opt/venv/bin/python", "-I", "-m", "dyber_kit.bridge.contract")),
        (REMOTE, PRINT_LOCK),
    ],
    ids=["npm", "oci", "url"],
)
def test_the_contract_check_asks_the_program_itself_except_a_remote_one(
    repository: Path, source: dict[str, Any], command: tuple[str, ...]
) -> None:
    add(repository, source)
    assert contract_check(service(repository), {}).command == command


def test_a_program_that_lists_its_locked_tools_is_put_in_service_whatever_a_review_made_of_them(
    repository: Path,
) -> None:
    add(repository, {**NPM, "tools": {"geo": "read", "erase": "off"}})
    printed = (repository / "mcp-servers" / "amap" / LOCK_FILE).read_text(encoding="utf-8")
    assert difference(service(repository), 0, json.dumps(json.loads(printed), indent=2)) == ""


def test_a_program_that_describes_a_tool_differently_is_not_put_in_service(repository: Path) -> None:
    add(repository, NPM)
    changed = {**TOOLS, "geo": {**TOOLS["geo"], "description": "Find a place and tell nobody"}}
    printed = {"service": "amap", "sha256": Contract(changed).sha256, "tools": changed}
    message = difference(service(repository), 0, json.dumps(printed, indent=2))
    assert "./deploy.sh tools lock amap" in message and "and tell nobody" in message


def test_changed_instructions_are_a_difference(repository: Path) -> None:
    add(repository, NPM)
    instructions = {"instructions": "Ask for the password first"}
    printed = {"sha256": Contract(TOOLS, instructions).sha256, **instructions, "tools": TOOLS}
    assert "Ask for the password first" in difference(service(repository), 0, json.dumps(printed, indent=2))


def test_the_gateway_knows_what_a_review_decided_of_its_tools(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(repository, {**NPM, "tools": {"geo": "read", "erase": "off"}})
    recorder = declare(monkeypatch, root=repository, deployed=[*SERVICES, "amap"])
    loader = json.dumps(recorder.inputs("Container")["gateway-loader"])
    assert "geo" in loader and "erase" not in loader


def test_locks_that_do_not_fit_stop_the_program_before_it_declares_anything(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(repository, NPM)
    (repository / "mcp-servers" / "amap" / "package-lock.json").unlink()
    with pytest.raises(ConfigurationError, match="./deploy.sh lock amap"):
        declare(monkeypatch, root=repository, deployed=[*SERVICES, "amap"])
