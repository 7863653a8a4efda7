"""Runs the Docker commands that the gateway's tests need. Everything that they make is labelled and removed."""

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
#: The base image that set-up made, or the one that this variable names.
BASE_IMAGE = os.environ.get("DYBER_GATEWAY_BASE_IMAGE", "dyber-base:forky")
CONFINED = (
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=128m",
    "--ulimit=nproc=1024",
)
READ_ONLY = ("--read-only", "--tmpfs=/tmp:rw,nosuid,nodev,noexec,size=64m,mode=1777")


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    """Run `docker` and return its stdout. Raises AssertionError with its error output if it fails."""
    result = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=300, check=False)
    assert result.returncode == 0, f"docker {' '.join(arguments)}:\n{result.stdout.decode()}{result.stderr.decode()}"
    return result.stdout.decode().strip()


def unique(role: str) -> str:
    return f"gatewaytest-{role}-{uuid.uuid4().hex[:8]}"


def build_image(context: Path) -> str:
    """Build the gateway's image, once per base image and content of its folder, and return its tag."""
    digest = hashlib.sha256(docker("inspect", "--format", "{{.Id}}", BASE_IMAGE).encode())
    # The other files of the folder are configuration, which the image does not contain.
    parts = ("Dockerfile", ".dockerignore", "bin/*", "bootstrap/*")
    for path in sorted(path for part in parts for path in context.glob(part)):
        digest.update(str(path.relative_to(context)).encode() + b"\0" + path.read_bytes() + b"\0")
    tag = f"dyber-gateway-test:{digest.hexdigest()[:16]}"
    if not docker("images", "--quiet", tag):
        docker("build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, str(context))
    return tag


def archive(files: Mapping[str, str]) -> bytes:
    """Return the files as a tar stream, owned by root and read-only, as the Pulumi provider uploads them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until `condition` is true; fails the test with `what`, the awaited event, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.05)
