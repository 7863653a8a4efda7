"""The Docker commands that the gateway's tests need, with everything labelled and removed."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

LABEL = "dyber.test=gateway"
#: Made by set-up; another one by this variable.
BASE_IMAGE = os.environ.get("DYBER_GATEWAY_BASE_IMAGE", "dyber-base:forky")
CONFINED = (
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=128m",
    "--ulimit=nproc=1024",
)
READ_ONLY = ("--read-only", "--tmpfs=/tmp:rw,nosuid,nodev,noexec,size=64m,mode=1777")


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    """Runs one command and returns what it printed on stdout. Raises AssertionError with its words when it fails."""
    result = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=300, check=False)
    assert result.returncode == 0, f"docker {' '.join(arguments)}:\n{result.stdout.decode()}{result.stderr.decode()}"
    return result.stdout.decode().strip()


def unique(role: str) -> str:
    return f"gatewaytest-{role}-{uuid.uuid4().hex[:8]}"


def build_image(context: Path) -> str:
    """Builds the gateway's image once per base image and content of its folder, and returns its tag."""
    digest = hashlib.sha256(docker("inspect", "--format", "{{.Id}}", BASE_IMAGE).encode())
    # The rest of the folder is configuration, which is not in the image.
    parts = ("Dockerfile", ".dockerignore", "bin/*", "bootstrap/*")
    for path in sorted(path for part in parts for path in context.glob(part)):
        digest.update(str(path.relative_to(context)).encode() + b"\0" + path.read_bytes() + b"\0")
    tag = f"dyber-gateway-test:{digest.hexdigest()[:16]}"
    if not docker("images", "--quiet", tag):
        docker("build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, str(context))
    return tag


def archive(files: Mapping[str, str]) -> bytes:
    """The files as a tar stream, root-owned and read-only, as the provider uploads them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Returns when `condition` is true; fails the test, naming `what`, when it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.05)
