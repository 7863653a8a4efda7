"""Builds images of sources as a deployment does, and runs them confined as its containers."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml

from cli.deployment.image_build import build_image, build_settings
from cli.terminal.console import Activities
from infra.services.catalog import ServiceSpec, load_spec

REPOSITORY = Path(__file__).resolve().parents[2]
PORT, UID = 8900, 28900
CONFINED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", f"{UID}:{UID}"]


def docker(*arguments: str, check: bool = True) -> str:
    """Run docker and return its output; unless `check`, also that of a command that fails, with its errors."""
    done = subprocess.run(["docker", *arguments], check=check, capture_output=True, text=True)
    return (done.stdout if check else done.stdout + done.stderr).strip()


def server_folder(parent: Path) -> Path:
    """Return a new folder mcp-servers/ with what images are built from."""
    folder = parent / "mcp-servers"
    folder.mkdir()
    for name in ("Dockerfile", ".dockerignore", "healthcheck"):
        shutil.copy(REPOSITORY / "mcp-servers" / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "mcp-servers" / "kit", folder / "kit", ignore=ignored)
    return folder


def add(servers: Path, name: str, source: dict[str, Any], *locks: Path, **others: Any) -> ServiceSpec:
    """Add a service with a source and its locks to `servers`."""
    folder = servers / name
    folder.mkdir()
    content = {"title": name, "port": PORT, "source": source, **others}
    (folder / "service.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for lock in locks:
        shutil.copy(lock, folder)
    return load_spec(folder / "service.yaml", locks=bool(locks))


def build(servers: Path, spec: ServiceSpec) -> str:
    """Build the image of a service and return its name."""
    with Activities() as display:
        return build_image(spec, build_settings("dev"), display, servers)


def run(image: str, *command: str) -> str:
    """Return what a command prints in a confined container without a network."""
    confined = ["--network", "none", *CONFINED]
    return subprocess.run(
        ["docker", "run", "--rm", *confined, "--entrypoint", command[0], image, *command[1:]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@contextmanager
def serving(image: str, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Run the bridge of an image; yield the name of its container and its base URL once it is ready."""
    name = f"dyber-test-{time.monotonic_ns()}"
    variables = {"PORT": str(PORT), "DYBER_DATA": "/data", "DYBER_READ_ONLY": "false", **(environment or {})}
    given = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
    data = ["--tmpfs", f"/data:uid={UID},gid={UID}", "--publish", f"127.0.0.1::{PORT}"]
    try:
        docker("run", "--detach", "--name", name, *CONFINED, *data, *given, *options, image)
        base = f"http://{docker('port', name, str(PORT))}"
        _wait_until_ready(name, base)
        yield name, base
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


def _wait_until_ready(name: str, base: str) -> None:
    told = ""
    for _ in range(150):
        try:
            answer = httpx2.get(f"{base}/ready")
            if answer.status_code == 200:
                return
            told = answer.text
        except httpx2.TransportError as error:
            told = str(error)
        time.sleep(0.2)
    raise AssertionError(f"{told}\n{docker('logs', name)}")


def remove_images(prefix: str) -> None:
    """Remove the images whose names begin with dyber- and `prefix`."""
    listed = docker("images", "--filter", f"reference=dyber-{prefix}*", "--format", "{{.Repository}}:{{.Tag}}")
    if names := listed.split():
        docker("rmi", "--force", *names)
