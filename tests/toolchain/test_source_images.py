"""Images of sources are built on the real engine, as a deployment builds them, and their programs list their tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.deployment.environment import activate
from cli.deployment.events import DeployError
from cli.deployment.image_build import build_part, build_settings
from cli.release import contracts
from cli.services.sources import details, oci_images
from cli.services.sources.packages import SourceError
from cli.terminal.console import Activities
from infra.services.source import Source
from tests.support.image_registry import image_registry
from tests.support.source_images import REPOSITORY, add, build, remove_images, run, server_folder
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

LOCKS = REPOSITORY / "tests" / "support" / "foreign"
CLOCK = {"pypi": "mcp-server-time==2026.10.19", "command": "mcp-server-time", "era": "modern"}
#: A server that a shell can run, for an image that has nothing else.
SHELL_SERVER = r"""#!/bin/sh
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"greeter","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"greet","description":"'$GREETING'","inputSchema":{"type":"object"}}]}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"""


@pytest.fixture(autouse=True)
def environment(home: DyberHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(os.environ)
    activate(home)
    monkeypatch.setenv("DYBER_LANG", "en")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module", autouse=True)
def no_images_left() -> Iterator[None]:
    """Removes the images of these tests, whose names begin with dyber-test-."""
    yield
    remove_images("test-")


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    """A folder mcp-servers/ with what images are built from, to which tests add a service."""
    return server_folder(tmp_path)


def test_a_python_program_lists_its_tools_without_a_network_or_rights(servers: Path) -> None:
    spec = add(servers, "test-clock", CLOCK, LOCKS / "requirements.in", LOCKS / "requirements.txt")
    image = build(servers, spec)
    contract, text, _ = contracts.bridged_contract(image, spec)
    assert set(contract.tools) == {"get_current_time", "convert_time"}
    (spec.folder / "tools.lock.json").write_text(text, encoding="utf-8")
    locked = build(servers, spec)
    assert locked != image and run(locked, "cat", "/opt/dyber/app/tools.lock.json") == text


def test_images_of_python_programs_can_install_nothing(servers: Path) -> None:
    spec = add(servers, "test-clock", CLOCK, LOCKS / "requirements.in", LOCKS / "requirements.txt")
    image = build(servers, spec)
    installers = "for name in pip pip3 npm npx node uv uvx git go; do command -v $name; done; find / -xdev -path '*/pip/__init__.py'"
    assert run(image, "/bin/sh", "-c", installers + " 2>/dev/null; true") == ""


def test_a_changed_hash_fails_the_build_and_names_the_package(servers: Path) -> None:
    spec = add(servers, "test-clock", CLOCK, LOCKS / "requirements.in", LOCKS / "requirements.txt")
    lock = spec.folder / "requirements.txt"
    text = lock.read_text(encoding="utf-8")
    start = text.index("mcp-server-time==")
    digits = re.compile(r"(?<=sha256:)[0-9a-f]{8}")
    lock.write_text(text[:start] + digits.sub("00000000", text[start:], count=2), encoding="utf-8")
    with pytest.raises(DeployError) as refused:
        build(servers, spec)
    assert "mcp-server-time" in "\n".join(refused.value.details)


def test_a_part_whose_build_fails_shows_the_last_lines_of_the_build(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "cache", tmp_path / "cache")
    dockerfile = tmp_path / "cache" / "Dockerfile"
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if line.startswith(("ARG", "FROM"))]
    dockerfile.write_text("\n".join([*lines, "RUN echo the disk has a hole && false"]) + "\n", encoding="utf-8")
    with Activities() as display, pytest.raises(DeployError) as refused:
        build_part("cache", build_settings("dev"), display, tmp_path)
    assert "the disk has a hole" in "\n".join(refused.value.details)
    assert refused.value.message == "the image of cache was not built"


def test_a_remote_server_needs_only_the_bridge(servers: Path) -> None:
    source = {"url": "https://mcp.example.com/mcp", "transport": "streamable-http"}
    spec = add(servers, "test-remote", source, internet=True)
    content = json.loads(run(build(servers, spec), "cat", "/opt/dyber/app/bridge.json"))
    assert (content["command"], content["url"]) == ([], "https://mcp.example.com/mcp")


