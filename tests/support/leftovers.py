"""Finds and removes by label what a killed test run left on the engine."""

from __future__ import annotations

import subprocess
import time

KINDS = {"container": "{{.Names}}", "network": "{{.Name}}", "volume": "{{.Name}}"}
#: The engine removes a container in its own time, and its network only after that.
PATIENCE_SECONDS = 60


def labelled(kind: str, label: str) -> list[str]:
    """Return the names of the containers, networks or volumes that carry a label (`key=value`)."""
    everything = ["--all"] if kind == "container" else []
    command = ["docker", kind, "ls", *everything, "--filter", f"label={label}", "--format", KINDS[kind]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def remove_labelled(*labels: str) -> None:
    """Remove all containers, networks and volumes that carry one of the labels. Raises AssertionError for what stays."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := [(kind, name) for kind in KINDS for label in labels for name in labelled(kind, label)]:
        assert time.monotonic() < deadline, f"cannot be removed: {left}"
        for kind, name in left:
            force = ["--force"] if kind == "container" else []
            subprocess.run(["docker", kind, "rm", *force, name], check=False, capture_output=True)
        time.sleep(0.2)