@pytest.fixture
def foreign_image(tmp_path: Path) -> Iterator[str]:
    """An image of others with a server that is written for a shell, in a registry on loopback."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "server").write_text(SHELL_SERVER, encoding="utf-8")
    (folder / "server").chmod(0o755)
    lines = ["FROM dyber-base:trixie", "COPY server /server", "ENV GREETING=hello PYTHONPATH=/nowhere"]
    lines.append("LABEL org.opencontainers.image.source=https://example.test/greeter")
    (folder / "Dockerfile").write_text("\n".join([*lines, 'ENTRYPOINT ["/server"]']) + "\n", encoding="utf-8")
    tag = "dyber-test-foreign:latest"
    subprocess.run(["docker", "build", "--tag", tag, str(folder)], check=True, capture_output=True)
    with image_registry(tag, "others/greeter") as reference:
        yield reference


def test_a_foreign_image_runs_behind_the_bridge_with_its_own_variables_and_not_its_own_python(
    servers: Path, foreign_image: str
) -> None:
    progress = PlainProgress()
    package = oci_images.find(foreign_image, progress)
    spec = add(servers, "test-greeter", {"oci": package.reference})
    assert spec.source is not None
    oci_images.lock(spec.source, spec.folder, progress)
    contract, *_ = contracts.bridged_contract(build(servers, spec), spec)
    assert {name: tool["description"] for name, tool in contract.tools.items()} == {"greet": "hello"}


def test_the_age_of_a_foreign_image_and_the_place_of_its_source_are_looked_at(
    tmp_path: Path, foreign_image: str
) -> None:
    progress = PlainProgress()
    source = Source(oci=oci_images.find(foreign_image, progress).reference)
    oci_images.lock(source, tmp_path, progress)
    package = details.look_into(source, DyberHome.from_environment(), progress)
    assert package.published and datetime.now(UTC) - package.published < timedelta(days=1)
    assert package.repository == "https://example.test/greeter"


def test_an_image_that_a_registry_does_not_have_is_refused(foreign_image: str) -> None:
    missing = foreign_image.partition("@")[0] + "@sha256:" + "0" * 64
    with pytest.raises(SourceError, match="cannot be had"):
        oci_images.find(missing, PlainProgress())


def test_an_image_for_other_processors_is_refused_naming_those_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    platforms = [{"os": "linux", "architecture": name} for name in ("riscv64", "s390x")]
    described = {"Descriptor": {"digest": "sha256:" + "1" * 64}, "Platforms": platforms}
    monkeypatch.setattr(oci_images, "_distribution", lambda image: described)
    with pytest.raises(SourceError, match=r"it is for riscv64, s390x"):
        oci_images.find("example.com/server:1", PlainProgress())


def test_an_image_lock_keeps_what_the_image_says_of_itself() -> None:
    source = Source(oci="example.com/server@sha256:" + "1" * 64)
    config = {
        "Entrypoint": ["/server"],
        "Env": ["PATH=/bin", "LANG=C"],
        "User": "1000",
        "WorkingDir": "/work",
        "ExposedPorts": {"8000/tcp": {}},
    }
    lock = oci_images.image_lock(source, {"Architecture": "amd64", "Config": config}, ())
    assert (lock.entrypoint, lock.cmd, lock.variables) == (("/server",), (), ("LANG", "PATH"))
    assert (lock.user, lock.working_dir, lock.ports) == ("1000", "/work", ("8000/tcp",))


@pytest.mark.parametrize(
    ("user", "volumes", "said"),
    [
        ("", None, ["expects to run as root"]),
        ("0:0", None, ["expects to run as root"]),
        ("node", {"/data": {}}, ["expects to run as node"]),
        ("1000:1000", {"/var/lib/notes": {}}, ["as 1000:1000", "keeps data in /var/lib/notes, which is lost"]),
    ],
)
def test_what_an_image_expects_and_does_not_get_is_told_when_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, volumes: dict[str, Any] | None, said: list[str]
) -> None:
    config = {"Entrypoint": ["/server"], "User": user, "Volumes": volumes}
    monkeypatch.setattr(oci_images, "_distribution", lambda image: {})
    monkeypatch.setattr("cli.engine.images.pull", lambda image: None)
    monkeypatch.setattr(oci_images, "described", lambda source: {"Architecture": "amd64", "Config": config})
    source = Source(oci="example.com/server@sha256:" + "1" * 64)
    warnings = oci_images.lock(source, tmp_path, PlainProgress()).warnings
    assert len(warnings) == len(said) and all(text in warning for text, warning in zip(said, warnings, strict=True))
